//! `semundo watch` on a pseudo terminal and without one, watching this process.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Output};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use semundo::source;
use semundo::sysv::{Op, TempSet};

const PATIENCE: Duration = Duration::from_secs(30);

/// Those that end the command.
const SIGNALS: [Signal; 3] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP];

/// Whether undo lists can be read here. Where they cannot, that is told past the test harness, which would keep it to itself.
fn can_read() -> bool {
    match source::open() {
        Ok(_) => true,
        Err(error) => {
            let test = thread::current().name().unwrap_or_default().to_owned();
            io::stderr().write_all(format!("\nNOT TESTED: {test}: {error}\n").as_bytes()).unwrap();
            false
        }
    }
}

/// A set of which this process holds 3 of semaphore 1.
fn held() -> TempSet {
    let set = TempSet::create(2, 0o600).unwrap();
    set.set_values(&[0, 10]).unwrap();
    set.op(&[Op::new(1, -3).undo()]).unwrap();
    set
}

fn watch(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_semundo"));
    command.args(["watch", "--interval", "0.1"]).args(arguments).env("TERM", "xterm");
    command
}

/// The command on a pseudo terminal of 24 lines of 100 columns.
struct OnTerminal {
    child: Child,
    keyboard: File,
    terminal: OwnedFd,
    shown: Arc<Mutex<String>>,
}

impl OnTerminal {
    fn start(arguments: &[&str]) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        let end = || pty.slave.try_clone().unwrap();
        let mut command = watch(arguments);
        command.stdin(end()).stdout(end()).stderr(end());
        // Whoever runs the tests may ignore some, as nohup(1) does and a shell for what it runs in the background; that is inherited.
        let heed_signals = || {
            // SAFETY: no handler is set.
            let heed = |number| unsafe { signal(number, SigHandler::SigDfl) };
            Ok(SIGNALS.into_iter().try_for_each(|number| heed(number).map(drop))?)
        };
        // SAFETY: it only calls signal(2), which may be called after a fork.
        unsafe { command.pre_exec(heed_signals) };
        let child = command.spawn().unwrap();
        let shown = Arc::new(Mutex::new(String::new()));
        let mut screen = File::from(pty.master.try_clone().unwrap());
        let seen = Arc::clone(&shown);
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut part) {
                seen.lock().unwrap().push_str(&String::from_utf8_lossy(&part[..length]));
            }
        });
        Self { child, keyboard: File::from(pty.master), terminal: pty.slave, shown }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn resize(&self, ws_row: u16, ws_col: u16) {
        let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: TIOCSWINSZ reads one `winsize`.
        assert_eq!(unsafe { libc::ioctl(self.terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }, 0);
        // It is not the controlling terminal of the command, which the kernel therefore does not tell.
        self.signal(Signal::SIGWINCH);
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
    }

    /// Waits until this was written since the last call, which only has words without changes of place or colour.
    fn wait_for(&self, text: &str) {
        wait(text, || {
            let mut shown = self.shown.lock().unwrap();
            let found = shown.find(text);
            if let Some(at) = found {
                shown.drain(..at + text.len());
            }
            found
        });
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.terminal).unwrap().local_flags.contains(LocalFlags::ICANON)
    }

    /// Waits for the end, and checks that the terminal is as it was.
    fn end(mut self) -> ExitStatus {
        let status = wait("end", || self.child.try_wait().unwrap());
        self.wait_for("\x1b[?1049l");
        self.wait_for("\x1b[?25h");
        assert!(!self.shown.lock().unwrap().contains("\x1b[?25l"), "the cursor is hidden again");
        assert!(!self.is_raw());
        status
    }
}

fn wait<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(done) = attempt() {
            return done;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn keys_work_and_quit_restores_the_terminal() {
    if !can_read() {
        return;
    }
    let (set, own) = (held(), std::process::id().to_string());
    let mut watch = OnTerminal::start(&[&own]);
    watch.wait_for("\x1b[?1049h");
    watch.wait_for(&set.id().to_string());
    assert!(watch.is_raw());
    watch.press("?");
    watch.wait_for("Help");
    watch.press("?s ");
    watch.wait_for("PAUSED");
    watch.resize(1, 1);
    watch.resize(30, 120);
    watch.wait_for("PAUSED");
    watch.press("q");
    assert!(watch.end().success());
}

#[test]
fn signals_end_it_and_restore_the_terminal() {
    if !can_read() {
        return;
    }
    for signal in SIGNALS {
        let watch = OnTerminal::start(&[]);
        watch.wait_for("SEMID");
        watch.signal(signal);
        assert_eq!(watch.end().signal(), Some(signal as i32));
    }
}

#[test]
fn the_count_ends_it() {
    if can_read() {
        assert!(OnTerminal::start(&["--count", "2"]).end().success());
    }
}

#[test]
fn without_a_terminal_it_prints_tables() {
    if !can_read() {
        return;
    }
    let (set, own) = (held(), std::process::id().to_string());
    let Output { status, stdout, stderr } = watch(&["--count", "2", &own]).output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert!(status.success() && stderr.is_empty() && !text.contains('\x1b'), "{text}");
    let id = set.id().to_string();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let own_rows: Vec<_> = rows.iter().filter(|row| row.len() == 9 && row[2] == id).collect();
    assert_eq!(own_rows.len(), 2, "{text}");
    for row in own_rows {
        assert_eq!((row[0], &row[3..]), (own.as_str(), &["0x00000000", "1", "+3", "7", "10", "-"][..]));
    }
}

#[test]
fn wrong_use_is_told_without_touching_the_terminal() {
    for wrong in [&["--interval", "0.05"][..], &["--interval", "x"], &["--count", "0"], &["0"]] {
        assert_eq!(watch(wrong).output().unwrap().status.code(), Some(2), "{wrong:?}");
    }
    let output = watch(&["4194305"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "semundo: process 4194305: there is none\n");
}
