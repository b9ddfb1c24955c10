//! The RCU pointer: publish a value, dereference it under a guard, reclaim what was replaced.

use alloc::boxed::Box;
use core::fmt;
use core::mem::{self, offset_of};
use core::ptr::{NonNull, null_mut};

use crate::flavor::{Flavor, RcuHead};
use crate::sync::{AtomicPtr, Ordering};

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
/// `node` is null or owns a boxed node, which was never there before unless a grace period lies between. A node taken out is
/// freed by a callback of `flavor` or after its `synchronize`.
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
///
/// A reference does not outlive its guard:
///
/// ```compile_fail,E0505
/// # use rcu_core::{RcuPtr, flavor::epoch::Epoch};
/// let config = RcuPtr::new(Epoch, Some(1));
/// let guard = config.read();
/// let value = config.dereference(&guard);
/// drop(guard);
/// assert_eq!(value, Some(&1));
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
        self.retire(old)
    }

    /// Publishes what `next` makes of the value that is there, and takes that one out.
    ///
    /// Another update that comes between is not lost: `next` then runs again, on what that update published. It runs inside a
    /// section, so it must not wait for a grace period; nor may it update the same pointer, which would come between each time.
    ///
    /// ```
    /// # #[cfg(feature = "epoch")] {
    /// use rcu_core::{RcuPtr, flavor::epoch::Epoch};
    ///
    /// let hits = RcuPtr::new(Epoch, None);
    /// hits.update(|hits| Some(hits.map_or(1, |hits| hits + 1)));
    /// hits.update(|hits| Some(hits.map_or(1, |hits| hits + 1)));
    /// assert_eq!(hits.into_inner(), Some(2));
    /// # }
    /// ```
    pub fn update(&self, mut next: impl FnMut(Option<&T>) -> Option<T>) -> Option<Retired<'_, T, F>> {
        let section = self.read();
        let mut old = self.node.load(Ordering::Acquire);
        loop {
            // SAFETY: as in `dereference`.
            let new = into_node(next(unsafe { old.as_ref() }.map(|node| &node.value)));
            // Inside the section the old node is not freed, so an equal address means the same node (type invariant).
            match self.node.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(now) => {
                    // SAFETY: the new node was not published, so this is still its only owner.
                    drop(unsafe { from_node(new) });
                    old = now;
                }
            }
        }
        // The caller may wait for readers, and is none any more.
        drop(section);
        self.retire(old)
    }

    /// The value, which no reader holds since the pointer is borrowed exclusively.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        let node = self.node.load(Ordering::Relaxed);
        // SAFETY: the pointer owns the node, and exclusive access means that no reader is left.
        unsafe { node.as_mut() }.map(|node| &mut node.value)
    }

    /// Takes the value out, without waiting: no reader is left.
    pub fn into_inner(self) -> Option<T> {
        let node = self.node.swap(null_mut(), Ordering::Relaxed);
        // SAFETY: as in `get_mut`; the pointer is null now, so the node has no other owner.
        unsafe { from_node(node) }
    }

    /// A node that the caller took out of `self.node`.
    fn retire(&self, old: *mut Node<T>) -> Option<Retired<'_, T, F>> {
        // INVARIANT: what was taken out has no other owner.
        NonNull::new(old).map(|node| Retired { node, flavor: &self.flavor })
    }
}

impl<T, F: Flavor> Drop for RcuPtr<T, F> {
    fn drop(&mut self) {
        // SAFETY: the pointer owns the node, and exclusive access means that no reader is left.
        drop(unsafe { from_node(self.node.load(Ordering::Relaxed)) });
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
///
/// ```
/// # #[cfg(feature = "epoch")] {
/// use rcu_core::{RcuCell, flavor::epoch::Epoch};
///
/// let name = RcuCell::new(Epoch, String::from("first"));
/// // Not needed any more: it is reclaimed in time, and nobody waits.
/// drop(name.replace(String::from("second")));
/// // Wanted back: once no reader is left.
/// assert_eq!(name.replace(String::from("third")).synchronize(), "second");
/// # }
/// ```
pub struct Retired<'a, T: Send + 'static, F: Flavor> {
    node: NonNull<Node<T>>,
    flavor: &'a F,
}

// SAFETY: the value is `Send`, and `call` and `synchronize` are for any thread that shares the flavor.
unsafe impl<T: Send + 'static, F: Flavor + Sync> Send for Retired<'_, T, F> {}

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

/// # Safety
///
/// `node` is null, or came from [`into_node`] and has no other owner.
unsafe fn from_node<T>(node: *mut Node<T>) -> Option<T> {
    // SAFETY: by contract.
    NonNull::new(node).map(|node| unsafe { Box::from_raw(node.as_ptr()) }.value)
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
