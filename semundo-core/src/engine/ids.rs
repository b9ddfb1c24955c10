//! Identifiers and keys of sets (`ipc/util.c`): which set `semget(2)` finds, and which identifier a new one gets.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

use super::abi::{IPCMNI, IPCMNI_SHIFT};
use super::parking::Parking;
use super::set::Set;
use crate::types::SemId;

/// A new identifier is sought below one and a half times the number of sets, but at least this (`ipc_min_cycle`).
const MIN_CYCLE: i32 = 64;
/// `ipc/util.h: ipcid_seq_max`
const SEQ_MAX: u32 = i32::MAX as u32 >> IPCMNI_SHIFT;

/// What there is in sets: the kernel's `struct ipc_ids`.
pub(super) struct Ids<P: Parking, L> {
    keys: BTreeMap<i32, Arc<Set<P, L>>>,
    /// The places in use.
    used: BTreeSet<i32>,
    /// How many semaphores all sets have.
    pub used_sems: i64,
    next: i32,
    last: i32,
    seq: u32,
}

impl<P: Parking, L> Ids<P, L> {
    pub(super) const fn new() -> Self {
        Self { keys: BTreeMap::new(), used: BTreeSet::new(), used_sems: 0, next: 0, last: -1, seq: 0 }
    }

    pub(super) fn in_use(&self) -> i32 {
        self.used.len() as i32
    }

    /// The highest place in use (`ipc_get_maxidx`).
    pub(super) fn max_place(&self) -> Option<i32> {
        self.used.last().copied()
    }

    pub(super) fn by_key(&self, key: i32) -> Option<&Arc<Set<P, L>>> {
        self.keys.get(&key)
    }

    /// Gives the next identifier, with its sequence number; `None` where there are `limit` sets (`ipc_addid`, `ipc_idr_alloc`).
    pub(super) fn allocate(&mut self, limit: i32) -> Option<(SemId, u32)> {
        if self.in_use() >= limit.min(IPCMNI) {
            return None;
        }
        let end = (self.in_use() * 3 / 2).clamp(MIN_CYCLE, IPCMNI);
        let place = self.free(self.next, end).or_else(|| self.free(0, end))?;
        self.next = place + 1;
        if place <= self.last {
            self.seq = if self.seq + 1 >= SEQ_MAX { 0 } else { self.seq + 1 };
        }
        self.last = place;
        self.used.insert(place);
        Some((((self.seq as i32) << IPCMNI_SHIFT) + place, self.seq))
    }

    /// The first free place from `from` on and below `end`.
    fn free(&self, from: i32, end: i32) -> Option<i32> {
        let mut place = from;
        for used in self.used.range(from..) {
            if *used != place {
                break;
            }
            place += 1;
        }
        (place < end).then_some(place)
    }

    pub(super) fn insert(&mut self, set: &Arc<Set<P, L>>) {
        self.used_sems += set.sems.len() as i64;
        if set.key != super::abi::IPC_PRIVATE {
            self.keys.insert(set.key, Arc::clone(set));
        }
    }

    /// `ipc/util.c: ipc_rmid`
    pub(super) fn remove(&mut self, set: &Set<P, L>) {
        self.used.remove(&(set.id & (IPCMNI - 1)));
        self.used_sems -= set.sems.len() as i64;
        if set.key != super::abi::IPC_PRIVATE {
            self.keys.remove(&set.key);
        }
    }
}
