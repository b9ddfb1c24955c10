//! The safe intrusive list: it owns its entries, readers pass without a lock, and removed entries are reclaimed
//! after a grace period.

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::AtomicPtr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::flavor::{Flavor, RcuHead};
use crate::list::{Entries, ListHead};

/// What an entry embeds to be in a [`List`]: the list link, and the head that defers its reclamation.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Links {
    list: ListHead,
    rcu: RcuHead,
}

impl Links {
    /// Links that are in no list.
    pub const fn new() -> Self {
        Self { list: ListHead::new(), rcu: RcuHead::new() }
    }
}

/// An entry type that embeds [`Links`]. Implement it with [`linked!`](crate::linked).
///
/// # Safety
///
/// `OFFSET` is the offset in bytes of a field of type [`Links`] that nothing but [`List`] uses.
pub unsafe trait Linked: Sized {
    /// Where the links lie in the entry.
    const OFFSET: usize;
}

/// Implements [`Linked`] for a type by naming its field of type [`Links`].
///
/// ```
/// struct Entry { links: rcu_core::Links, value: u32 }
/// rcu_core::linked!(Entry, links);
/// ```
///
/// The field must be the links themselves, nothing that leads to them:
///
/// ```compile_fail,E0308
/// struct Entry { links: Box<rcu_core::Links> }
/// rcu_core::linked!(Entry, links);
/// ```
#[macro_export]
macro_rules! linked {
    ($entry:ty, $links:ident) => {
        // SAFETY: the offset is the compiler's, and the constant below compiles only for a field of type `Links`.
        unsafe impl $crate::Linked for $entry {
            const OFFSET: usize = {
                // Raw pointers, since a reference would be taken from a `Box<Links>` too, by deref coercion.
                const _: fn(&$entry) -> *const $crate::Links = |entry| &raw const entry.$links;
                ::core::mem::offset_of!($entry, $links)
            };
        }
    };
}

/// An RCU-protected circular list that owns its entries.
///
/// Readers iterate under a guard of the list's flavor and never wait; updaters take turns through [`lock`](List::lock).
///
/// # Invariants
///
/// - `head` is a box of this list's own, kept as a pointer because the circle points to it too. It anchors a circle of the [`Links`] of boxed entries, each owned by this list and in this list alone.
/// - The circle changes only under `updaters`, or when the list is owned exclusively.
/// - An entry taken out is freed by a callback of `flavor`, never earlier.
///
/// A reference does not outlive its guard:
///
/// ```compile_fail,E0505
/// # use rcu_core::{Links, List, flavor::epoch::Epoch, linked};
/// # struct Entry { links: Links }
/// # linked!(Entry, links);
/// let list = List::<Entry, _>::new(Epoch);
/// let guard = list.read();
/// let entry = list.iter(&guard).next();
/// drop(guard);
/// let _ = entry.is_some();
/// ```
///
/// A list of one entry type is not one of another, also where the types differ in lifetimes alone:
///
/// ```compile_fail,E0308
/// # use rcu_core::{Links, List, flavor::epoch::Epoch, linked};
/// struct Entry<P> { links: Links, f: P }
/// linked!(Entry<for<'a> fn(&'a str)>, links);
/// linked!(Entry<fn(&'static str)>, links);
/// let list = List::<Entry<for<'a> fn(&'a str)>, _>::new(Epoch);
/// let other: &List<Entry<fn(&'static str)>, Epoch> = &list;
/// ```
pub struct List<T: Linked, F: Flavor> {
    head: NonNull<ListHead>,
    updaters: Mutex<()>,
    flavor: F,
    /// Owned, and invariant: entries are put in through a shared reference.
    _owns: PhantomData<AtomicPtr<T>>,
}

// SAFETY: the list owns its entries and may drop them on another thread.
unsafe impl<T: Linked + Send + Sync, F: Flavor + Send> Send for List<T, F> {}
// SAFETY: shared access gives `&T` to many threads, and hands entries to whatever thread reclaims them.
unsafe impl<T: Linked + Send + Sync, F: Flavor + Sync> Sync for List<T, F> {}

impl<T: Linked + Send + Sync + 'static, F: Flavor> List<T, F> {
    /// An empty list whose readers and reclamation are of `flavor`.
    pub fn new(flavor: F) -> Self {
        let head = NonNull::from(Box::leak(Box::new(ListHead::new())));
        // SAFETY: the box is this list's own, stays where it is until the list's drop, and nobody else has seen it.
        unsafe { ListHead::init(head) };
        Self { head, updaters: Mutex::new(()), flavor, _owns: PhantomData }
    }

    /// Enters a read-side critical section of the list's flavor.
    pub fn read(&self) -> F::Guard<'_> {
        self.flavor.read_lock()
    }

    /// The entries from first to last, while others may be added and removed: an entry that stays is met exactly
    /// once; one that comes or goes meanwhile is met at most once.
    ///
    /// # Panics
    ///
    /// When `guard` is of another domain of the flavor.
    pub fn iter<'g>(&'g self, guard: &'g F::Guard<'_>) -> Iter<'g, T> {
        assert!(self.flavor.owns(guard), "the guard protects another RCU domain than the list's");
        // SAFETY: `'g` lies in a section of the list's own domain (just checked), whose callbacks free removed entries
        // (type invariant); the head lives as long as the list, which `'g` borrows.
        let entries = unsafe { Entries::new(self.head) };
        Iter { entries, _entry: PhantomData }
    }

    /// Waits for the other updaters and gives the right to change the list.
    pub fn lock(&self) -> ListWriter<'_, T, F> {
        // A poisoned lock is fine: every update leaves the circle whole before it runs foreign code.
        let turn = self.updaters.lock().unwrap_or_else(PoisonError::into_inner);
        ListWriter { list: self, _turn: turn }
    }
}

impl<T: Linked, F: Flavor> Drop for List<T, F> {
    fn drop(&mut self) {
        // SAFETY: the list is owned exclusively, so no reader and no updater is left.
        let entries = unsafe { Entries::new(self.head) };
        let mut entries = entries.map(entry_of::<T>);
        let mut next = entries.next();
        while let Some(entry) = next {
            // The link to the next entry is read before this one is freed.
            next = entries.next();
            // SAFETY: the list owns its entries (type invariant) and passes each once.
            drop(unsafe { Box::from_raw(entry.as_ptr()) });
        }
        // SAFETY: the head is the list's own box, and nothing points to it any more.
        drop(unsafe { Box::from_raw(self.head.as_ptr()) });
    }
}

impl<T: Linked, F: Flavor> fmt::Debug for List<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").finish_non_exhaustive()
    }
}

/// The entries of a [`List`] as a reader meets them.
#[derive(Debug, Clone)]
pub struct Iter<'g, T> {
    entries: Entries<'g>,
    _entry: PhantomData<&'g T>,
}

impl<'g, T: Linked> Iterator for Iter<'g, T> {
    type Item = &'g T;

    #[inline]
    fn next(&mut self) -> Option<&'g T> {
        let entry = entry_of::<T>(self.entries.next()?);
        // SAFETY: the entry is reachable, or was, inside the section that `'g` stands for, so it is not freed within `'g`.
        Some(unsafe { entry.as_ref() })
    }
}

/// The right to change a [`List`]; readers go on meanwhile.
#[must_use = "the list is locked for updaters until the writer is dropped"]
pub struct ListWriter<'a, T: Linked, F: Flavor> {
    list: &'a List<T, F>,
    _turn: MutexGuard<'a, ()>,
}

impl<T: Linked + Send + Sync + 'static, F: Flavor> ListWriter<'_, T, F> {
    /// Publishes `entry` as the first: `list_add_rcu`.
    pub fn push_front(&mut self, entry: Box<T>) {
        let links = links_of(NonNull::from(Box::leak(entry)));
        // SAFETY: this writer is the only updater; the entry was a box of its own, so it is in no list.
        unsafe { ListHead::add_rcu(self.head(), links.cast()) };
    }

    /// Publishes `entry` as the last: `list_add_tail_rcu`.
    pub fn push_back(&mut self, entry: Box<T>) {
        let links = links_of(NonNull::from(Box::leak(entry)));
        // SAFETY: this writer is the only updater; the entry was a box of its own, so it is in no list.
        unsafe { ListHead::add_tail_rcu(self.head(), links.cast()) };
    }

    /// Removes every entry for which `keep` answers `false`, each reclaimed after a grace period. Does not wait.
    ///
    /// `keep` must not lock the same list: it would wait for itself. Nor may an entry's drop, which some flavors run here.
    /// If `keep` panics, the entry removed last is leaked.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        // SAFETY: this writer keeps other updaters out, and its own removals leave the entry's `next` in place.
        let entries = unsafe { Entries::new(self.head()) };
        // The entry just removed is left before it is handed over, since reclamation may be immediate.
        let mut removed = None;
        for entry in entries.map(entry_of::<T>) {
            self.reclaim(removed.take());
            // SAFETY: a linked entry of this list is valid.
            if !keep(unsafe { entry.as_ref() }) {
                // SAFETY: the entry is linked in this list, whose only updater this is.
                unsafe { ListHead::del_rcu(links_of(entry).cast()) };
                removed = Some(entry);
            }
        }
        self.reclaim(removed);
    }

    /// Frees an entry that was unlinked, after a grace period.
    fn reclaim(&self, removed: Option<NonNull<T>>) {
        if let Some(entry) = removed {
            // SAFETY: the field lies inside the entry.
            let head = unsafe { links_of(entry).byte_add(offset_of!(Links, rcu)) };
            // SAFETY: the entry was unlinked just now, once, and is owned by nobody else; `T` is `Send` and 'static.
            unsafe { self.list.flavor.call(head.cast(), free::<T>) };
        }
    }

    fn head(&self) -> NonNull<ListHead> {
        self.list.head
    }
}

impl<T: Linked, F: Flavor> fmt::Debug for ListWriter<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListWriter").finish_non_exhaustive()
    }
}

/// The links of an entry, with the provenance of the whole entry.
fn links_of<T: Linked>(entry: NonNull<T>) -> NonNull<Links> {
    // SAFETY: `OFFSET` lies inside the entry (contract of `Linked`).
    unsafe { entry.byte_add(T::OFFSET).cast() }
}

/// The entry whose list link this is: `list_entry`.
fn entry_of<T: Linked>(link: NonNull<ListHead>) -> NonNull<T> {
    // SAFETY: `link` is the first field of the `Links` at `OFFSET` of an entry, and came from `links_of`.
    unsafe { link.byte_sub(T::OFFSET + offset_of!(Links, list)).cast() }
}

/// The callback that frees an entry of type `T`.
///
/// # Safety
///
/// `head` is the RCU head of a boxed entry that nobody else uses.
unsafe extern "C" fn free<T: Linked>(head: *mut RcuHead) {
    // SAFETY: by contract; the offsets are those of `reclaim`.
    drop(unsafe { Box::from_raw(head.byte_sub(T::OFFSET + offset_of!(Links, rcu)).cast::<T>()) });
}
