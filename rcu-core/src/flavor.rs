//! Flavors: the ways to know that a grace period has passed.
//!
//! A flavor marks read-side critical sections and tells when all that existed at some moment have ended.
//! Containers are generic over [`Flavor`]; a flavor lives in a file of its own.

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, sync::Arc};
use core::cell::UnsafeCell;
use core::ptr::{NonNull, null_mut};

#[cfg(all(feature = "epoch", not(loom)))]
pub mod epoch;
#[cfg(feature = "kernel")]
pub mod kernel;
#[cfg(all(feature = "membarrier", not(loom)))]
pub mod membarrier;
#[cfg(feature = "qsbr")]
pub mod qsbr;

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
    /// Calling it inside a section of the same flavor panics or never returns.
    fn synchronize(&self);

    /// Runs `callback(head)` once, after a grace period, on any thread: `call_rcu()`.
    ///
    /// The user-space flavors run what is due in their callers' threads, and wait where too much is deferred. So a callback must not
    /// wait for a lock that is held where something is deferred, nor for a grace period.
    ///
    /// # Safety
    ///
    /// - `head` stays valid and is used by nothing else until `callback` has run.
    /// - `callback(head)` is sound on any thread once no reader can hold a reference that it invalidates.
    unsafe fn call(&self, head: NonNull<RcuHead>, callback: Callback);

    /// Waits until everything that was deferred before has run: `rcu_barrier()`.
    ///
    /// Calling it inside a section of the same flavor, or in a callback, panics or never returns.
    fn barrier(&self);

    /// Runs `work` once, after a grace period, on any thread. As [`call`](Flavor::call), which it boxes the closure for.
    ///
    /// A panic of `work` aborts the process.
    ///
    /// ```
    /// # #[cfg(feature = "epoch")] {
    /// use rcu_core::{Flavor, flavor::epoch::Epoch};
    /// use std::sync::mpsc;
    ///
    /// let (done, waits) = mpsc::channel();
    /// Epoch.defer(move || done.send("reclaimed").unwrap());
    /// Epoch.barrier();
    /// assert_eq!(waits.try_recv(), Ok("reclaimed"));
    /// # }
    /// ```
    #[cfg(feature = "alloc")]
    fn defer<W: FnOnce() + Send + 'static>(&self, work: W)
    where
        Self: Sized,
    {
        let deferred = NonNull::from(Box::leak(Box::new(Deferred { rcu: RcuHead::new(), work })));
        // SAFETY: the box was leaked to the callback alone, which any thread may run.
        unsafe { self.call(deferred.cast(), run::<W>) };
    }
}

/// A boxed closure, headed by what defers it.
#[cfg(feature = "alloc")]
#[repr(C)]
struct Deferred<W> {
    rcu: RcuHead,
    work: W,
}

/// # Safety
///
/// `head` is the head of a boxed [`Deferred`] that nobody else uses.
#[cfg(feature = "alloc")]
unsafe extern "C" fn run<W: FnOnce()>(head: *mut RcuHead) {
    // SAFETY: by contract; the head is the first field.
    let deferred = unsafe { Box::from_raw(head.cast::<Deferred<W>>()) };
    (deferred.work)();
}

macro_rules! by_reference {
    ($($(#[$condition:meta])* $reference:ty;)*) => { $(
        $(#[$condition])*
        // SAFETY: every method is that of the flavor behind the reference.
        unsafe impl<F: Flavor> Flavor for $reference {
            type Guard<'a>
                = F::Guard<'a>
            where
                Self: 'a;

            #[inline]
            fn read_lock(&self) -> F::Guard<'_> {
                F::read_lock(self)
            }

            #[inline]
            fn owns(&self, guard: &F::Guard<'_>) -> bool {
                F::owns(self, guard)
            }

            fn synchronize(&self) {
                F::synchronize(self);
            }

            unsafe fn call(&self, head: NonNull<RcuHead>, callback: Callback) {
                // SAFETY: the caller's contract.
                unsafe { F::call(self, head, callback) };
            }

            fn barrier(&self) {
                F::barrier(self);
            }
        }
    )* };
}

by_reference! {
    &F;
    #[cfg(feature = "alloc")]
    Arc<F>;
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

/// What owners of heads do with them.
#[cfg(feature = "alloc")]
impl RcuHead {
    /// Links the head to another.
    ///
    /// # Safety
    ///
    /// The head is the caller's alone.
    pub(crate) unsafe fn set_next(&self, next: *mut RcuHead) {
        // SAFETY: nobody else uses the field (contract).
        unsafe { *self.next.get() = next };
    }

    /// What [`set_next`](RcuHead::set_next) has linked it to.
    ///
    /// # Safety
    ///
    /// As [`set_next`](RcuHead::set_next).
    pub(crate) unsafe fn next(&self) -> *mut RcuHead {
        // SAFETY: as in `set_next`.
        unsafe { *self.next.get() }
    }
}

/// What the queues of user space do with heads.
#[cfg(any(feature = "membarrier", feature = "qsbr", feature = "epoch"))]
impl RcuHead {
    /// # Safety
    ///
    /// As [`set_next`](RcuHead::set_next).
    pub(crate) unsafe fn set_callback(&self, callback: Callback) {
        // SAFETY: nobody else uses the field (contract).
        unsafe { *self.func.get() = Some(callback) };
    }

    /// Runs the callback, which consumes the head.
    ///
    /// # Safety
    ///
    /// The head is the caller's alone. It has a callback, which was not run since it was set; its grace period has passed.
    pub(crate) unsafe fn run(head: NonNull<RcuHead>) {
        // SAFETY: the callback was given with this head to `Flavor::call`, whose contract allows it now.
        unsafe {
            let callback = *head.as_ref().func.get();
            callback.expect("set before")(head.as_ptr());
        }
    }
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
