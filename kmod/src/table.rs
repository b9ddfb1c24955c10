//! The table of a whole IPC namespace: every set in turn, under its lock.
//!
//! Another process's undo list is never followed, since its exit frees it without a grace period. The entries are found from
//! the other side, the sets' own lists, and matched with the tasks by the list's address.

use core::ptr::NonNull;

use rcu_core::Flavor;
use rcu_core::flavor::kernel::Kernel;
use semundo_core::memory::Buffer;
use semundo_core::source::{Adjustments, Source, TableKey};
use seqfile_core::Errno;

use crate::ffi::{self, Opaque, Owner};
use crate::memory::KvBuffer;
use crate::set::LockedSet;

/// All undo entries of the reader's IPC namespace that the opener of `file` may see.
pub struct Table {
    /// The open file, which outlives its walk.
    file: NonNull<Opaque>,
    owners: KvBuffer<Owner>,
}

impl Table {
    /// The table as the opener of `file` may see it.
    ///
    /// # Safety
    ///
    /// `file` is the `struct file` that the walk is read through, valid as long as the result is used.
    pub unsafe fn new(file: NonNull<Opaque>) -> Self {
        Self { file, owners: KvBuffer::default() }
    }

    /// Enters a section and finds the owners in it, ordered by list, process, thread; each knows what its list goes by.
    fn owners(&mut self) -> Result<(impl Sized + use<>, &mut [Owner]), Errno> {
        loop {
            ffi::between_passes()?;
            let section = Kernel.read_lock();
            let room = self.owners.as_mut_slice();
            // SAFETY: inside the section; `room` may be written to; the file is valid by the contract of `new`.
            let found = unsafe { ffi::semundo_owners(self.file.as_ptr(), room.as_mut_ptr(), room.len()) };
            if found <= room.len() {
                let owners = &mut self.owners.as_mut_slice()[..found];
                owners.sort_unstable_by_key(|owner| (owner.undo_list, owner.pid, owner.tid));
                for sharers in owners.chunk_by_mut(|one, other| one.undo_list == other.undo_list) {
                    let list = sharers.iter().map(|owner| owner.tid).min().unwrap_or(0);
                    sharers.iter_mut().for_each(|owner| owner.list = list);
                }
                return Ok((section, owners));
            }
            drop(section);
            self.owners.grow(found + found / 8 + 16)?;
        }
    }
}

impl Source for Table {
    type Key = TableKey;

    fn pass(&mut self, mut visit: impl FnMut(TableKey, Adjustments<'_>)) -> Result<(), Errno> {
        let (section, owners) = self.owners()?;
        let mut index = 0;
        // SAFETY: inside the section.
        while let Some(set) = NonNull::new(unsafe { ffi::semundo_next_set(&mut index) }) {
            // SAFETY: the set was found inside the section.
            if let Some(set) = unsafe { LockedSet::lock(set) } {
                visit_owned(&set, owners, &mut visit);
            }
            index += 1;
        }
        drop(section);
        Ok(())
    }
}

/// Visits each entry of a set once for each process that owns its list.
fn visit_owned(set: &LockedSet, owners: &[Owner], visit: &mut impl FnMut(TableKey, Adjustments<'_>)) {
    for undo in set.undos() {
        let undo_list = undo.undo_list();
        let mut sharers = &owners[owners.partition_point(|owner| owner.undo_list < undo_list)..];
        while let Some(&Owner { pid, list, .. }) = sharers.first().filter(|owner| owner.undo_list == undo_list) {
            let same_process = |owner: &Owner| owner.undo_list == undo_list && owner.pid == pid;
            let (process, others) = sharers.split_at(sharers.partition_point(same_process));
            sharers = others;
            // The entry is alive, and with it its list: a task that has that address now has that very list, and
            // not a later one at the same place.
            // SAFETY: the tasks were found inside the section.
            if process.iter().any(|owner| unsafe { ffi::semundo_task_has(owner.task, undo_list) }) {
                let key = TableKey { semid: set.semid(), pid, identity: undo_list, list };
                visit(key, set.adjustments(&undo));
            }
        }
    }
}
