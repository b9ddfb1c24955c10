//! The caller's own undo list: the RCU walk of `list_proc`, which the caller's reference makes safe.

use core::ptr::NonNull;
use core::sync::atomic::{Ordering, fence};

use rcu_core::Flavor;
use rcu_core::flavor::kernel::Kernel;
use rcu_core::list::Entries;
use semundo_core::source::{Adjustments, OwnKey, Source};
use seqfile_core::Errno;

use crate::ffi;
use crate::undo::Undo;

/// The undo list of whoever reads.
pub struct OwnList;

impl Source for OwnList {
    type Key = OwnKey;

    fn pass(&mut self, mut visit: impl FnMut(OwnKey, Adjustments<'_>)) -> Result<(), Errno> {
        let Some(head) = NonNull::new(ffi::semundo_own_list()) else {
            return Ok(());
        };
        let section = Kernel.read_lock();
        // SAFETY: the caller holds a reference to its list; its entries are freed after a grace period (`kvfree_rcu` in
        // ipc/sem.c), and the iterator is gone before the section ends.
        for link in unsafe { Entries::new(head) } {
            // SAFETY: the links of `list_proc` are those of entries, valid inside the section.
            let undo = unsafe { Undo::from_list_proc(link) };
            let Some(semid) = undo.semid() else { continue };
            // SAFETY: inside the section.
            let nsems = unsafe { ffi::semundo_set_size(semid) };
            // Pairs with the kernel's marking the entry before it takes the set out of the idr: when the entry is unmarked
            // after the set was found, the set is the entry's own and no later one with the same identifier.
            fence(Ordering::Acquire);
            if nsems > 0 && undo.semid() == Some(semid) {
                // SAFETY: `nsems` is the size of the entry's own set, by the check above.
                visit(OwnKey { semid }, unsafe { undo.adjustments(nsems as usize) });
            }
        }
        drop(section);
        Ok(())
    }
}
