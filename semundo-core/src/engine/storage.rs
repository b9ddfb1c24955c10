//! How an undo list keeps its entries: the one thing that the load benchmark puts other things in the place of.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicI16, AtomicU64, AtomicUsize, Ordering};

use rcu_core::{Flavor, Links, List, linked};

use super::abi::IPCMNI;
use super::index::Index;
use crate::types::SemId;

/// One process's adjustments of one semaphore set: the kernel's `struct sem_undo`.
///
/// The adjustments change under the locks of the set's semaphores and are read at any time.
pub struct SemUndo {
    semid: SemId,
    /// Nothing is to be undone any more: the kernel sets the identifier to -1.
    removed: AtomicBool,
    semadj: Box<[AtomicI16]>,
    /// Where the set's list of entries has this one.
    pub(super) place: AtomicUsize,
    /// When it was last looked up, in the list's count.
    pub(super) used: AtomicU64,
}

impl SemUndo {
    pub(super) fn new(semid: SemId, nsems: usize) -> Self {
        Self {
            semid,
            removed: AtomicBool::new(false),
            semadj: (0..nsems).map(|_| AtomicI16::new(0)).collect(),
            place: AtomicUsize::new(0),
            used: AtomicU64::new(0),
        }
    }

    /// The set's identifier.
    #[inline]
    pub fn semid(&self) -> SemId {
        self.semid
    }

    /// Whether the set is removed, or all is undone. Such an entry is to be shown to nobody.
    #[inline]
    pub fn is_removed(&self) -> bool {
        self.removed.load(Ordering::Relaxed)
    }

    /// The adjustments, one a semaphore.
    #[inline]
    pub fn adjustments(&self) -> &[AtomicI16] {
        &self.semadj
    }

    #[inline]
    pub(super) fn adjustment(&self, num: u16) -> i32 {
        i32::from(self.semadj[usize::from(num)].load(Ordering::Relaxed))
    }

    /// Adds to an adjustment, under the semaphore's lock.
    #[inline]
    pub(super) fn adjust(&self, num: u16, by: i16) {
        let adjustment = &self.semadj[usize::from(num)];
        adjustment.store(adjustment.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
    }

    pub(super) fn set_removed(&self) {
        self.removed.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for SemUndo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemUndo")
            .field("semid", &self.semid)
            .field("removed", &self.is_removed())
            .finish_non_exhaustive()
    }
}

/// The entries of one undo list. [`RcuUndoList`] is the engine's own.
///
/// A list has at most one entry that is not removed for an identifier, nor for the lowest 15 bits of one. Nobody needs to sweep a list that
/// is dropped.
pub trait UndoStorage<F: Flavor>: Send + Sync + Sized + 'static {
    /// An entry that was found: borrowed, or a share of its own where a lock kept it from going.
    type Found<'g>: Borrow<Arc<SemUndo>>
    where
        Self: 'g,
        F: 'g;

    /// An empty list. What is read under RCU is read under `flavor`'s.
    fn new(flavor: &F) -> Self;

    /// The entry of a set, unless it is removed (`ipc/sem.c: lookup_undo`). Called by each `semop(2)` with `SEM_UNDO`, inside `section`.
    fn find<'g>(&'g self, semid: SemId, section: &'g F::Guard<'_>) -> Option<Self::Found<'g>>;

    /// Adds an entry at the head (`ipc/sem.c: find_alloc_undo`). Called inside a section, with the set's lock held.
    fn insert(&self, entry: Arc<SemUndo>);

    /// Takes out the entries that are [removed](SemUndo::is_removed). Called outside sections, without locks: it may wait for a grace
    /// period. Entries that are removed before it begins are out when it has ended.
    fn sweep(&self);

    /// Passes over all entries: one that is there from the begin of the pass to its end is visited once.
    fn pass(&self, visit: impl FnMut(&Arc<SemUndo>));
}

/// Entries in an RCU list, with an index over it for `semop(2)`: neither readers nor `semop(2)` take a lock.
pub struct RcuUndoList<F: Flavor> {
    list: List<Node, F>,
    index: Index<SemUndo, F>,
}

struct Node {
    links: Links,
    entry: Arc<SemUndo>,
}
linked!(Node, links);

impl<F: Flavor + Clone + Send + Sync + 'static> UndoStorage<F> for RcuUndoList<F> {
    type Found<'g>
        = &'g Arc<SemUndo>
    where
        F: 'g;

    fn new(flavor: &F) -> Self {
        Self { list: List::new(flavor.clone()), index: Index::new(flavor.clone()) }
    }

    #[inline]
    fn find<'g>(&'g self, semid: SemId, section: &'g F::Guard<'_>) -> Option<&'g Arc<SemUndo>> {
        self.index.get(place_of(semid), section).filter(|entry| entry.semid == semid && !entry.is_removed())
    }

    fn insert(&self, entry: Arc<SemUndo>) {
        let mut list = self.list.lock();
        self.index.set(place_of(entry.semid), Some(Arc::clone(&entry)), |_| true);
        list.push_front(Box::new(Node { links: Links::new(), entry }));
    }

    fn sweep(&self) {
        let mut list = self.list.lock();
        // In a section nothing waits for a grace period: those who wait for this lock may be in one.
        let section = self.list.read();
        list.retain(|node| {
            let removed = node.entry.is_removed();
            if removed {
                let is_it = |other: Option<&Arc<SemUndo>>| other.is_some_and(|other| Arc::ptr_eq(other, &node.entry));
                self.index.set(place_of(node.entry.semid), None, is_it);
            }
            !removed
        });
        drop(section);
    }

    fn pass(&self, mut visit: impl FnMut(&Arc<SemUndo>)) {
        let section = self.list.read();
        self.list.iter(&section).for_each(|node| visit(&node.entry));
    }
}

impl<F: Flavor> fmt::Debug for RcuUndoList<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RcuUndoList").finish_non_exhaustive()
    }
}

/// The lowest bits of an identifier, which no two sets share (`ipc/util.h: ipcid_to_idx`).
pub(super) const fn place_of(semid: SemId) -> usize {
    (semid & (IPCMNI - 1)) as usize
}
