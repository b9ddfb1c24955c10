//! Doubly linked intrusive lists with a head of one word: the kernel's `struct hlist_head` and its `_rcu` operations.
//!
//! What hash table buckets are made of: an empty bucket costs one null pointer. The price is that the end cannot be reached
//! from the head. These are the raw operations of `include/linux/rculist.h`; [`HList`](crate::HList) is the safe list.
//!
//! ```
//! use std::ptr::NonNull;
//! use rcu_core::hlist::{Entries, HlistHead, HlistNode};
//!
//! #[repr(C)]
//! struct Entry { node: HlistNode, key: u32 }
//!
//! let bucket = HlistHead::new();
//! let (one, two) = (Entry { node: HlistNode::new(), key: 1 }, Entry { node: HlistNode::new(), key: 2 });
//! let [first, second] = [&one, &two].map(|entry| NonNull::from(entry).cast::<HlistNode>());
//!
//! // SAFETY: one thread; the bucket and the entries stay where they are until the end.
//! let entries = unsafe {
//!     HlistNode::add_head_rcu(NonNull::from(&bucket), first);
//!     HlistNode::add_behind_rcu(first, second);
//!     Entries::new(NonNull::from(&bucket))
//! };
//! // SAFETY: each node is the first field of an `Entry`.
//! let keys = entries.map(|node| unsafe { node.cast::<Entry>().as_ref() }.key);
//! assert_eq!(keys.collect::<Vec<_>>(), [1, 2]);
//! ```

use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

/// What points to a node: the head's `first`, or the `next` of the node before.
type Slot = AtomicPtr<HlistNode>;

/// The head of a list; `repr(C)` and laid out as the kernel's `struct hlist_head`.
///
/// # Invariants
///
/// `first` and the `next` of the nodes lead through the linked nodes to null.
#[repr(C)]
#[derive(Debug)]
pub struct HlistHead {
    first: Slot,
}

impl HlistHead {
    /// The head of an empty list.
    pub const fn new() -> Self {
        Self { first: Slot::new(null_mut()) }
    }

    /// Makes `head` the head of an empty list, whatever was there: `INIT_HLIST_HEAD`.
    ///
    /// # Safety
    ///
    /// `head` is valid for writes, and no other thread uses it yet.
    pub unsafe fn init(head: NonNull<HlistHead>) {
        // SAFETY: by contract.
        unsafe { head.write(Self::new()) };
    }

    /// Whether the list has no entry at the moment: `hlist_empty`.
    pub fn is_empty(&self) -> bool {
        self.first.load(Ordering::Relaxed).is_null()
    }
}

impl Default for HlistHead {
    fn default() -> Self {
        Self::new()
    }
}

/// A link of a list; `repr(C)` and laid out as the kernel's `struct hlist_node`.
///
/// # Invariants
///
/// The `pprev` of a linked node points to the slot that points to the node; only updaters follow or change it. A node that
/// was unlinked by [`del_rcu`](HlistNode::del_rcu) keeps its `next`, so that a reader that stands on it finds the rest.
#[repr(C)]
#[derive(Debug)]
pub struct HlistNode {
    next: Slot,
    pprev: AtomicPtr<Slot>,
}

/// The value that marks the back link of an unlinked node, as `hlist_del_init_rcu` and `hlist_unhashed` have it.
const UNLINKED: *mut Slot = null_mut();

impl HlistNode {
    /// A link that is in no list.
    pub const fn new() -> Self {
        Self { next: Slot::new(null_mut()), pprev: AtomicPtr::new(UNLINKED) }
    }

    /// Whether this link is in a list: not `hlist_unhashed`. Only an updater that holds the list's lock may rely on the answer.
    pub fn is_linked(&self) -> bool {
        self.pprev.load(Ordering::Relaxed) != UNLINKED
    }

    /// Publishes `new` as the first entry: `hlist_add_head_rcu`.
    ///
    /// # Safety
    ///
    /// - `head` is the head of a list that stays where it is while it has entries, and no other updater uses that list meanwhile.
    /// - `new` is in no list, valid, and neither moved nor freed before it was unlinked and a grace period has passed.
    pub unsafe fn add_head_rcu(head: NonNull<HlistHead>, new: NonNull<HlistNode>) {
        // SAFETY: the head's only field is the slot of the first entry.
        unsafe { Self::insert(new, head.cast()) };
    }

    /// Publishes `new` right after `at`: `hlist_add_behind_rcu`.
    ///
    /// # Safety
    ///
    /// `at` is linked; its list and `new` are as [`add_head_rcu`](HlistNode::add_head_rcu) wants them.
    pub unsafe fn add_behind_rcu(at: NonNull<HlistNode>, new: NonNull<HlistNode>) {
        // SAFETY: a node's first field is the slot of the entry after it.
        unsafe { Self::insert(new, at.cast()) };
    }

    /// Publishes `new` right before `at`: `hlist_add_before_rcu`.
    ///
    /// # Safety
    ///
    /// As [`add_behind_rcu`](HlistNode::add_behind_rcu).
    pub unsafe fn add_before_rcu(at: NonNull<HlistNode>, new: NonNull<HlistNode>) {
        // SAFETY: `at` is linked, so the slot that points to it is in the same list.
        unsafe { Self::insert(new, at.as_ref().linked_pprev()) };
    }

    /// Unlinks `entry`; readers that stand on it pass on unharmed: `hlist_del_init_rcu`.
    ///
    /// # Safety
    ///
    /// - `entry` is linked in a list, and no other updater uses that list meanwhile.
    /// - The entry is freed or linked again only after a grace period.
    pub unsafe fn del_rcu(entry: NonNull<HlistNode>) {
        // SAFETY: a linked entry's neighbors are valid and only this updater changes them.
        unsafe {
            let (next, pprev) = (entry.as_ref().next.load(Ordering::Relaxed), entry.as_ref().linked_pprev());
            pprev.as_ref().store(next, Ordering::Release);
            if let Some(next) = NonNull::new(next) {
                next.as_ref().pprev.store(pprev.as_ptr(), Ordering::Relaxed);
            }
            entry.as_ref().pprev.store(UNLINKED, Ordering::Relaxed);
        }
    }

    /// Puts `new` in the place of `old`; readers meet the one or the other: `hlist_replace_rcu`.
    ///
    /// # Safety
    ///
    /// As [`del_rcu`](HlistNode::del_rcu) for `old`, and [`add_head_rcu`](HlistNode::add_head_rcu) for `new`.
    pub unsafe fn replace_rcu(old: NonNull<HlistNode>, new: NonNull<HlistNode>) {
        // SAFETY: a linked entry's neighbors are valid and only this updater changes them.
        unsafe {
            let (next, pprev) = (old.as_ref().next.load(Ordering::Relaxed), old.as_ref().linked_pprev());
            new.as_ref().next.store(next, Ordering::Relaxed);
            new.as_ref().pprev.store(pprev.as_ptr(), Ordering::Relaxed);
            pprev.as_ref().store(new.as_ptr(), Ordering::Release);
            if let Some(next) = NonNull::new(next) {
                next.as_ref().pprev.store(new.cast().as_ptr(), Ordering::Relaxed);
            }
            old.as_ref().pprev.store(UNLINKED, Ordering::Relaxed);
        }
    }

    /// Links `new` in where `slot` points. The entry is complete before readers can reach it.
    ///
    /// # Safety
    ///
    /// As [`add_head_rcu`](HlistNode::add_head_rcu), with `slot` in that list.
    unsafe fn insert(new: NonNull<HlistNode>, slot: NonNull<Slot>) {
        // SAFETY: the slot, what it points to and `new` are valid by contract.
        unsafe {
            let next = slot.as_ref().load(Ordering::Relaxed);
            new.as_ref().next.store(next, Ordering::Relaxed);
            new.as_ref().pprev.store(slot.as_ptr(), Ordering::Relaxed);
            slot.as_ref().store(new.as_ptr(), Ordering::Release);
            if let Some(next) = NonNull::new(next) {
                // A node's first field is the slot of the entry after it.
                next.as_ref().pprev.store(new.cast().as_ptr(), Ordering::Relaxed);
            }
        }
    }

    /// # Safety
    ///
    /// `self` is linked, and the caller is the list's updater.
    unsafe fn linked_pprev(&self) -> NonNull<Slot> {
        // SAFETY: a linked node's back link is not null (type invariant).
        unsafe { NonNull::new_unchecked(self.pprev.load(Ordering::Relaxed)) }
    }
}

impl Default for HlistNode {
    fn default() -> Self {
        Self::new()
    }
}

/// The links of a list from first to last: `hlist_for_each_rcu`. As [`list::Entries`](crate::list::Entries), it loads one ahead.
///
/// `'p` is how long the links are protected: the lifetime of a read guard, or of a lock on the list.
#[derive(Debug, Clone)]
pub struct Entries<'p> {
    /// What comes next: an entry, or null at the end.
    next: *mut HlistNode,
    _protected: PhantomData<&'p HlistNode>,
}

impl Entries<'_> {
    /// Starts at the first entry of the list of `head`.
    ///
    /// # Safety
    ///
    /// For all of the type's lifetime: `head` stays a valid head, and every entry that is or was reachable from it stays valid
    /// memory, because the lifetime lies in a read-side critical section of the flavor that reclaims the entries, or
    /// because a lock that it stands for keeps updaters out.
    #[inline]
    pub unsafe fn new(head: NonNull<HlistHead>) -> Self {
        // SAFETY: `head` is valid (contract).
        let next = unsafe { following(head.cast()) };
        Self { next, _protected: PhantomData }
    }
}

impl Iterator for Entries<'_> {
    type Item = NonNull<HlistNode>;

    #[inline]
    fn next(&mut self) -> Option<NonNull<HlistNode>> {
        let entry = NonNull::new(self.next)?;
        // SAFETY: an entry that was reached from the head, valid by the contract of `new`.
        self.next = unsafe { following(entry.cast()) };
        Some(entry)
    }
}

impl FusedIterator for Entries<'_> {}

/// What a reader finds through a slot.
///
/// # Safety
///
/// `slot` is in a valid head or entry.
#[inline]
unsafe fn following(slot: NonNull<Slot>) -> *mut HlistNode {
    // SAFETY: the slot is valid (contract). Acquire pairs with the Release that published the entry: `rcu_dereference`.
    unsafe { slot.as_ref() }.load(Ordering::Acquire)
}
