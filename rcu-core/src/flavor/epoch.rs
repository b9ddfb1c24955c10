//! The flavor over [`crossbeam_epoch`]: portable, one process-wide domain, proven in the field.
//!
//! A section is a pinned epoch (some 10 ns).

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

use super::{Callback, Flavor, RcuHead};
use crate::callbacks::{Callbacks, Polled};

static CALLBACKS: LazyLock<Callbacks<Arc<AtomicBool>>> = LazyLock::new(Callbacks::new);

/// The default collector of `crossbeam-epoch` as an RCU flavor.
///
/// What is deferred waits in a bounded queue, as a [`Domain`](crate::Domain)'s does; crossbeam-epoch only tells when a grace period has passed.
///
/// In the child of a fork of a process with many threads it may wait for ever, for readers of threads that are gone.
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

impl Epoch {
    /// How many objects are deferred and not yet reclaimed.
    pub fn unreclaimed() -> usize {
        CALLBACKS.unreclaimed()
    }

    /// How many may be before a writer waits.
    pub fn bound() -> usize {
        CALLBACKS.bound()
    }

    /// Sets how many objects may be deferred and not yet reclaimed before a writer waits; at least 1, by default 16,384.
    pub fn set_bound(bound: usize) {
        CALLBACKS.set_bound(bound);
    }
}

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
        let passed = self.start();
        let mut rounds = 0_u32;
        while !self.poll(&passed) {
            rounds += 1;
            if rounds > 100 {
                thread::sleep(Duration::from_micros(50));
            }
        }
    }

    unsafe fn call(&self, head: NonNull<RcuHead>, callback: Callback) {
        // SAFETY: the caller's contract.
        unsafe { CALLBACKS.call(self, head, callback) };
    }

    fn barrier(&self) {
        CALLBACKS.barrier(self);
    }
}

/// A grace period is a function deferred by crossbeam-epoch that says that it ran.
impl Polled for Epoch {
    type Cookie = Arc<AtomicBool>;

    fn start(&self) -> Arc<AtomicBool> {
        let passed = Arc::new(AtomicBool::new(false));
        let signal = Arc::clone(&passed);
        let guard = crossbeam_epoch::pin();
        guard.defer(move || signal.store(true, Ordering::Release));
        guard.flush();
        passed
    }

    fn poll(&self, passed: &Arc<AtomicBool>) -> bool {
        // Each pin-and-flush lets the epoch advance by one step once its readers allow it.
        crossbeam_epoch::pin().flush();
        passed.load(Ordering::Acquire)
    }

    fn synchronize(&self) {
        Flavor::synchronize(self);
    }

    fn in_section(&self) -> bool {
        crossbeam_epoch::is_pinned()
    }
}
