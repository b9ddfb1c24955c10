//! What the engine takes from its surroundings: a lock, sleeping and waking, and two clocks.

use core::fmt;
use core::time::Duration;

use lock_api::RawMutex;

/// How callers lock, sleep and tell the time where the engine runs: `std`'s threads ([`ThreadParking`]), a kernel's tasks.
pub trait Parking: Send + Sync + 'static {
    /// The lock. No caller sleeps, allocates much or waits for a grace period while it holds one.
    type RawMutex: RawMutex + Send + Sync;
    /// Names a caller that sleeps, for those who wake it.
    type Thread: Send + Sync + fmt::Debug;
    /// A moment at which a caller stops sleeping.
    type Deadline: Copy + Send + Sync + fmt::Debug;

    /// The caller.
    fn current() -> Self::Thread;

    /// The moment that lies so far ahead; `None` where it is so far that it never comes.
    fn deadline(after: Duration) -> Option<Self::Deadline>;

    /// Sleeps until [`unpark`](Parking::unpark) or the deadline, and answers whether the deadline has passed. It may return early. An
    /// `unpark` that came before it is not lost.
    fn park(deadline: Option<Self::Deadline>) -> bool;

    /// Wakes a caller.
    fn unpark(thread: &Self::Thread);

    /// The time of day in seconds, as `sem_otime` and `sem_ctime` are (`ktime_get_real_seconds()`).
    fn seconds() -> i64;
}

/// Threads of the standard library, the locks of `parking_lot`.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug)]
pub struct ThreadParking;

#[cfg(feature = "std")]
impl Parking for ThreadParking {
    type RawMutex = parking_lot::RawMutex;
    type Thread = std::thread::Thread;
    type Deadline = std::time::Instant;

    fn current() -> std::thread::Thread {
        std::thread::current()
    }

    fn deadline(after: Duration) -> Option<std::time::Instant> {
        std::time::Instant::now().checked_add(after)
    }

    fn park(deadline: Option<std::time::Instant>) -> bool {
        match deadline {
            None => {
                std::thread::park();
                false
            }
            Some(deadline) => {
                let left = deadline.saturating_duration_since(std::time::Instant::now());
                if !left.is_zero() {
                    std::thread::park_timeout(left);
                }
                deadline <= std::time::Instant::now()
            }
        }
    }

    fn unpark(thread: &std::thread::Thread) {
        thread.unpark();
    }

    #[cfg(target_os = "linux")]
    fn seconds() -> i64 {
        // As exact as the kernel's own, and for a fraction of the time of the exact clock.
        rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse).tv_sec
    }

    #[cfg(not(target_os = "linux"))]
    fn seconds() -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }
}
