//! What the C half calls to read: the functions of the two walks.

use core::ptr::NonNull;

use semundo_core::walk::Walk;

use crate::ffi::{self, Opaque};
use crate::memory::Kv;
use crate::own::OwnList;
#[cfg(not(semundo_in_tree))]
use crate::table::Table;

/// A walk over the undo list of an open file.
///
/// # Safety
///
/// `file` is valid until the walk is dropped.
unsafe fn own(file: NonNull<Opaque>) -> Walk<OwnList, Kv> {
    // SAFETY: by contract.
    Walk::new(unsafe { OwnList::new(file) })
}

seqfile_core::thunks! {
    operations: Walk<OwnList, Kv>,
    new: own(NonNull<Opaque>),
    memory: ffi::semundo_alloc, ffi::semundo_free, ffi::ALLOC_ALIGN,
    functions:
        semundo_own_new semundo_own_free semundo_own_start semundo_own_next semundo_own_show semundo_own_stop,
}

/// A walk over the table that the opener of a file may see.
///
/// # Safety
///
/// `file` is valid until the walk is dropped.
#[cfg(not(semundo_in_tree))]
unsafe fn table(file: NonNull<Opaque>) -> Walk<Table, Kv> {
    // SAFETY: by contract.
    Walk::new(unsafe { Table::new(file) })
}

#[cfg(not(semundo_in_tree))]
seqfile_core::thunks! {
    operations: Walk<Table, Kv>,
    new: table(NonNull<Opaque>),
    memory: ffi::semundo_alloc, ffi::semundo_free, ffi::ALLOC_ALIGN,
    functions:
        semundo_table_new semundo_table_free semundo_table_start semundo_table_next semundo_table_show semundo_table_stop,
}
