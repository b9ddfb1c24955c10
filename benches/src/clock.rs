//! The clock of the read side, and the cores that the threads run on.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The CPU time of the calling thread in nanoseconds: what other tenants of the machine take does not count.
pub fn thread_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The cores that this process may run on, in ascending order.
pub fn cores() -> Vec<usize> {
    let allowed = sched_getaffinity(None);
    let is_set = |core: &usize| allowed.as_ref().is_ok_and(|allowed| allowed.is_set(*core));
    (0..CpuSet::MAX_CPU).filter(is_set).collect()
}

/// Keeps the calling thread on one core; where that is not allowed it moves on freely.
pub fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    let _ = sched_setaffinity(None, &set);
}
