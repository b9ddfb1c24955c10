//! The caller's own undo list, under its lock.

use core::ptr::NonNull;

use rcu_core::Flavor;
use rcu_core::flavor::kernel::Kernel;
use rcu_core::list::{Entries, ListHead};
use semundo_core::source::{Adjustments, OwnKey, Source};
use seqfile_core::Errno;

use crate::ffi;
use crate::undo::Undo;

/// The undo list of whoever reads.
pub struct OwnList;

impl Source for OwnList {
    type Key = OwnKey;

    fn pass(&mut self, mut visit: impl FnMut(OwnKey, Adjustments<'_>)) -> Result<(), Errno> {
        ffi::between_passes()?;
        let section = Kernel.read_lock();
        if let Some(list) = LockedList::lock() {
            for (semid, undo) in list.entries() {
                // SAFETY: inside the section.
                let nsems = unsafe { ffi::semundo_set_size(semid) };
                // SAFETY: `nsems` is the size of the entry's own set: a set takes its entries off their lists, under the lists'
                // locks, before it gives up its identifier (ipc/sem.c: freeary).
                visit(OwnKey { semid }, unsafe { undo.adjustments(nsems.max(0) as usize) });
            }
        }
        drop(section);
        Ok(())
    }
}

/// The caller's own undo list, locked: entries neither come, go nor move.
///
/// # Invariants
///
/// The list is locked by this thread, and `head` anchors its entries.
struct LockedList {
    head: NonNull<ListHead>,
}

impl LockedList {
    /// Locks the caller's list; `None` when it has none.
    fn lock() -> Option<Self> {
        // INVARIANT: not null means locked.
        NonNull::new(ffi::semundo_own_lock()).map(|head| Self { head })
    }

    /// The entries, each with the set that it is of.
    fn entries(&self) -> impl Iterator<Item = (i32, Undo)> + '_ {
        // SAFETY: the lock keeps updaters out while `self` is borrowed (type invariant).
        let links = unsafe { Entries::new(self.head) };
        // SAFETY: the links of `list_proc` are those of entries, which are freed only after they left the list.
        links.map(|link| unsafe { Undo::from_list_proc(link) }).map(|undo| (undo.semid(), undo))
    }
}

impl Drop for LockedList {
    fn drop(&mut self) {
        // SAFETY: locked by this thread (type invariant).
        unsafe { ffi::semundo_own_unlock() };
    }
}
