//! Programs that use SEM_UNDO and that we did not write: Python's `sysv_ipc`, and PHP's semaphores.
//!
//! `cargo xtask test programs` installs them, and names the Python.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use semundo::sysv::SemSet;

const PYTHON: &str = "SEMUNDO_TEST_PYTHON";

/// A program that answers a line to a line.
struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    fn python() -> Command {
        let python = env::var(PYTHON).unwrap_or_else(|_| panic!("{PYTHON} must name a Python that has sysv_ipc"));
        let mut command = Command::new(python);
        command.args(["-u", "-c", include_str!("programs/semaphore.py")]);
        command
    }

    fn php() -> Command {
        let mut command = Command::new("php");
        command.args(["-r", include_str!("programs/semaphore.php")]);
        command
    }

    fn pid(&self) -> String {
        self.child.id().to_string()
    }

    fn send(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.answer()
    }

    /// Kills it.
    fn kill(self) {}
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until_somebody_waits(set: SemSet) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while set.waiters(0).unwrap().0 == 0 {
        assert!(Instant::now() < deadline, "nobody waits for the lock");
        std::thread::yield_now();
    }
}

/// A set that is removed at the end of the test.
struct Removed(SemSet);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = self.0.remove();
    }
}

/// The command, which must succeed; what it printed.
fn semundo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_semundo")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn restored_into(file: &str, command: &Command) -> Command {
    let mut restore = Command::new(env!("CARGO_BIN_EXE_semundo"));
    restore.args(["restore", "--quiet", file, "--"]).arg(command.get_program()).args(command.get_args());
    restore
}

/// A lock that a process holds goes on to another process, which dies: whoever waits gets it then, and not before.
fn a_lock_goes_on(command: fn() -> Command, held: &str) {
    let mut holder = Program::start(&mut command());
    // One that no other run of these tests has.
    let key = 0x7300_0000 + holder.child.id();
    let id: i32 = holder.ask(&format!("open {key}")).parse().unwrap();
    let _removed = Removed(SemSet::from_id(id));
    assert_eq!(holder.ask("acquire"), "acquired");
    let set = SemSet::from_id(id);
    let values = set.values().unwrap();
    assert_eq!(semundo(&["show", &holder.pid()]), format!("{id} {held}\n"));

    let file = tempfile::NamedTempFile::new().unwrap();
    let file = file.path().to_str().unwrap();
    semundo(&["save", &holder.pid(), "--clear", "-o", file]);
    holder.kill();
    assert_eq!(set.values().unwrap(), values, "the lock is still taken, by nobody");

    let mut successor = Program::start(&mut restored_into(file, &command()));
    assert_eq!(successor.ask(&format!("open {key}")), id.to_string());
    let mut waiter = Program::start(&mut command());
    assert_eq!(waiter.ask(&format!("open {key}")), id.to_string());
    waiter.send("acquire");
    wait_until_somebody_waits(set);
    // It sleeps in semop(2), gets a list and loses it again, and sleeps on.
    semundo(&["restore", "--quiet", file, "--pid", &waiter.pid()]);
    assert!(semundo(&["show", &waiter.pid()]).starts_with(&format!("{id} ")));
    let taken = tempfile::NamedTempFile::new().unwrap();
    semundo(&["save", &waiter.pid(), "--clear", "-o", taken.path().to_str().unwrap()]);
    wait_until_somebody_waits(set);
    assert_eq!(set.get_value(0).unwrap(), values[0]);

    successor.kill();
    assert_eq!(waiter.answer(), "acquired", "the end of the successor gave the lock back");
    assert_eq!(waiter.ask("release"), "released");
    waiter.kill();
}

#[test]
#[ignore = "takes a Python that has sysv_ipc: cargo xtask test programs"]
fn python_sysv_ipc() {
    a_lock_goes_on(Program::python, "1");
}

#[test]
#[ignore = "takes PHP: cargo xtask test programs"]
fn php_semaphores() {
    // PHP's sets have three semaphores: the lock, how many use it, and one for their making.
    a_lock_goes_on(Program::php, "1 -1 0");
}
