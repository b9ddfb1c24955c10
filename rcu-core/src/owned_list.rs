//! The safe intrusive lists: they own their entries, readers pass without a lock, and removed entries are reclaimed
//! after a grace period.

use alloc::boxed::Box;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::AtomicPtr;

use crate::flavor::{Flavor, RcuHead};
use crate::links::{HLinks, Kind, Linked, Links, entry_of, free, link_of, rcu_of};
use crate::list::ListHead;
use crate::turn::{Turn, Turns};

/// An [`RcuList`] that can be added to at both ends; its entries embed [`Links`].
///
/// ```
/// # #[cfg(feature = "epoch")] {
/// use rcu_core::{Links, List, flavor::epoch::Epoch, linked};
///
/// struct Job { links: Links, id: u32 }
/// linked!(Job, links);
///
/// let jobs = List::new(Epoch);
/// let mut writer = jobs.lock();
/// writer.push_back(Box::new(Job { links: Links::new(), id: 2 }));
/// writer.push_front(Box::new(Job { links: Links::new(), id: 1 }));
/// drop(writer);
///
/// let guard = jobs.read();
/// assert!(jobs.iter(&guard).map(|job| job.id).eq([1, 2]));
/// # }
/// ```
pub type List<T, F> = RcuList<T, F, Links>;

/// An [`RcuList`] with a head of one word, as hash table buckets have it, that is added to in front only; its entries embed
/// [`HLinks`].
///
/// ```
/// # #[cfg(feature = "epoch")] {
/// use rcu_core::{HLinks, HList, flavor::epoch::Epoch, linked};
///
/// struct Symbol { links: HLinks, name: &'static str }
/// linked!(Symbol, links: HLinks);
///
/// let bucket = HList::new(Epoch);
/// bucket.lock().push_front(Box::new(Symbol { links: HLinks::new(), name: "main" }));
///
/// let guard = bucket.read();
/// assert!(bucket.iter(&guard).any(|symbol| symbol.name == "main"));
/// # }
/// ```
pub type HList<T, F> = RcuList<T, F, HLinks>;

/// An RCU-protected intrusive list that owns its entries: a [`List`] or an [`HList`].
///
/// Readers iterate under a guard of the list's flavor and never wait; updaters take turns through [`lock`](RcuList::lock).
///
/// # Invariants
///
/// - `anchor` is a box of this list's own, kept as a pointer because the entries point to it too. Its head leads to the links of boxed entries,
///   each owned by this list and in this list alone.
/// - The list changes only under its `updaters`, or when it is owned exclusively.
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
pub struct RcuList<T: Linked<L>, F: Flavor, L: Kind> {
    anchor: NonNull<Anchor<L>>,
    flavor: F,
    /// Owned, and invariant: entries are put in through a shared reference.
    _owns: PhantomData<AtomicPtr<T>>,
}

/// What updaters write, apart from what readers only read.
#[repr(C)]
struct Anchor<L: Kind> {
    head: L::Head,
    updaters: Turns,
}

// SAFETY: the list owns its entries and may drop them on another thread.
unsafe impl<T: Linked<L> + Send + Sync, F: Flavor + Send, L: Kind> Send for RcuList<T, F, L> {}
// SAFETY: shared access gives `&T` to many threads, and hands entries to whatever thread reclaims them.
unsafe impl<T: Linked<L> + Send + Sync, F: Flavor + Sync, L: Kind> Sync for RcuList<T, F, L> {}

impl<T: Linked<L> + Send + Sync + 'static, F: Flavor, L: Kind> RcuList<T, F, L> {
    /// An empty list whose readers and reclamation are of `flavor`.
    pub fn new(flavor: F) -> Self {
        let anchor = NonNull::from(Box::leak(Box::new(Anchor { head: L::Head::default(), updaters: Turns::new() })));
        let list = Self { anchor, flavor, _owns: PhantomData };
        // SAFETY: the box is this list's own, stays where it is until the list's drop, and nobody else has seen it.
        unsafe { L::init(list.head()) };
        list
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
    pub fn iter<'g>(&'g self, guard: &'g F::Guard<'_>) -> Iter<'g, T, L> {
        assert!(self.flavor.owns(guard), "the guard protects another RCU domain than the list's");
        // SAFETY: `'g` lies in a section of the list's own domain (just checked), whose callbacks free removed entries
        // (type invariant); the head lives as long as the list, which `'g` borrows.
        let entries = unsafe { L::entries(self.head()) };
        Iter { entries, _entry: PhantomData }
    }

    /// Waits for the other updaters and gives the right to change the list.
    pub fn lock(&self) -> ListWriter<'_, T, F, L> {
        // SAFETY: the anchor lives as long as the list.
        let updaters = unsafe { &self.anchor.as_ref().updaters };
        ListWriter {
            head: self.head(),
            _turn: updaters.take(),
            removed: Removed { flavor: &self.flavor, last: core::ptr::null_mut(), _list: PhantomData },
        }
    }
}

impl<T: Linked<L>, F: Flavor, L: Kind> RcuList<T, F, L> {
    #[inline]
    fn head(&self) -> NonNull<L::Head> {
        self.anchor.cast()
    }
}

impl<T: Linked<L>, F: Flavor, L: Kind> Drop for RcuList<T, F, L> {
    fn drop(&mut self) {
        // SAFETY: the list is owned exclusively, so no reader and no updater is left. The iterator has passed on from what it gives out.
        for entry in unsafe { L::entries(self.head()) }.map(entry_of::<T, L>) {
            // SAFETY: the list owns its entries (type invariant) and passes each once.
            drop(unsafe { Box::from_raw(entry.as_ptr()) });
        }
        // SAFETY: the anchor is the list's own box, and nothing points to it any more.
        drop(unsafe { Box::from_raw(self.anchor.as_ptr()) });
    }
}

impl<T: Linked<L>, F: Flavor, L: Kind> fmt::Debug for RcuList<T, F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RcuList").finish_non_exhaustive()
    }
}

/// The entries of a list as a reader meets them.
pub struct Iter<'g, T, L: Kind = Links> {
    entries: L::Entries<'g>,
    _entry: PhantomData<&'g T>,
}

impl<'g, T: Linked<L>, L: Kind> Iterator for Iter<'g, T, L> {
    type Item = &'g T;

    #[inline]
    fn next(&mut self) -> Option<&'g T> {
        let entry = entry_of::<T, L>(self.entries.next()?);
        // SAFETY: the entry is reachable, or was, inside the section that `'g` stands for, so it is not freed within `'g`.
        Some(unsafe { entry.as_ref() })
    }
}

impl<T, L: Kind> Clone for Iter<'_, T, L> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone(), _entry: PhantomData }
    }
}

impl<T, L: Kind> fmt::Debug for Iter<'_, T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Iter").field(&self.entries).finish()
    }
}

/// The right to change a list; readers go on meanwhile.
///
/// What it removed is handed over to the flavor when it is dropped, after the lock has been given back. That may wait
/// where too much is unreclaimed already.
#[must_use = "the list is locked for updaters until the writer is dropped"]
pub struct ListWriter<'a, T: Linked<L>, F: Flavor, L: Kind = Links> {
    head: NonNull<L::Head>,
    // Before `removed`, so that it is dropped first: a reader that waits for the lock would hold up what is waited for.
    _turn: Turn<'a>,
    removed: Removed<'a, T, F, L>,
}

impl<T: Linked<L> + Send + Sync + 'static, F: Flavor, L: Kind> ListWriter<'_, T, F, L> {
    /// Publishes `entry` as the first: `list_add_rcu`, `hlist_add_head_rcu`.
    pub fn push_front(&mut self, entry: Box<T>) {
        // SAFETY: this writer is the only updater; the entry was a box of its own, so it is in no list.
        unsafe { L::add_rcu(self.head, link_of(NonNull::from(Box::leak(entry)))) };
    }

    /// Removes every entry for which `keep` answers `false`, each reclaimed after a grace period. Does not wait.
    ///
    /// `keep` must not lock the same list: it would wait for itself.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        // SAFETY: this writer keeps other updaters out, and nothing it removes is freed while it lives.
        for entry in unsafe { L::entries(self.head) }.map(entry_of::<T, L>) {
            // SAFETY: a linked entry of this list is valid.
            if !keep(unsafe { entry.as_ref() }) {
                // SAFETY: the entry is linked in this list, whose only updater this is.
                unsafe { L::del_rcu(link_of(entry)) };
                self.removed.add(entry);
            }
        }
    }
}

impl<T: Linked<L> + Send + Sync + 'static, F: Flavor, L: Kind> ListWriter<'_, T, F, L> {
    /// Puts what `with` makes of an entry, if it makes anything, in that entry's place: `list_replace_rcu`, `hlist_replace_rcu`.
    ///
    /// A reader meets either the old entry or the new one. This is how an entry is changed: copy, update, publish.
    ///
    /// ```
    /// # #[cfg(feature = "epoch")] {
    /// use rcu_core::{Links, List, flavor::epoch::Epoch, linked};
    ///
    /// struct Route { links: Links, prefix: u32, hops: u32 }
    /// linked!(Route, links);
    ///
    /// let routes = List::new(Epoch);
    /// routes.lock().push_back(Box::new(Route { links: Links::new(), prefix: 10, hops: 3 }));
    /// routes.lock().replace(|old| {
    ///     (old.prefix == 10).then(|| Box::new(Route { links: Links::new(), prefix: 10, hops: old.hops - 1 }))
    /// });
    /// assert_eq!(routes.iter(&routes.read()).map(|route| route.hops).sum::<u32>(), 2);
    /// # }
    /// ```
    ///
    /// `with` must not lock the same list: it would wait for itself.
    pub fn replace(&mut self, mut with: impl FnMut(&T) -> Option<Box<T>>) {
        // SAFETY: as in `retain`.
        for entry in unsafe { L::entries(self.head) }.map(entry_of::<T, L>) {
            // SAFETY: a linked entry of this list is valid.
            if let Some(new) = with(unsafe { entry.as_ref() }) {
                // SAFETY: the entry is linked in this list, whose only updater this is; the new one was a box of its own.
                unsafe { L::replace_rcu(link_of(entry), link_of(NonNull::from(Box::leak(new)))) };
                self.removed.add(entry);
            }
        }
    }
}

impl<T: Linked + Send + Sync + 'static, F: Flavor> ListWriter<'_, T, F> {
    /// Publishes `entry` as the last: `list_add_tail_rcu`.
    pub fn push_back(&mut self, entry: Box<T>) {
        // SAFETY: this writer is the only updater; the entry was a box of its own, so it is in no list.
        unsafe { ListHead::add_tail_rcu(self.head, link_of(NonNull::from(Box::leak(entry)))) };
    }
}

impl<T: Linked<L>, F: Flavor, L: Kind> fmt::Debug for ListWriter<'_, T, F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListWriter").finish_non_exhaustive()
    }
}

/// Entries that were unlinked and not yet handed over to the flavor.
///
/// # Invariants
///
/// `last` heads a chain of entries that were unlinked, once each, and have no other owner. Each entry's RCU head, which
/// the flavor does not have yet, is linked to that of the one that was unlinked before it.
struct Removed<'a, T: Linked<L>, F: Flavor, L: Kind> {
    flavor: &'a F,
    last: *mut RcuHead,
    _list: PhantomData<(NonNull<T>, L)>,
}

impl<T: Linked<L>, F: Flavor, L: Kind> Removed<'_, T, F, L> {
    fn add(&mut self, entry: NonNull<T>) {
        let head = rcu_of(entry);
        // SAFETY: the entry was unlinked just now, and readers do not look at its RCU head.
        unsafe { head.as_ref().set_next(self.last) };
        self.last = head.as_ptr();
    }
}

impl<T: Linked<L>, F: Flavor, L: Kind> Drop for Removed<'_, T, F, L> {
    fn drop(&mut self) {
        while let Some(head) = NonNull::new(self.last) {
            // SAFETY: a valid head in the chain (type invariant).
            self.last = unsafe { head.as_ref().next() };
            // SAFETY: the entry is in the chain, which is left here (type invariant). Only `retain` adds to it, and wants
            // `T` to be `Send` and 'static.
            unsafe { self.flavor.call(head, free::<T, L>) };
        }
    }
}
