//! An undo list and those who share it (`ipc/sem.c: struct sem_undo_list`).

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use lock_api::Mutex;

use super::parking::Parking;
use super::storage::SemUndo;

/// An undo list: its entries, and the processes that share it (`CLONE_SYSVSEM`).
pub(super) struct Undo<P: Parking, L> {
    pub entries: L,
    sharers: Mutex<P::RawMutex, Vec<i32>>,
    /// The lowest pid among the sharers.
    lowest: AtomicI32,
    /// Counts the turns from one entry to another.
    turns: AtomicU64,
    _parking: PhantomData<P>,
}

impl<P: Parking, L> Undo<P, L> {
    pub(super) fn new(entries: L, pid: i32) -> Self {
        Self {
            entries,
            sharers: Mutex::new([pid].into()),
            lowest: AtomicI32::new(pid),
            turns: AtomicU64::new(0),
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

    /// Notes that an entry was looked up: the kernel moves it to the head of the list, which is where exit begins (`lookup_undo`).
    #[inline]
    pub(super) fn note_use(&self, entry: &SemUndo) {
        let turns = self.turns.load(Ordering::Relaxed);
        if turns == 0 || entry.used.load(Ordering::Relaxed) != turns {
            entry.used.store(turns + 1, Ordering::Relaxed);
            self.turns.store(turns + 1, Ordering::Relaxed);
        }
    }
}
