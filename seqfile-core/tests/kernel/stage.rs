//! Runs a test's body in a process of its own, in a fresh namespace: this test program again,
//! told by its environment.

use std::{
    env, io,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

const ROLE: &str = "SEQFILE_TEST_ROLE";

/// Whether this process was started to play `role`.
pub fn plays(role: &str) -> bool {
    env::var(ROLE).is_ok_and(|r| r == role)
}

/// This program, to run only the test `test`, and to play `role` in it.
pub fn again(test: &str, role: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command
}

/// Runs `again(test, role)` in a new namespace of this kind (`unshare(2)`): as root, or in a new user namespace. Its failure
/// is the test's, and so is its output.
pub fn in_new_namespace(kind: i32, test: &str, role: &str) {
    let run = |flags: i32| {
        let mut command = again(test, role);
        // SAFETY: `unshare` is a bare system call, allowed between fork and exec.
        unsafe {
            command.pre_exec(move || match libc::unshare(flags) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            });
        }
        command.stdin(Stdio::null()).output()
    };
    let output = run(kind).or_else(|as_root| run(kind | libc::CLONE_NEWUSER).map_err(|e| (as_root, e)));
    match output {
        Ok(output) => {
            print!("{}", String::from_utf8_lossy(&output.stdout));
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{role}: {}", output.status);
        }
        Err((as_root, e)) => panic!(
            "this test needs a namespace of its own, and the machine gives none: \
             {as_root} without, {e} with a user namespace. Run it as root, or allow user namespaces"
        ),
    }
}
