//! The flavor of a kernel: `rcu_read_lock`, `synchronize_rcu`, `call_rcu`, through five C functions.
//!
//! The kernel's read side is inline C, so whoever links this crate provides those of the functions below that it uses (`kmod` does in its
//! shim; a user-space test provides a mock).

use core::marker::PhantomData;
use core::ptr::NonNull;

use super::{Callback, Flavor, RcuHead};

unsafe extern "C" {
    safe fn rcu_core_read_lock();
    fn rcu_core_read_unlock();
    safe fn rcu_core_synchronize();
    fn rcu_core_call(head: *mut RcuHead, callback: Callback);
    safe fn rcu_core_barrier();
}

/// The kernel's RCU.
///
/// The linked program provides, with C linkage and the kernel's meaning: `void rcu_core_read_lock(void)`,
/// `void rcu_core_read_unlock(void)`, `void rcu_core_synchronize(void)`,
/// `void rcu_core_call(struct rcu_head *, void (*)(struct rcu_head *))` and `void rcu_core_barrier(void)`; those of them that the program uses.
///
/// `rcu_core_synchronize` must not return to a caller that is inside a section. A kernel without preemptible RCU does not
/// notice one by itself: its provider checks, and panics.
///
/// A guard stays on its thread:
///
/// ```compile_fail,E0277
/// use rcu_core::{Flavor, flavor::kernel::Kernel};
///
/// let guard = Kernel.read_lock();
/// std::thread::spawn(move || drop(guard));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Kernel;

/// A read-side critical section of [`Kernel`].
///
/// # Invariants
///
/// Each guard stands for one `rcu_core_read_lock()` of its thread that no `rcu_core_read_unlock()` has ended.
#[derive(Debug)]
#[must_use = "the read-side critical section ends when the guard is dropped"]
pub struct KernelGuard<'a> {
    // A raw pointer: the guard must not be sent to or shared with another thread.
    _not_send: PhantomData<(*mut (), &'a Kernel)>,
}

impl Drop for KernelGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the type's invariant this thread is inside the section that ends here.
        unsafe { rcu_core_read_unlock() };
    }
}

// SAFETY: the five functions have the kernel's meaning (documented on `Kernel`); the guard is not `Send`.
unsafe impl Flavor for Kernel {
    type Guard<'a> = KernelGuard<'a>;

    #[inline]
    fn read_lock(&self) -> KernelGuard<'_> {
        rcu_core_read_lock();
        // INVARIANT: the section was just entered.
        KernelGuard { _not_send: PhantomData }
    }

    #[inline]
    fn owns(&self, _guard: &KernelGuard<'_>) -> bool {
        true
    }

    #[inline]
    fn synchronize(&self) {
        rcu_core_synchronize();
    }

    #[inline]
    unsafe fn call(&self, head: NonNull<RcuHead>, callback: Callback) {
        // SAFETY: the caller keeps `head` valid until the callback ran.
        unsafe { rcu_core_call(head.as_ptr(), callback) };
    }

    #[inline]
    fn barrier(&self) {
        rcu_core_barrier();
    }
}
