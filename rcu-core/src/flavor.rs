//! Flavors: the ways to know that a grace period has passed.
//!
//! A flavor marks read-side critical sections and tells when all that existed at some moment have ended.
//! Containers are generic over [`Flavor`]; a flavor lives in a file of its own.

use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};

#[cfg(feature = "epoch")]
pub mod epoch;
#[cfg(feature = "kernel")]
pub mod kernel;

/// A callback that runs after a grace period.
///
/// It gets the head that was passed to [`Flavor::call`]. The C ABI is what a kernel's `call_rcu` calls.
pub type Callback = unsafe extern "C" fn(*mut RcuHead);

/// A read-copy-update implementation.
///
/// # Safety
///
/// An implementation promises the RCU guarantee: let `s` be a read-side critical section of this flavor that
/// began before a call of [`synchronize`](Flavor::synchronize) (or [`call`](Flavor::call)). Then everything in `s`
/// happens before `synchronize` returns (or the callback runs). Everything before the call happens before
/// whatever a section does that ends after `synchronize` returned or the callback ran.
/// A guard marks such a section from its creation to its drop and cannot be sent to another thread.
pub unsafe trait Flavor {
    /// Marks a read-side critical section while it lives. Sections nest. Not `Send`.
    type Guard<'a>
    where
        Self: 'a;

    /// Enters a read-side critical section: `rcu_read_lock()`.
    fn read_lock(&self) -> Self::Guard<'_>;

    /// Says whether `guard` protects readers of this very domain.
    ///
    /// A flavor with one process-wide domain answers `true`; one with separate domains compares, so that a
    /// container can refuse a foreign guard.
    fn owns(&self, guard: &Self::Guard<'_>) -> bool;

    /// Waits until every read-side critical section that exists now has ended: `synchronize_rcu()`.
    ///
    /// Calling it inside a section of the same flavor never returns.
    fn synchronize(&self);

    /// Runs `callback(head)` once, after a grace period, on any thread: `call_rcu()`. Does not wait.
    ///
    /// # Safety
    ///
    /// - `head` stays valid and is used by nothing else until `callback` has run.
    /// - `callback(head)` is sound on any thread once no reader can hold a reference that it invalidates.
    unsafe fn call(&self, head: NonNull<RcuHead>, callback: Callback);
}

/// What an object embeds to be reclaimed by [`Flavor::call`]; laid out as the kernel's `struct callback_head`.
///
/// Embedding it makes deferring free of allocation, so it cannot fail.
#[repr(C)]
#[derive(Debug)]
pub struct RcuHead {
    next: UnsafeCell<*mut RcuHead>,
    func: UnsafeCell<Option<Callback>>,
}

// SAFETY: the fields are private and only the flavor that was given the head by `Flavor::call` writes them,
// whose contract makes it the head's only user.
unsafe impl Send for RcuHead {}
// SAFETY: as above; a shared reference gives no access to the fields.
unsafe impl Sync for RcuHead {}

impl RcuHead {
    /// A head that waits for nothing yet.
    pub const fn new() -> Self {
        Self { next: UnsafeCell::new(null_mut()), func: UnsafeCell::new(None) }
    }
}

impl Default for RcuHead {
    fn default() -> Self {
        Self::new()
    }
}
