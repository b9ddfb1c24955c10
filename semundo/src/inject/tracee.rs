//! One traced thread: how it is stopped, and let go.

use std::io;
use std::thread;
use std::time::Duration;

use super::Error;
use super::access;
use super::arch::{Arch, Registers};
use super::held::Held;
use super::ptrace::{self, EAGER, Event, How};
use super::seccomp::Seccomp;
use crate::processes::{self, Status};

/// How long the tracer sleeps between two looks, after the eager ones.
const PAUSE: Duration = Duration::from_micros(200);

/// After how many looks a thread is given up that is to stop or to begin a call: two seconds and more. Counted, so that the time does not
/// pass in which the machine does not run, or the tracer.
const LIMIT: u32 = 10_000;

/// A thread that the calling thread traces. Its drop lets it go if it stands still; the end of the calling thread does in any case.
#[derive(Debug)]
pub(super) struct Tracee {
    tid: i32,
}

impl Tracee {
    /// Asks it to stop.
    pub(super) fn seize(tid: i32) -> Result<Self, Error> {
        let status = Status::of(tid).filter(Status::is_alive).ok_or(Error::NotFound(tid))?;
        if status.is_own() {
            return Err(Error::Own(tid));
        }
        if access::is_32_bit(tid) {
            return Err(Error::Bits32(tid));
        }
        ptrace::seize(tid).map_err(|error| why_not(tid, error))?;
        let tracee = Self { tid };
        tracee.interrupt()?;
        Ok(tracee)
    }

    /// Waits until it stands still, and makes the call restart that it was in.
    pub(super) fn stop(&self) -> Result<(), Error> {
        let by = self.park(Some(LIMIT))?;
        let registers = self.registers()?;
        if !registers.is_64_bit() {
            return Err(Error::Bits32(self.tid));
        }
        // A stop signal is not of ours: what it makes fail has failed.
        match registers.restarting().filter(|_| by == libc::SIGTRAP) {
            Some(restarting) => self.set_registers(&restarting),
            None => Ok(()),
        }
    }

    /// Lets it go on.
    pub(super) fn release(self) -> Result<(), Error> {
        let released = self.check("PTRACE_DETACH", ptrace::detach(self.tid));
        std::mem::forget(self);
        released
    }

    /// Waits until it is parked, which was asked for. Signals that come first are delivered. Answers by which signal: `SIGTRAP`, or a
    /// stop signal where one has stopped the process.
    fn park(&self, limit: Option<u32>) -> Result<i32, Error> {
        loop {
            match self.wait(limit)?.ok_or(Error::Stuck(self.tid))? {
                Event::Parked(by) => return Ok(by),
                Event::Signal(signal) => self.resume_to_park(signal)?,
                Event::Call => self.resume_to_park(0)?,
            }
        }
    }

    /// Goes on from another stop, which took the place of a park that was asked for before (`kernel/signal.c`: `ptrace_stop`).
    fn resume_to_park(&self, signal: i32) -> Result<(), Error> {
        self.interrupt()?;
        self.resume(How::Freely, signal)
    }

    fn interrupt(&self) -> Result<(), Error> {
        self.check("PTRACE_INTERRUPT", ptrace::interrupt(self.tid))
    }

    fn resume(&self, how: How, signal: i32) -> Result<(), Error> {
        self.check("PTRACE_CONT", ptrace::resume(self.tid, how, signal))
    }

    /// The next stop; `None` where there is none after so many looks.
    fn wait(&self, limit: Option<u32>) -> Result<Option<Event>, Error> {
        let mut looks = 0u32;
        loop {
            if let Some(event) = self.check("waitid(2)", ptrace::poll(self.tid))? {
                return Ok(Some(event));
            }
            looks = looks.saturating_add(1);
            if looks < EAGER {
                thread::yield_now();
            } else if !processes::is_alive(self.tid) {
                // The first thread of a process with others: its end is not reported before theirs.
                return Err(Error::Died(self.tid));
            } else if limit.is_some_and(|limit| looks >= limit) {
                return Ok(None);
            } else {
                thread::sleep(PAUSE);
            }
        }
    }
}

impl Held for Tracee {
    fn tid(&self) -> i32 {
        self.tid
    }

    fn seccomp(&self) -> Seccomp {
        Seccomp::of(self.tid)
    }

    /// From where it is parked, until it is parked again.
    fn run_call(&self, registers: &Registers) -> Result<(), Error> {
        self.set_registers(registers)?;
        let (mut limit, mut signal) = (Some(LIMIT), 0);
        self.resume(How::ToCall, signal)?;
        loop {
            match self.wait(limit)? {
                Some(Event::Call) => break,
                // One whose cgroup is frozen does not get as far as the call, but it parks.
                None => {
                    limit = None;
                    self.interrupt()?;
                    continue;
                }
                Some(Event::Parked(_)) if limit.is_none() => return Err(Error::Stuck(self.tid)),
                // It was asked for before, or for another reason, as by SIGCONT.
                Some(Event::Parked(_)) => signal = 0,
                // Cannot be blocked. The process stops as soon as it is released.
                Some(Event::Signal(libc::SIGSTOP)) => signal = libc::SIGSTOP,
                Some(Event::Signal(forced)) => {
                    self.resume_to_park(0)?;
                    self.park(None)?;
                    let what = format!("it got signal {forced} instead of making the call");
                    return Err(Error::Unexpected { tid: self.tid, what });
                }
            }
            self.resume(How::ToCall, signal)?;
        }
        // No limit: it is in the kernel, and comes out with registers that nobody else can set back.
        self.resume_to_park(0)?;
        self.park(None).map(drop)
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        // It may not stand still, or be gone.
        let _ = ptrace::detach(self.tid);
    }
}

/// Why a thread could not be seized.
fn why_not(tid: i32, error: io::Error) -> Error {
    match (error.raw_os_error(), Status::of(tid).filter(Status::is_alive)) {
        (_, None) | (Some(libc::ESRCH), _) => Error::NotFound(tid),
        (Some(libc::EPERM | libc::EACCES), Some(status)) => match status.tracer {
            0 => Error::Denied { tid, why: access::why_denied() },
            tracer => Error::Traced { tid, tracer: Status::of(tracer).map_or(tracer, |status| status.tgid) },
        },
        _ => Error::Request { tid, what: "PTRACE_SEIZE", source: error },
    }
}
