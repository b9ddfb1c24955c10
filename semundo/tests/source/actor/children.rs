//! The actor's children, which are copies of it.

use std::io::{self, Read, Write};
use std::process;
use std::thread;
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, wait, waitpid};
use nix::unistd::{Pid, pause};

use super::command::Hold;
use super::perform;

/// A child that holds adjustments until it is killed; its number.
pub(super) fn hold(flags: i32, holds: &[Hold]) -> io::Result<i32> {
    let (mut reader, mut writer) = io::pipe()?;
    let pid = clone(flags)?;
    if pid == 0 {
        if perform::hold(holds).and_then(|()| writer.write_all(b".")).is_err() {
            exit(1);
        }
        loop {
            pause();
        }
    }
    drop(writer);
    reader.read_exact(&mut [0])?;
    Ok(pid)
}

/// Returns in a child; the process itself only waits for it.
pub(super) fn go_on(flags: i32) -> io::Result<()> {
    let pid = clone(flags)?;
    if pid != 0 {
        let ended = waitpid(Pid::from_raw(pid), None);
        exit((!matches!(ended, Ok(WaitStatus::Exited(_, 0)))).into());
    }
    Ok(())
}

/// Children that give to one set each, which is told by their number, and exit after a while.
pub(super) struct Fleeting {
    semids: Vec<i32>,
    stay: Duration,
    alive: usize,
}

impl Fleeting {
    pub(super) fn new(semids: Vec<i32>, stay: Duration) -> Self {
        Self { semids, stay, alive: 0 }
    }

    /// Lets one more come, and waits for one where there are many.
    pub(super) fn next(&mut self) {
        if clone(0).expect("it is below the limit of processes") == 0 {
            let index = process::id() as usize % self.semids.len();
            let took = perform::hold(&[Hold { semid: self.semids[index], by: vec![(0, -1 - index as i16)] }]);
            thread::sleep(self.stay);
            exit(took.is_err().into());
        }
        self.alive += 1;
        if self.alive == 16 {
            self.wait();
        }
    }

    fn wait(&mut self) {
        let ended = wait();
        assert!(matches!(ended, Ok(WaitStatus::Exited(_, 0))), "{ended:?}");
        self.alive -= 1;
    }
}

impl Drop for Fleeting {
    fn drop(&mut self) {
        while self.alive > 0 {
            self.wait();
        }
    }
}

/// As `fork(2)`, with more flags; the child dies with its parent.
fn clone(flags: i32) -> io::Result<i32> {
    // SAFETY: without CLONE_VM and a stack it is a fork, and the actor has no other thread whose locks the child would lack.
    match unsafe { libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(prctl::set_pdeathsig(Signal::SIGKILL).map(|()| 0)?),
        pid => Ok(pid as i32),
    }
}

/// Ends the process without what the C library does at its end for the one that it is a copy of.
fn exit(status: i32) -> ! {
    // SAFETY: it takes a number, and does not return.
    unsafe { libc::_exit(status) }
}
