//! System calls that have no safe function, as programs make them: an error ends the program.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;

/// What a call returned, where that is no error.
pub fn checked(what: &str, result: i64) -> i64 {
    assert_ne!(result, -1, "{what}: {}", io::Error::last_os_error());
    result
}

/// `unshare(CLONE_SYSVSEM)`: the calling thread has an undo list of its own from now on.
pub fn own_undo_list() {
    // SAFETY: changes nothing but the caller's undo list.
    checked("unshare", unsafe { libc::unshare(libc::CLONE_SYSVSEM) }.into());
}

/// A child with `clone(2)`'s flags beside those of `fork(2)`; true in the child.
pub fn fork(flags: i32) -> bool {
    // SAFETY: no stack of its own is asked for, so this is a fork; the caller has one thread.
    let pid = unsafe { libc::syscall(libc::SYS_clone, i64::from(flags | libc::SIGCHLD), 0, 0, 0, 0) };
    checked("clone", pid) == 0
}

/// A timer that sends SIGALRM so often.
pub fn timer(microseconds: i64) {
    let every = libc::timeval { tv_sec: 0, tv_usec: microseconds };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: reads one `itimerval`.
    checked("setitimer", unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) }.into());
}

/// What happens on a signal.
pub fn handle(signal: i32, handler: extern "C" fn(i32)) {
    // SAFETY: the handlers of programs make system calls and add to atomics only.
    let before = unsafe { libc::signal(signal, handler as extern "C" fn(i32) as libc::sighandler_t) };
    assert_ne!(before, libc::SIG_ERR, "signal: {}", io::Error::last_os_error());
}

/// From now on `semop(2)`, `semtimedop(2)` and `mmap(2)` kill the caller.
pub fn forbid_semop() {
    let forbidden = [libc::SYS_semop, libc::SYS_semtimedop, libc::SYS_mmap];
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    // The number of the call is the first word of `struct seccomp_data`.
    let mut filter = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    for call in forbidden {
        let equal = statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call as u32);
        filter.push(libc::sock_filter { jf: 1, ..equal });
        filter.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_KILL_PROCESS));
    }
    filter.push(statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the numbers are all that the call takes.
    checked("prctl", unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into());
    // SAFETY: reads the filter, which outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    checked("seccomp", result);
}

/// All ids become those of nobody, and with them all rights are gone.
pub fn become_nobody() {
    const NOBODY: u32 = 65534;
    // SAFETY: no group's number is read, because there is none.
    checked("setgroups", unsafe { libc::setgroups(0, std::ptr::null()) }.into());
    // SAFETY: the calls take numbers only.
    checked("setresgid", unsafe { libc::setresgid(NOBODY, NOBODY, NOBODY) }.into());
    // SAFETY: as above.
    checked("setresuid", unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) }.into());
}

/// Opens a file in the place of what is open.
pub fn reopen(descriptor: i32, path: &str) {
    let file = OpenOptions::new().read(true).append(true).open(path).unwrap();
    // SAFETY: the descriptor is one of the three standard ones, which nobody owns.
    checked("dup2", unsafe { libc::dup2(file.as_raw_fd(), descriptor) }.into());
}

/// Sleeps until a handler has run.
pub fn pause() {
    // SAFETY: waits only.
    unsafe { libc::pause() };
}

/// Ends the process as it is.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: takes a number, and runs nothing of ours.
    unsafe { libc::_exit(status) }
}
