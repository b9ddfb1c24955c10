//! An undo list in user space: an RCU list that is read without a lock while it changes.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicI16, Ordering};

use rcu_core::{Flavor, Links, List, linked};
use seqfile_core::Errno;

use crate::source::{Adjustments, OwnKey, Source};
use crate::types::{SemAdj, SemId};

/// One process's adjustments of one semaphore set: the kernel's `struct sem_undo`.
struct SemUndo {
    links: Links,
    semid: SemId,
    semadj: Box<[AtomicI16]>,
}
linked!(SemUndo, links);

/// One process's undo list: the kernel's `struct sem_undo_list`, as [`Source`] through a shared reference.
///
/// As in the kernel, new entries are added at the head and readers need no lock.
#[derive(Debug)]
pub struct UndoList<F: Flavor> {
    list: List<SemUndo, F>,
}

impl<F: Flavor> UndoList<F> {
    /// An empty list.
    pub fn new(flavor: F) -> Self {
        Self { list: List::new(flavor) }
    }

    /// Adds an entry for a set that has none yet (`ipc/sem.c: find_alloc_undo`). Answers whether it had none.
    pub fn insert(&self, semid: SemId, adjustments: &[SemAdj]) -> bool {
        let mut writer = self.list.lock();
        if self.find(semid, |_| ()).is_some() {
            return false;
        }
        let semadj = adjustments.iter().map(|adjustment| AtomicI16::new(*adjustment)).collect();
        writer.push_front(Box::new(SemUndo { links: Links::new(), semid, semadj }));
        true
    }

    /// Adds to one adjustment, wrapping at the ends of its range. Answers whether the set and the semaphore are there.
    pub fn adjust(&self, semid: SemId, semnum: usize, by: SemAdj) -> bool {
        self.find(semid, |entry| entry.semadj.get(semnum).map(|adjustment| adjustment.fetch_add(by, Ordering::Relaxed)))
            .flatten()
            .is_some()
    }

    /// Removes the entry of a set, as its removal does (`ipc/sem.c: freeary`). Answers whether there was one.
    pub fn remove(&self, semid: SemId) -> bool {
        let mut found = false;
        self.list.lock().retain(|entry| {
            found |= entry.semid == semid;
            entry.semid != semid
        });
        found
    }

    fn find<R>(&self, semid: SemId, then: impl FnOnce(&SemUndo) -> R) -> Option<R> {
        let guard = self.list.read();
        self.list.iter(&guard).find(|entry| entry.semid == semid).map(then)
    }
}

impl<F: Flavor> Source for &UndoList<F> {
    type Key = OwnKey;

    fn pass(&mut self, mut visit: impl FnMut(OwnKey, Adjustments<'_>)) -> Result<(), Errno> {
        let guard = self.list.read();
        for entry in self.list.iter(&guard) {
            visit(OwnKey { semid: entry.semid }, &entry.semadj);
        }
        Ok(())
    }
}
