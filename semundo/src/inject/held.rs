//! A traced thread that stands still, whoever brought it to that.

use std::io;

use super::Error;
use super::arch::{Arch, Registers};
use super::ptrace;
use super::seccomp::Seccomp;

/// A thread that the calling thread traces, and that stands still.
pub(super) trait Held {
    /// Its thread id.
    fn tid(&self) -> i32;

    /// What its calls are subject to.
    fn seccomp(&self) -> Seccomp;

    /// The signals that must be blocked while it runs.
    fn to_block(&self) -> u64 {
        ptrace::ALL_SIGNALS
    }

    /// Lets it run with these registers through one system call, until it stands still again.
    ///
    /// Its signals must be blocked. Also where this fails it stands still, unless it died.
    fn run_call(&self, registers: &Registers) -> Result<(), Error>;

    fn registers(&self) -> Result<Registers, Error> {
        self.check("PTRACE_GETREGS", Registers::get(self.tid()))
    }

    fn set_registers(&self, registers: &Registers) -> Result<(), Error> {
        self.check("PTRACE_SETREGS", registers.set(self.tid()))
    }

    /// [`check`] for this thread.
    fn check<T>(&self, what: &'static str, result: io::Result<T>) -> Result<T, Error> {
        check(self.tid(), what, result)
    }
}

/// The result of a request, or of an access to the files of a held thread, which fail in many ways when it was killed meanwhile.
pub(super) fn check<T>(tid: i32, what: &'static str, result: io::Result<T>) -> Result<T, Error> {
    let is_gone = |error: &io::Error| error.raw_os_error() == Some(libc::ESRCH);
    result.map_err(|source| {
        if is_gone(&source) || ptrace::signal_mask(tid).is_err_and(|error| is_gone(&error)) {
            Error::Died(tid)
        } else {
            Error::Request { tid, what, source }
        }
    })
}

/// One that may run code until a trap.
pub(super) trait Runs: Held {
    /// Whether a trap changes nothing of how the process handles it.
    fn may_trap(&self) -> bool;

    /// Lets it run with these registers until it stands still by a breakpoint instruction.
    ///
    /// Its signals must be blocked. Also where this fails it stands still, unless it died.
    fn run_to_trap(&self, registers: &Registers) -> Result<(), Error>;
}

impl<T: Held> Held for &T {
    fn tid(&self) -> i32 {
        (**self).tid()
    }

    fn seccomp(&self) -> Seccomp {
        (**self).seccomp()
    }

    fn to_block(&self) -> u64 {
        (**self).to_block()
    }

    fn run_call(&self, registers: &Registers) -> Result<(), Error> {
        (**self).run_call(registers)
    }
}
