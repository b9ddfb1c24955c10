//! A thread that the calling thread traces already, for a purpose of its own: what a checkpoint tool has stopped.

use std::cell::Cell;
use std::io;
use std::marker::PhantomData;

use semundo_core::plan::Op;

use super::Error;
use super::arch::{Arch, Registers};
use super::batch::Made;
use super::call::Caller;
use super::held::{self, Held, Runs};
use super::ptrace::{self, Event, How};
use super::seccomp::Seccomp;
use super::tracer::Semop;
use crate::processes::Status;

/// So few calls are made one by one: a run of many takes a mapping more.
const FEW: usize = 3;

/// How many calls a run makes at most: of the largest, they take some MiB.
const MANY: usize = 1000;

/// A thread that another purpose stopped and that makes calls meanwhile. When this is released or dropped, it stands still as before,
/// traced by the same thread.
#[derive(Debug)]
pub struct Adopted {
    caller: Caller<Thread>,
}

/// Takes over a thread that the calling thread traces (`PTRACE_SEIZE`) and that stands still: in the stop at a
/// system call's end, at a signal's delivery, or one that was asked for; not at a system call's begin.
///
/// The status is that of the thread since it stands still. A seccomp filter of it must be suspended (`PTRACE_O_SUSPEND_SECCOMP`). A
/// `SIGSTOP` that waits for it waits afterwards, too.
pub fn adopt(status: &Status) -> Result<Adopted, Error> {
    if !Registers::SUPPORTED {
        return Err(Error::Architecture);
    }
    let Status { tid, tgid, ignored, pending, .. } = *status;
    // A trap that is ignored gets the default action for ever (kernel/signal.c: force_sig_info_to_task), and one that waits would be
    // taken for one of ours.
    let may_trap = (ignored | pending) & ptrace::bit(libc::SIGTRAP) == 0;
    let thread = Thread { tid, tgid, may_trap, stopped: Cell::new(false), is_of_this_thread: PhantomData };
    if !thread.registers()?.is_64_bit() {
        return Err(Error::Bits32(tid));
    }
    Ok(Adopted { caller: Caller::new(thread) })
}

/// Makes a thread go on sleeping in `semop(2)` or `semtimedop(2)`, which it left only to stand still for its tracer: the calling thread,
/// which has stopped it by `PTRACE_INTERRUPT`. Whether it was in one of these calls.
///
/// These calls fail with `EINTR` when their thread is stopped (`signal(7)`). They do all the same where a handler waits to be run.
pub fn restart_semop(tid: i32) -> Result<bool, Error> {
    if !Registers::SUPPORTED {
        return Ok(false);
    }
    let registers = held::check(tid, "PTRACE_GETREGS", Registers::get(tid))?;
    if !matches!(registers.call(), Some(libc::SYS_semop | libc::SYS_semtimedop)) {
        return Ok(false);
    }
    let Some(restarting) = registers.restarting() else { return Ok(false) };
    // A stop signal is not the tracer's: what it makes fail has failed.
    if !held::check(tid, "PTRACE_GETSIGINFO", ptrace::was_asked_to_park(tid))? {
        return Ok(false);
    }
    let status = Status::of(tid).ok_or(Error::Died(tid))?;
    if status.pending & !status.blocked & status.handled != 0 {
        return Ok(false);
    }
    held::check(tid, "PTRACE_SETREGS", restarting.set(tid))?;
    Ok(true)
}

impl Adopted {
    /// Makes the thread call `semop(2)`. The inner error is the errno of the call, which then changed nothing.
    pub fn semop(&mut self, semid: i32, ops: &[Op]) -> Result<io::Result<()>, Error> {
        self.caller.semop(&Semop::new(semid, ops))
    }

    /// Makes calls one after the other, until one fails: how many succeeded, and the errno of the one that did not.
    pub fn semops(&mut self, calls: &[(i32, Vec<Op>)]) -> Result<(usize, io::Result<()>), Error> {
        let mut made = 0;
        for part in calls.chunks(MANY) {
            let part: Vec<_> = part.iter().map(|(semid, ops)| Semop::new(*semid, ops)).collect();
            let at_once = if part.len() > FEW { self.caller.semops(&part)? } else { None };
            let Made { calls, errno } = match at_once {
                Some(made) => made,
                None => self.one_by_one(&part)?,
            };
            made += calls;
            if let Some(errno) = errno {
                return Ok((made, Err(io::Error::from_raw_os_error(errno))));
            }
        }
        Ok((made, Ok(())))
    }

    fn one_by_one(&mut self, calls: &[Semop]) -> Result<Made, Error> {
        for (number, call) in calls.iter().enumerate() {
            if let Err(error) = self.caller.semop(call)? {
                return Ok(Made { calls: number, errno: error.raw_os_error() });
            }
        }
        Ok(Made { calls: calls.len(), errno: None })
    }

    /// Gives the thread an undo list of its own, an empty one; where it was the last that had the one that it leaves, that is applied
    /// (`unshare(2)`: `CLONE_SYSVSEM`).
    pub fn unshare_undo_list(&mut self) -> Result<io::Result<()>, Error> {
        let unshared = self.caller.call(libc::SYS_unshare, [libc::CLONE_SYSVSEM as u64, 0, 0, 0, 0, 0])?;
        Ok(unshared.map(drop))
    }

    /// Ends it: the process has no memory of ours any more.
    pub fn release(mut self) -> Result<(), Error> {
        self.caller.unmap()
    }
}

impl Drop for Adopted {
    fn drop(&mut self) {
        // Nobody is left to be told; and released before, there is nothing to unmap.
        let _ = self.caller.unmap();
        self.caller.held().queue_stop();
    }
}

/// The thread, and what came in its way.
#[derive(Debug)]
struct Thread {
    tid: i32,
    tgid: i32,
    may_trap: bool,
    /// Whether a `SIGSTOP` was taken from it.
    stopped: Cell<bool>,
    /// Only the tracer, which is a thread, can do anything with it.
    is_of_this_thread: PhantomData<*const ()>,
}

impl Thread {
    /// Lets it go on until an event that ends what it was let go for.
    fn go(&self, how: How, is_end: impl Fn(Event) -> bool) -> Result<(), Error> {
        loop {
            self.check("PTRACE_CONT", ptrace::resume(self.tid, how, 0))?;
            match self.stop()? {
                event if is_end(event) => return Ok(()),
                // Cannot be blocked.
                Event::Signal(libc::SIGSTOP) => self.stopped.set(true),
                Event::Parked(_) => {}
                Event::Signal(signal) => {
                    let what = format!("it got signal {signal} instead of making the call");
                    return Err(Error::Unexpected { tid: self.tid, what });
                }
                Event::Call => {
                    let what = "it made a call that it was not to make".to_owned();
                    return Err(Error::Unexpected { tid: self.tid, what });
                }
            }
        }
    }

    /// Waits until it stands still.
    fn stop(&self) -> Result<Event, Error> {
        match self.check("waitid(2)", ptrace::wait(self.tid))? {
            Event::Signal(libc::SIGTRAP) if self.check("PTRACE_GETSIGINFO", ptrace::is_at_call(self.tid))? => {
                Ok(Event::Call)
            }
            event => Ok(event),
        }
    }

    /// Lets the `SIGSTOP` wait again that was taken from it.
    fn queue_stop(&self) {
        if self.stopped.take() {
            // SAFETY: takes numbers only. The process is there as long as its thread is traced.
            unsafe { libc::kill(self.tgid, libc::SIGSTOP) };
        }
    }
}

impl Held for Thread {
    fn tid(&self) -> i32 {
        self.tid
    }

    fn seccomp(&self) -> Seccomp {
        Seccomp::Off
    }

    fn to_block(&self) -> u64 {
        if self.may_trap { ptrace::ALL_SIGNALS & !ptrace::bit(libc::SIGTRAP) } else { ptrace::ALL_SIGNALS }
    }

    fn run_call(&self, registers: &Registers) -> Result<(), Error> {
        self.set_registers(registers)?;
        if self.may_trap {
            // One stop instead of two.
            return self.go(How::Step, |event| event == Event::Signal(libc::SIGTRAP));
        }
        self.go(How::ToCall, |event| event == Event::Call)?;
        self.go(How::ToCall, |event| event == Event::Call)
    }
}

impl Runs for Thread {
    fn may_trap(&self) -> bool {
        self.may_trap
    }

    fn run_to_trap(&self, registers: &Registers) -> Result<(), Error> {
        self.set_registers(registers)?;
        self.go(How::Freely, |event| event == Event::Signal(libc::SIGTRAP))
    }
}
