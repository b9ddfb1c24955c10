//! The RCU pointer: publish a value, dereference it under a guard, reclaim what was replaced.

use alloc::boxed::Box;
use core::fmt;
use core::mem::{self, offset_of};
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::flavor::{Flavor, RcuHead};

/// A value with the head that defers its reclamation.
#[repr(C)]
struct Node<T> {
    rcu: RcuHead,
    value: T,
}

/// A pointer that readers dereference under a guard while updaters replace what it points to.
///
/// # Invariants
///
/// `node` is null or owns a boxed node. A node taken out is freed by a callback of `flavor` or after its `synchronize`.
///
/// ```
/// # #[cfg(feature = "epoch")] {
/// use rcu_core::{RcuPtr, flavor::epoch::Epoch};
///
/// let config = RcuPtr::new(Epoch, Some(1));
/// let guard = config.read();
/// let old = config.dereference(&guard);
/// let replaced = config.replace(Some(2));
/// assert_eq!(old, Some(&1), "a reader keeps what it holds");
/// assert_eq!(config.dereference(&guard), Some(&2));
/// drop(guard);
/// assert_eq!(replaced.unwrap().synchronize(), 1);
/// # }
/// ```
pub struct RcuPtr<T, F: Flavor> {
    node: AtomicPtr<Node<T>>,
    flavor: F,
}

// SAFETY: the pointer owns its value and may drop it on another thread.
unsafe impl<T: Send + Sync, F: Flavor + Send> Send for RcuPtr<T, F> {}
// SAFETY: shared access gives `&T` to many threads, and hands values to whatever thread reclaims them.
unsafe impl<T: Send + Sync, F: Flavor + Sync> Sync for RcuPtr<T, F> {}

impl<T: Send + Sync + 'static, F: Flavor> RcuPtr<T, F> {
    /// A pointer to `value`, or a null pointer.
    pub fn new(flavor: F, value: Option<T>) -> Self {
        Self { node: AtomicPtr::new(into_node(value)), flavor }
    }

    /// Enters a read-side critical section of the pointer's flavor.
    pub fn read(&self) -> F::Guard<'_> {
        self.flavor.read_lock()
    }

    /// What the pointer points to now: `rcu_dereference()`.
    ///
    /// # Panics
    ///
    /// When `guard` is of another domain of the flavor.
    pub fn dereference<'g>(&'g self, guard: &'g F::Guard<'_>) -> Option<&'g T> {
        assert!(self.flavor.owns(guard), "the guard protects another RCU domain than the pointer's");
        let node = self.node.load(Ordering::Acquire);
        // SAFETY: a node that was reachable inside the section `'g` lies in is not freed before the section ends (type
        // invariant); Acquire pairs with the Release that published it.
        unsafe { node.as_ref() }.map(|node| &node.value)
    }

    /// Publishes `value` and takes out what was there: `rcu_replace_pointer()`.
    pub fn replace(&self, value: Option<T>) -> Option<Retired<'_, T, F>> {
        let old = self.node.swap(into_node(value), Ordering::AcqRel);
        NonNull::new(old).map(|node| Retired { node, flavor: &self.flavor })
    }
}

impl<T, F: Flavor> Drop for RcuPtr<T, F> {
    fn drop(&mut self) {
        if let Some(node) = NonNull::new(*self.node.get_mut()) {
            // SAFETY: the pointer owns the node, and exclusive access means that no reader is left.
            drop(unsafe { Box::from_raw(node.as_ptr()) });
        }
    }
}

impl<T, F: Flavor> fmt::Debug for RcuPtr<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RcuPtr").finish_non_exhaustive()
    }
}

/// A value that was replaced, which readers may still hold. Dropping it defers its reclamation.
///
/// # Invariants
///
/// `node` was taken out of an [`RcuPtr`] of `flavor` and has no other owner.
pub struct Retired<'a, T: Send + 'static, F: Flavor> {
    node: NonNull<Node<T>>,
    flavor: &'a F,
}

impl<T: Send + 'static, F: Flavor> Retired<'_, T, F> {
    /// Waits for a grace period and gives the value back. Never returns inside a section of the same flavor.
    pub fn synchronize(self) -> T {
        self.flavor.synchronize();
        let node = self.node;
        mem::forget(self);
        // SAFETY: this was the node's only owner (type invariant), and no reader is left after the grace period.
        unsafe { Box::from_raw(node.as_ptr()) }.value
    }
}

impl<T: Send + 'static, F: Flavor> Drop for Retired<'_, T, F> {
    fn drop(&mut self) {
        // SAFETY: the head lies in the node, whose only owner this was; `T` is `Send` and `'static`.
        unsafe { self.flavor.call(self.node.cast(), free::<T>) };
    }
}

impl<T: Send + 'static, F: Flavor> fmt::Debug for Retired<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retired").finish_non_exhaustive()
    }
}

fn into_node<T>(value: Option<T>) -> *mut Node<T> {
    value.map_or(null_mut(), |value| Box::into_raw(Box::new(Node { rcu: RcuHead::new(), value })))
}

/// The callback that frees a node of type `T`.
///
/// # Safety
///
/// `head` is the head of a boxed node that nobody else uses.
unsafe extern "C" fn free<T>(head: *mut RcuHead) {
    const { assert!(offset_of!(Node<T>, rcu) == 0) };
    // SAFETY: by contract; the head is the node's first field.
    drop(unsafe { Box::from_raw(head.cast::<Node<T>>()) });
}
