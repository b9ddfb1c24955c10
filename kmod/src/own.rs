//! The undo list that a file is of, under its lock: the caller's own, or in a patched kernel that of the file's task.

use core::ptr::NonNull;

use rcu_core::Flavor;
use rcu_core::flavor::kernel::Kernel;
use rcu_core::list::{Entries, ListHead};
use semundo_core::source::{Adjustments, OwnKey, Source};
use seqfile_core::Errno;

use crate::ffi::{self, Opaque};
use crate::undo::Undo;

/// The undo list that an open file is of.
pub struct OwnList {
    /// The open file, which outlives its walk.
    file: NonNull<Opaque>,
}

impl OwnList {
    /// The list that `file` is of.
    ///
    /// # Safety
    ///
    /// `file` is the `struct file` that the walk is read through, valid as long as the result is used.
    pub unsafe fn new(file: NonNull<Opaque>) -> Self {
        Self { file }
    }
}

impl Source for OwnList {
    type Key = OwnKey;

    fn pass(&mut self, mut visit: impl FnMut(OwnKey, Adjustments<'_>)) -> Result<(), Errno> {
        ffi::between_passes()?;
        let section = Kernel.read_lock();
        // SAFETY: inside the section; the file is valid by the contract of `new`.
        if let Some(list) = unsafe { LockedList::lock(self.file) } {
            for undo in list.entries() {
                // SAFETY: inside the section, and the list is locked.
                let nsems = unsafe { ffi::semundo_undo_size(undo.as_ptr()) };
                // SAFETY: `nsems` is the size of the entry's own set: a set takes its entries off their lists, under the lists'
                // locks, before it gives up its identifier (ipc/sem.c: freeary).
                visit(OwnKey { semid: undo.semid() }, unsafe { undo.adjustments(nsems.max(0) as usize) });
            }
        }
        drop(section);
        Ok(())
    }
}

/// An undo list, locked: entries neither come, go nor move.
///
/// # Invariants
///
/// The list is locked by this thread, and `head` anchors its entries.
struct LockedList {
    head: NonNull<ListHead>,
}

impl LockedList {
    /// Locks the list that a file is of; `None` when there is none.
    ///
    /// # Safety
    ///
    /// `file` is valid; the read-side critical section that is open now stays open while the lock is held.
    unsafe fn lock(file: NonNull<Opaque>) -> Option<Self> {
        // SAFETY: by contract.
        let head = unsafe { ffi::semundo_own_lock(file.as_ptr()) };
        // INVARIANT: not null means locked.
        NonNull::new(head).map(|head| Self { head })
    }

    fn entries(&self) -> impl Iterator<Item = Undo> + '_ {
        // SAFETY: the lock keeps updaters out while `self` is borrowed (type invariant).
        let links = unsafe { Entries::new(self.head) };
        // SAFETY: the links of `list_proc` are those of entries, which are freed only after they left the list.
        links.map(|link| unsafe { Undo::from_list_proc(link) })
    }
}

impl Drop for LockedList {
    fn drop(&mut self) {
        // SAFETY: locked by this thread (type invariant).
        unsafe { ffi::semundo_own_unlock(self.head.as_ptr()) };
    }
}
