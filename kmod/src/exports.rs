//! What the C half calls to read: the functions of the two walks.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use semundo_core::walk::Walk;
use seqfile_core::Thunk;

use crate::ffi::{self, Opaque};
use crate::memory::Kv;
use crate::own::OwnList;
#[cfg(not(semundo_in_tree))]
use crate::table::Table;

/// The six functions of a walk, under the names that the C half calls.
macro_rules! walk {
    ($source:ty, $new_source:expr; $new:ident $free:ident $start:ident $next:ident $show:ident $stop:ident) => {
        /// A walk for an open file; null when there is no memory.
        ///
        /// # Safety
        ///
        /// `file` is valid until the walk is freed.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $new(file: NonNull<Opaque>) -> *mut c_void {
            let memory = ffi::semundo_alloc(size_of::<Thunk<Walk<$source, Kv>>>()).cast::<Thunk<Walk<$source, Kv>>>();
            if !memory.is_null() {
                const { assert!(align_of::<Thunk<Walk<$source, Kv>>>() <= ffi::ALLOC_ALIGN) };
                let new_source: unsafe fn(NonNull<Opaque>) -> $source = $new_source;
                // SAFETY: the memory is of the type's size and aligned for the type; the file is valid by contract.
                unsafe { memory.write(Thunk::new(Walk::new(new_source(file)))) };
            }
            memory.cast()
        }

        /// Frees a walk.
        ///
        /// # Safety
        ///
        /// `walk` is a walk of this kind that nobody uses any more.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $free(walk: *mut c_void) {
            // SAFETY: by contract; the memory came from `semundo_alloc`.
            unsafe {
                walk.cast::<Thunk<Walk<$source, Kv>>>().drop_in_place();
                ffi::semundo_free(walk);
            }
        }

        /// `seq_operations.start`.
        ///
        /// # Safety
        ///
        /// As [`Thunk::start`], with a walk of this kind.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $start(walk: *mut c_void, pos: *mut i64) -> isize {
            // SAFETY: by contract.
            unsafe { Thunk::<Walk<$source, Kv>>::start(walk.cast(), pos) }
        }

        /// `seq_operations.next`.
        ///
        /// # Safety
        ///
        /// As [`Thunk::next`], with a walk of this kind.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $next(walk: *mut c_void, pos: *mut i64) -> isize {
            // SAFETY: by contract.
            unsafe { Thunk::<Walk<$source, Kv>>::next(walk.cast(), pos) }
        }

        /// `seq_operations.show`.
        ///
        /// # Safety
        ///
        /// As [`Thunk::show`], with a walk of this kind.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $show(walk: *mut c_void, buf: *mut u8, size: usize, count: *mut usize) -> c_int {
            // SAFETY: by contract.
            unsafe { Thunk::<Walk<$source, Kv>>::show(walk.cast(), buf, size, count) }
        }

        /// `seq_operations.stop`.
        ///
        /// # Safety
        ///
        /// As [`Thunk::stop`], with a walk of this kind.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $stop(walk: *mut c_void) {
            // SAFETY: by contract.
            unsafe { Thunk::<Walk<$source, Kv>>::stop(walk.cast()) }
        }
    };
}

walk!(OwnList, OwnList::new;
    semundo_own_new semundo_own_free semundo_own_start semundo_own_next semundo_own_show semundo_own_stop);
#[cfg(not(semundo_in_tree))]
walk!(Table, Table::new;
    semundo_table_new semundo_table_free semundo_table_start semundo_table_next semundo_table_show semundo_table_stop);
