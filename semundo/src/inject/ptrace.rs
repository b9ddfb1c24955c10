//! The requests of `ptrace(2)` and the wait for a stop, as safe functions. Those that are safe by themselves come from nix.
//!
//! Threads are named by their ids, and must be traced by the calling thread, and stand still where the manual says so: else `ESRCH`.

use std::ffi::{c_int, c_long};
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::thread;

use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;

/// `include/uapi/linux/ptrace.h`, each missing in libc for some C library.
const PTRACE_EVENT_STOP: c_int = 128;
const PTRACE_GETSIGMASK: c_long = 0x420a;
const PTRACE_SETSIGMASK: c_long = 0x420b;
const PTRACE_SECCOMP_GET_FILTER: c_long = 0x420c;
const PTRACE_GET_RSEQ_CONFIGURATION: c_long = 0x420f;
const PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG: c_long = 0x4211;

/// How often a thread is looked at before its tracer sleeps: waking up takes longer than most calls.
pub(super) const EAGER: u32 = 200;

/// All signals, as the kernel's `sigset_t`.
pub(super) const ALL_SIGNALS: u64 = u64::MAX;

/// A set of one signal.
pub(super) const fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// Why a thread stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// It was asked to (`PTRACE_EVENT_STOP`), and is where the kernel handles signals. By `SIGTRAP`, or by the stop signal
    /// that stopped the process.
    Parked(c_int),
    /// It is about to make a system call.
    Call,
    /// It is about to get a signal, which it gets only if it is resumed with it.
    Signal(c_int),
}

/// How far a thread goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// Until it makes a system call.
    ToCall,
    /// One instruction, and if that makes a system call, to that one's end; then it gets a `SIGTRAP`.
    Step,
    /// Until it stops for another reason.
    Freely,
}

/// Begins to trace, without a stop.
pub(super) fn seize(tid: i32) -> io::Result<()> {
    Ok(ptrace::seize(Pid::from_raw(tid), Options::PTRACE_O_TRACESYSGOOD)?)
}

/// Asks it to park.
pub(super) fn interrupt(tid: i32) -> io::Result<()> {
    Ok(ptrace::interrupt(Pid::from_raw(tid))?)
}

/// Ends the tracing; it goes on.
pub(super) fn detach(tid: i32) -> io::Result<()> {
    Ok(ptrace::detach(Pid::from_raw(tid), None)?)
}

/// Lets it go on, with a signal or with 0 for none.
pub(super) fn resume(tid: i32, how: How, signal: c_int) -> io::Result<()> {
    let request = match how {
        How::ToCall => libc::PTRACE_SYSCALL,
        How::Step => libc::PTRACE_SINGLESTEP,
        How::Freely => libc::PTRACE_CONT,
    };
    // SAFETY: the requests take numbers only.
    unsafe { raw(request.into(), tid, 0, signal as usize) }.map(drop)
}

/// The signals that it blocks.
pub(super) fn signal_mask(tid: i32) -> io::Result<u64> {
    let mut mask = 0u64;
    // SAFETY: the kernel writes as many bytes to `data` as `addr` says: a `u64`, which `mask` is.
    unsafe { raw(PTRACE_GETSIGMASK, tid, size_of::<u64>(), &raw mut mask as usize) }?;
    Ok(mask)
}

/// Sets the signals that it blocks; `SIGKILL` and `SIGSTOP` never are.
pub(super) fn set_signal_mask(tid: i32, mask: u64) -> io::Result<()> {
    // SAFETY: the kernel reads as many bytes from `data` as `addr` says: a `u64`, which `mask` is.
    unsafe { raw(PTRACE_SETSIGMASK, tid, size_of::<u64>(), &raw const mask as usize) }.map(drop)
}

/// The address of its `struct rseq`; 0 for none. `EIO` before Linux 5.13.
pub(super) fn rseq_address(tid: i32) -> io::Result<u64> {
    // struct ptrace_rseq_configuration: the address comes first.
    let mut configuration = [0u64; 3];
    let size = size_of_val(&configuration);
    // SAFETY: the kernel writes at most as many bytes to `data` as `addr` says, the size of `configuration`.
    unsafe { raw(PTRACE_GET_RSEQ_CONFIGURATION, tid, size, &raw mut configuration as usize) }?;
    Ok(configuration[0])
}

/// Whether its system calls may become signals (`prctl(2)`: `PR_SET_SYSCALL_USER_DISPATCH`). `EIO` before Linux 6.4.
pub(super) fn dispatches_calls(tid: i32) -> io::Result<bool> {
    // struct ptrace_sud_config: the mode comes first, 0 for off.
    let mut configuration = [0u64; 4];
    let size = size_of_val(&configuration);
    // SAFETY: `addr` must be the size of the structure, which the kernel writes to `data`: that of `configuration`.
    unsafe { raw(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, tid, size, &raw mut configuration as usize) }?;
    Ok(configuration[0] != 0)
}

/// One of its seccomp filters, counted from the newest; `ENOENT` where it has not that many. Takes `CAP_SYS_ADMIN`.
pub(super) fn seccomp_filter(tid: i32, index: usize) -> io::Result<Vec<libc::sock_filter>> {
    // SAFETY: without a buffer the kernel only answers how many instructions there are.
    let len = unsafe { raw(PTRACE_SECCOMP_GET_FILTER, tid, index, 0) }? as usize;
    let mut filter = vec![libc::sock_filter { code: 0, jt: 0, jf: 0, k: 0 }; len];
    // SAFETY: the kernel writes as many instructions as it just said, since a filter never changes, nor its place while the thread
    // stands still; and `filter` has as many.
    unsafe { raw(PTRACE_SECCOMP_GET_FILTER, tid, index, filter.as_mut_ptr() as usize) }?;
    Ok(filter)
}

/// Looks whether it stands still. `ESRCH`: it has ended.
///
/// The report is left where it is: that of the end is for whoever is the parent, and that of a stop goes with the stop.
pub(super) fn poll(tid: i32) -> io::Result<Option<Event>> {
    report(tid, libc::WNOHANG | libc::WNOWAIT)
}

/// Waits until it stands still, and takes the report. `ESRCH`: it has ended.
pub(super) fn wait(tid: i32) -> io::Result<Event> {
    for _ in 0..EAGER {
        if let Some(event) = report(tid, libc::WNOHANG)? {
            return Ok(event);
        }
        thread::yield_now();
    }
    loop {
        if let Some(event) = report(tid, 0)? {
            return Ok(event);
        }
    }
}

/// What there is to report; `None` for nothing, or where a signal came.
fn report(tid: i32, options: c_int) -> io::Result<Option<Event>> {
    let options = libc::WSTOPPED | libc::WEXITED | libc::__WALL | libc::__WNOTHREAD | options;
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: the kernel writes one `siginfo_t`.
    let result = unsafe { libc::waitid(libc::P_PID, tid as libc::id_t, info.as_mut_ptr(), options) };
    if result == -1 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::ECHILD) => Err(io::Error::from_raw_os_error(libc::ESRCH)),
            Some(libc::EINTR) => Ok(None),
            _ => Err(error),
        };
    }
    // SAFETY: zeroed, which is a valid `siginfo_t`, and then filled by the kernel.
    let info = unsafe { info.assume_init() };
    // SAFETY: `waitid` fills these two fields, or leaves them zero where there is nothing to report.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    match info.si_code {
        _ if pid == 0 => Ok(None),
        libc::CLD_TRAPPED | libc::CLD_STOPPED => Ok(Some(event(status))),
        _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    }
}

/// Whether it parked because its tracer asked for that, and not because a stop signal has stopped its process.
pub(super) fn was_asked_to_park(tid: i32) -> io::Result<bool> {
    let info = ptrace::getsiginfo(Pid::from_raw(tid))?;
    Ok(info.si_signo == libc::SIGTRAP && info.si_code >> 8 == PTRACE_EVENT_STOP)
}

/// Whether a `SIGTRAP` means that it is at a call, where its tracer has not asked for `PTRACE_O_TRACESYSGOOD` (`ptrace(2)`,
/// "Syscall-stops": `si_code`; `include/linux/ptrace.h: ptrace_report_syscall`).
pub(super) fn is_at_call(tid: i32) -> io::Result<bool> {
    let info = ptrace::getsiginfo(Pid::from_raw(tid))?;
    Ok(info.si_signo == libc::SIGTRAP && info.si_code == libc::SIGTRAP)
}

/// `ptrace(2)`, "Stopped states": what `status >> 8` of `waitpid(2)` is.
fn event(status: c_int) -> Event {
    match (status & 0xff, status >> 8) {
        (signal, PTRACE_EVENT_STOP) => Event::Parked(signal),
        (signal, 0) if signal == libc::SIGTRAP | 0x80 => Event::Call,
        (signal, 0) => Event::Signal(signal),
        // An event that nobody asked for.
        _ => Event::Signal(0),
    }
}

/// # Safety
///
/// `addr` and `data` must be what the request takes: where it is an address, of memory that the kernel may use as the request says.
unsafe fn raw(request: c_long, tid: i32, addr: usize, data: usize) -> io::Result<c_long> {
    // SAFETY: by the contract of this function. The system call itself, because the C libraries' wrappers differ in their types.
    match unsafe { libc::syscall(libc::SYS_ptrace, request, tid, addr, data) } {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_are_told_apart() {
        assert_eq!(event(libc::SIGTRAP | PTRACE_EVENT_STOP << 8), Event::Parked(libc::SIGTRAP));
        assert_eq!(event(libc::SIGSTOP | PTRACE_EVENT_STOP << 8), Event::Parked(libc::SIGSTOP));
        assert_eq!(event(libc::SIGTRAP | 0x80), Event::Call);
        assert_eq!(event(libc::SIGTRAP), Event::Signal(libc::SIGTRAP));
        assert_eq!(event(libc::SIGTRAP | libc::PTRACE_EVENT_EXEC << 8), Event::Signal(0));
        assert_eq!(event(64), Event::Signal(64));
    }

    #[test]
    fn who_is_not_traced_is_not_there() {
        let own = std::process::id() as i32;
        for error in [poll(own).unwrap_err(), interrupt(own).unwrap_err(), signal_mask(own).unwrap_err()] {
            assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
        }
    }
}
