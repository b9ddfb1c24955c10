//! The flavor over [`crossbeam_epoch`]: portable, one process-wide domain, proven in the field.
//!
//! A section is a pinned epoch (some 10 ns). Reclamation is driven by threads that pin and flush.

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{Callback, Flavor, RcuHead};

/// The default collector of `crossbeam-epoch` as an RCU flavor.
///
/// What a thread defers with [`call`](Flavor::call) waits in that thread's own bag until it enters sections often enough, calls
/// [`synchronize`](Flavor::synchronize), or exits. It then runs wherever a thread enters a section, so it must not lock what
/// that thread may hold.
///
/// ```
/// use rcu_core::{Flavor, flavor::epoch::Epoch};
///
/// let guard = Epoch.read_lock();
/// drop(guard);
/// Epoch.synchronize();
/// ```
///
/// A guard stays on its thread:
///
/// ```compile_fail,E0277
/// use rcu_core::{Flavor, flavor::epoch::Epoch};
///
/// let guard = Epoch.read_lock();
/// std::thread::spawn(move || drop(guard));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Epoch;

/// A read-side critical section of [`Epoch`].
#[derive(Debug)]
#[must_use = "the read-side critical section ends when the guard is dropped"]
pub struct EpochGuard<'a> {
    _pinned: crossbeam_epoch::Guard,
    _domain: PhantomData<&'a Epoch>,
}

// SAFETY: a deferred function of crossbeam-epoch runs only when the global epoch has advanced twice since it was
// deferred, and a pinned participant of an earlier epoch holds the epoch back; the epoch's own fences give the
// ordering. `crossbeam_epoch::Guard` is not `Send`.
unsafe impl Flavor for Epoch {
    type Guard<'a> = EpochGuard<'a>;

    #[inline]
    fn read_lock(&self) -> EpochGuard<'_> {
        EpochGuard { _pinned: crossbeam_epoch::pin(), _domain: PhantomData }
    }

    #[inline]
    fn owns(&self, _guard: &EpochGuard<'_>) -> bool {
        true
    }

    fn synchronize(&self) {
        let passed = Arc::new(AtomicBool::new(false));
        let signal = Arc::clone(&passed);
        crossbeam_epoch::pin().defer(move || signal.store(true, Ordering::Release));
        let mut rounds = 0_u32;
        while !passed.load(Ordering::Acquire) {
            // Each pin-and-flush lets the epoch advance by one step once its readers allow it.
            crossbeam_epoch::pin().flush();
            rounds += 1;
            if rounds < 100 {
                thread::yield_now();
            } else {
                thread::sleep(Duration::from_micros(100));
            }
        }
    }

    unsafe fn call(&self, head: NonNull<RcuHead>, callback: Callback) {
        let guard = crossbeam_epoch::pin();
        // SAFETY: by the contract of `call` the closure may run on any thread after a grace period.
        unsafe { guard.defer_unchecked(move || callback(head.as_ptr())) };
    }
}
