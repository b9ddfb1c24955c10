//! The kernel's `struct sem_undo`, read through the offsets that the C half was compiled with.

use core::ptr::NonNull;
use core::slice;
use core::sync::atomic::{AtomicI16, AtomicI32, Ordering};

use rcu_core::list::ListHead;
use semundo_core::source::Adjustments;
use semundo_core::types::SemId;

use crate::ffi::{Opaque, semundo_offsets as offsets};

/// An entry of an undo list, in the kernel's memory.
///
/// # Invariants
///
/// `at` points to a `struct sem_undo` that is valid memory for as long as this value is used: a lock on
/// its list or on its set protects it.
pub struct Undo {
    at: NonNull<u8>,
}

impl Undo {
    /// The entry whose `list_proc` this is.
    ///
    /// # Safety
    ///
    /// `link` is the `list_proc` of an entry that is valid memory for as long as the result is used.
    pub unsafe fn from_list_proc(link: NonNull<ListHead>) -> Self {
        // SAFETY: the member lies inside the entry.
        // INVARIANT: the caller keeps the entry valid.
        Self { at: unsafe { link.cast::<u8>().byte_sub(offsets.undo_list_proc) } }
    }

    /// The entry whose `list_id` this is.
    ///
    /// # Safety
    ///
    /// `link` is the `list_id` of an entry that is valid memory for as long as the result is used.
    pub unsafe fn from_list_id(link: NonNull<ListHead>) -> Self {
        // SAFETY: the member lies inside the entry.
        // INVARIANT: the caller keeps the entry valid.
        Self { at: unsafe { link.cast::<u8>().byte_sub(offsets.undo_list_id) } }
    }

    /// The entry's address, for the C half.
    pub fn as_ptr(&self) -> *const Opaque {
        self.at.as_ptr().cast()
    }

    /// The set that the entry is of. It changes only when the entry leaves its list (`ipc/sem.c: freeary`).
    pub fn semid(&self) -> SemId {
        // SAFETY: the entry is valid (type invariant), and an aligned `int` lies at the offset.
        let semid = unsafe { self.at.byte_add(offsets.undo_semid).cast::<AtomicI32>().as_ref() };
        semid.load(Ordering::Relaxed)
    }

    /// The address of the list that the entry belongs to: to be compared, never followed.
    pub fn undo_list(&self) -> usize {
        // SAFETY: the entry is valid (type invariant), and an aligned pointer that never changes lies at the offset.
        unsafe { self.at.byte_add(offsets.undo_ulp).cast::<usize>().read() }
    }

    /// The adjustments.
    ///
    /// # Safety
    ///
    /// The entry's set has `nsems` semaphores.
    pub unsafe fn adjustments(&self, nsems: usize) -> Adjustments<'_> {
        // SAFETY: the member lies inside the entry; on kernels where it is a pointer, it points into the entry's own
        // allocation and never changes.
        let start = unsafe {
            let member = self.at.byte_add(offsets.undo_semadj);
            if offsets.semadj_is_pointer != 0 { member.cast::<NonNull<u8>>().read() } else { member }
        };
        // SAFETY: the array has an element for each semaphore of the set and lives as long as the entry (type invariant).
        unsafe { slice::from_raw_parts(start.cast::<AtomicI16>().as_ptr(), nsems) }
    }
}
