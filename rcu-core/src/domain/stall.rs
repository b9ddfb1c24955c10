//! What is told of a grace period that does not end: who holds it back.

use std::string::String;
use std::time::Duration;

/// A reader that has held a grace period back for long.
///
/// Given to the hook of [`Domain::set_stall_hook`](crate::Domain::set_stall_hook), each time that the settable time has passed again.
#[derive(Clone, Debug)]
pub struct Stall {
    /// How long the grace period has been waiting.
    pub waited: Duration,
    /// The reader's kernel thread id (`gettid(2)`).
    pub tid: u32,
    /// The reader's name (`/proc/self/task/TID/comm`: the first 15 bytes of a Rust thread's name); empty where it cannot be read.
    pub thread: String,
}

impl Stall {
    #[cfg(not(loom))]
    pub(crate) fn of(tid: u32, waited: Duration) -> Self {
        let comm = std::fs::read_to_string(std::format!("/proc/self/task/{tid}/comm"));
        Self { waited, tid, thread: comm.map(|name| name.trim_end().into()).unwrap_or_default() }
    }
}

/// When and how a stall is told.
#[derive(Clone, Copy)]
pub(crate) struct StallHook {
    pub(crate) after: Duration,
    pub(crate) hook: fn(&Stall),
}

/// The hook that nobody set: one line on the standard error.
pub(crate) fn print(stall: &Stall) {
    std::eprintln!(
        "rcu-core: a grace period has waited {:.1} s for a reader: thread {} ({:?})",
        stall.waited.as_secs_f64(),
        stall.tid,
        stall.thread
    );
}

/// The calling thread's kernel thread id.
pub(crate) fn tid() -> u32 {
    #[cfg(not(loom))]
    // SAFETY: the call takes and touches nothing.
    return unsafe { libc::gettid() } as u32;
    #[cfg(loom)]
    return 0;
}
