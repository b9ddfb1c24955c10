//! One semaphore set, under its lock.

use core::ptr::NonNull;

use rcu_core::list::{Entries, ListHead};
use semundo_core::source::Adjustments;
use semundo_core::types::SemId;

use crate::ffi::{self, Opaque};
use crate::undo::Undo;

/// A semaphore set that is locked against all but single-semaphore operations.
///
/// # Invariants
///
/// `set` is locked by this thread and not being removed; `undos` anchors its list of undo entries; it has `nsems` semaphores.
pub struct LockedSet {
    set: NonNull<Opaque>,
    undos: NonNull<ListHead>,
    semid: SemId,
    nsems: usize,
}

impl LockedSet {
    /// Locks a set; `None` when it is being removed.
    ///
    /// # Safety
    ///
    /// `set` was found in the read-side critical section that is still open, and stays open while the lock is held.
    pub unsafe fn lock(set: NonNull<Opaque>) -> Option<Self> {
        let (mut semid, mut nsems) = (0, 0);
        // SAFETY: the set is valid memory in the section.
        let undos = unsafe { ffi::semundo_set_lock(set.as_ptr(), &mut semid, &mut nsems) };
        // INVARIANT: not null means locked and alive; the number of a set's semaphores is above 0 and never changes.
        NonNull::new(undos).map(|undos| Self { set, undos, semid, nsems: nsems as usize })
    }

    /// Its identifier.
    pub fn semid(&self) -> SemId {
        self.semid
    }

    /// Its undo entries, of all lists.
    pub fn undos(&self) -> impl Iterator<Item = Undo> + '_ {
        // SAFETY: `list_id` changes only under the set's lock, which is held while the iterator lives (type invariant).
        let links = unsafe { Entries::new(self.undos) };
        // SAFETY: the links of `list_id` are those of entries, which are freed only after they left it.
        links.map(|link| unsafe { Undo::from_list_id(link) })
    }

    /// The adjustments of one of [its entries](LockedSet::undos).
    pub fn adjustments<'a>(&self, undo: &'a Undo) -> Adjustments<'a> {
        // SAFETY: the entry is one of this set's, which has `nsems` semaphores (type invariant).
        unsafe { undo.adjustments(self.nsems) }
    }

    /// Copies its values: `None` where `values` is not one a semaphore.
    pub fn values(&self, values: &mut [u16]) -> Option<()> {
        // SAFETY: the set is locked (type invariant), and there is room for a value of each semaphore.
        (values.len() == self.nsems).then(|| unsafe { ffi::semundo_set_values(self.set.as_ptr(), values.as_mut_ptr()) })
    }
}

impl Drop for LockedSet {
    fn drop(&mut self) {
        // SAFETY: locked by this thread (type invariant).
        unsafe { ffi::semundo_set_unlock(self.set.as_ptr()) };
    }
}
