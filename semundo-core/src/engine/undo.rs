//! An undo list and those who share it (`ipc/sem.c: struct sem_undo_list`).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use lock_api::Mutex;
use rcu_core::Flavor;

use super::parking::Parking;
use super::storage::{SemUndo, UndoStorage};

/// So many removed entries may stay in a list, and one for each [`SWEPT_SHARE`] entries more.
const SWEPT_MIN: usize = 32;
const SWEPT_SHARE: usize = 8;

/// An undo list: its entries, and the processes that share it (`CLONE_SYSVSEM`).
pub(super) struct Undo<P: Parking, L> {
    pub entries: L,
    sharers: Mutex<P::RawMutex, Vec<i32>>,
    /// The lowest pid among the sharers.
    lowest: AtomicI32,
    /// Counts the turns from one entry to another.
    turns: AtomicU64,
    /// How many entries there are, those counted that are removed and not yet swept.
    len: AtomicUsize,
    /// How many of them are removed.
    removed: AtomicUsize,
    _parking: PhantomData<P>,
}

impl<P: Parking, L> Undo<P, L> {
    pub(super) fn new(entries: L, pid: i32) -> Self {
        Self {
            entries,
            sharers: Mutex::new([pid].into()),
            lowest: AtomicI32::new(pid),
            turns: AtomicU64::new(0),
            len: AtomicUsize::new(0),
            removed: AtomicUsize::new(0),
            _parking: PhantomData,
        }
    }

    /// The lowest pid among the sharers.
    pub(super) fn lowest(&self) -> i32 {
        self.lowest.load(Ordering::Relaxed)
    }

    pub(super) fn share(&self, pid: i32) {
        let mut sharers = self.sharers.lock();
        sharers.push(pid);
        self.note_lowest(&sharers);
    }

    /// Takes a sharer out and answers whether it was the last (`refcount_dec_and_test`).
    pub(super) fn leave(&self, pid: i32) -> bool {
        let mut sharers = self.sharers.lock();
        sharers.retain(|other| *other != pid);
        self.note_lowest(&sharers);
        sharers.is_empty()
    }

    fn note_lowest(&self, sharers: &[i32]) {
        if let Some(lowest) = sharers.iter().min() {
            self.lowest.store(*lowest, Ordering::Relaxed);
        }
    }

    /// Notes that an entry was added.
    pub(super) fn note_insert(&self) {
        self.len.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that an entry was removed. Entries are swept many at a time, since a sweep goes through the whole list: each removal then costs
    /// the same, however long the list is. Called where [`UndoStorage::sweep`] may be.
    pub(super) fn note_removal<F: Flavor>(&self)
    where
        L: UndoStorage<F>,
    {
        let removed = self.removed.fetch_add(1, Ordering::Relaxed) + 1;
        if removed > SWEPT_MIN + self.len.load(Ordering::Relaxed) / SWEPT_SHARE {
            let removed = self.removed.swap(0, Ordering::Relaxed);
            self.len.fetch_sub(removed, Ordering::Relaxed);
            self.entries.sweep();
        }
    }

    /// The entries, the one that was used last in front: the kernel moves what it looks up to the head of its list, where exit begins
    /// (`lookup_undo`, `exit_sem`).
    pub(super) fn in_exit_order<F: Flavor>(&self) -> Vec<Arc<SemUndo>>
    where
        L: UndoStorage<F>,
    {
        let mut entries = Vec::new();
        self.entries.pass(|entry| entries.push(Arc::clone(entry)));
        entries.sort_by_key(|entry| Reverse(entry.used.load(Ordering::Relaxed)));
        entries
    }

    /// Notes that an entry was looked up.
    #[inline]
    pub(super) fn note_use(&self, entry: &SemUndo) {
        let turns = self.turns.load(Ordering::Relaxed);
        if turns == 0 || entry.used.load(Ordering::Relaxed) != turns {
            entry.used.store(turns + 1, Ordering::Relaxed);
            self.turns.store(turns + 1, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use rcu_core::flavor::epoch::Epoch;

    use super::*;
    use crate::engine::{RcuUndoList, ThreadParking};

    #[test]
    fn exit_begins_with_what_was_used_last() {
        let undo = Undo::<ThreadParking, _>::new(RcuUndoList::new(&Epoch), 1);
        let entries = [3, 1, 2].map(|semid| Arc::new(SemUndo::new(semid, 1)));
        entries.iter().for_each(|entry| undo.entries.insert(Arc::clone(entry)));
        let order = || undo.in_exit_order::<Epoch>().iter().map(|entry| entry.semid()).collect::<Vec<_>>();
        [0, 1, 2, 2, 0, 0, 0].into_iter().for_each(|used| undo.note_use(&entries[used]));
        assert_eq!(order(), [3, 2, 1]);
        [1, 0].into_iter().for_each(|used| undo.note_use(&entries[used]));
        assert_eq!(order(), [3, 1, 2]);
    }

    /// The entries that the list's memory holds: those that are, and those that are removed.
    fn held(undo: &Undo<ThreadParking, RcuUndoList<Epoch>>) -> [usize; 2] {
        let mut held = [0, 0];
        undo.entries.pass(|entry| held[usize::from(entry.is_removed())] += 1);
        held
    }

    #[test]
    fn removed_entries_are_a_bounded_share_of_a_list() {
        const LEN: usize = 400;
        let undo = Undo::<ThreadParking, _>::new(RcuUndoList::new(&Epoch), 1);
        let entries: Vec<_> = (0..5 * LEN).map(|semid| Arc::new(SemUndo::new(semid as i32, 1))).collect();
        let mut most = 0;
        for (at, entry) in entries.iter().enumerate() {
            undo.entries.insert(Arc::clone(entry));
            undo.note_insert();
            if let Some(oldest) = at.checked_sub(LEN) {
                entries[oldest].set_removed();
                undo.note_removal::<Epoch>();
                assert_eq!(held(&undo)[0], LEN);
                most = most.max(held(&undo)[1]);
            }
        }
        assert!((SWEPT_MIN..=SWEPT_MIN + 2 * LEN / SWEPT_SHARE).contains(&most), "{most}");
        // The rest goes too, though the list becomes short.
        for entry in &entries[4 * LEN..] {
            entry.set_removed();
            undo.note_removal::<Epoch>();
        }
        assert_eq!(held(&undo)[0], 0);
        assert!(held(&undo)[1] <= 2 * SWEPT_MIN, "{:?}", held(&undo));
    }
}
