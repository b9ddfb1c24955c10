//! The fastest flavor with sections: readers execute no barrier, grace periods make all threads execute one.
//!
//! A section is two plain stores to a cache line of the thread's own. A grace period is one `membarrier(2)` and a look at each thread.

use core::ptr::NonNull;
use std::sync::LazyLock;

use super::{Callback, Flavor, RcuHead};
use crate::domain::{Domain, Guard, MEMBARRIER_ID, Options, local};

static DOMAIN: LazyLock<Domain> = LazyLock::new(|| Domain::with_id(MEMBARRIER_ID, Options::default()));

/// The process-wide domain, whose readers take the shortest way.
///
/// Threads register with their first section and unregister when they end. Where the kernel has no `membarrier(2)`, readers execute
/// full fences: [`Strategy::of_process`](crate::domain::Strategy::of_process) tells.
///
/// ```
/// use rcu_core::{Flavor, flavor::membarrier::Membarrier};
///
/// let guard = Membarrier.read_lock();
/// let nested = Membarrier.read_lock();
/// drop((guard, nested));
/// Membarrier.synchronize();
/// assert!(Membarrier::domain().grace_periods() >= 1);
/// ```
///
/// A guard stays on its thread:
///
/// ```compile_fail,E0277
/// use rcu_core::{Flavor, flavor::membarrier::Membarrier};
///
/// let guard = Membarrier.read_lock();
/// std::thread::spawn(move || drop(guard));
/// ```
///
/// A thread does not wait for itself:
///
/// ```should_panic
/// use rcu_core::{Flavor, flavor::membarrier::Membarrier};
///
/// let guard = Membarrier.read_lock();
/// Membarrier.synchronize();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Membarrier;

impl Membarrier {
    /// The domain itself, with its bound, its stall hook, its counts and its registered readers.
    #[inline]
    pub fn domain() -> &'static Domain {
        &DOMAIN
    }
}

// SAFETY: all is the domain's, which is a flavor.
unsafe impl Flavor for Membarrier {
    type Guard<'a> = Guard<'a>;

    #[inline]
    fn read_lock(&self) -> Guard<'_> {
        local::read_lock_default()
    }

    #[inline]
    fn owns(&self, guard: &Guard<'_>) -> bool {
        guard.slot.domain() == MEMBARRIER_ID
    }

    fn synchronize(&self) {
        Self::domain().synchronize();
    }

    unsafe fn call(&self, head: NonNull<RcuHead>, callback: Callback) {
        // SAFETY: the caller's contract.
        unsafe { Self::domain().call(head, callback) };
    }

    fn barrier(&self) {
        Self::domain().barrier();
    }
}
