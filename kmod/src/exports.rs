//! What the C half calls: the check of the layouts, the functions of the two walks, and those of the text that is written.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{self, NonNull};
use core::slice;

use semundo_core::walk::Walk;
use seqfile_core::{Errno, Thunk};

use crate::ffi::{self, Member, Opaque};
use crate::layout::{self, Expected};
use crate::memory::Kv;
use crate::own::OwnList;
use crate::table::Table;
use crate::write::Text;

/// Checks the private layouts; on a difference writes why to `message` and returns `-EINVAL`.
///
/// # Safety
///
/// `btf` may be read for `len` bytes, `members` for `count` members, and `message` written for `size` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn semundo_check_layout(
    btf: *const u8,
    len: usize,
    members: *const Member,
    count: usize,
    message: *mut u8,
    size: usize,
) -> c_int {
    // SAFETY: by contract.
    let members = unsafe { slice::from_raw_parts(members, count) };
    let expected = members.iter().map(|member| Expected {
        // SAFETY: the names in the C half's table are constants.
        structure: unsafe { name(member.structure) }.unwrap_or(""),
        // SAFETY: as above, or null.
        member: unsafe { name(member.member) },
        offset: member.offset,
    });
    // SAFETY: by contract.
    let btf = unsafe { slice::from_raw_parts(btf, len) };
    match layout::check(btf, expected) {
        Ok(()) => 0,
        Err(refusal) => {
            // SAFETY: by contract.
            layout::report(&refusal, unsafe { slice::from_raw_parts_mut(message, size) });
            Errno::EINVAL.negated()
        }
    }
}

/// A name in the C half's table; `None` for null.
///
/// # Safety
///
/// `string` is null or a constant that lives as long as the module.
unsafe fn name(string: *const c_char) -> Option<&'static str> {
    // SAFETY: by contract.
    (!string.is_null()).then(|| unsafe { CStr::from_ptr(string) })?.to_str().ok()
}

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

walk!(OwnList, |_file| OwnList;
    semundo_own_new semundo_own_free semundo_own_start semundo_own_next semundo_own_show semundo_own_stop);
walk!(Table, Table::new;
    semundo_table_new semundo_table_free semundo_table_start semundo_table_next semundo_table_show semundo_table_stop);

/// An empty text for an open file; null when there is no memory.
#[unsafe(no_mangle)]
extern "C" fn semundo_text_new() -> *mut Text {
    let memory = ffi::semundo_alloc(size_of::<Text>()).cast::<Text>();
    if !memory.is_null() {
        const { assert!(align_of::<Text>() <= ffi::ALLOC_ALIGN) };
        // SAFETY: the memory is of the type's size and aligned for the type.
        unsafe { memory.write(Text::default()) };
    }
    memory
}

/// Frees a text, or null.
///
/// # Safety
///
/// `text` is null, or a text that nobody uses any more.
#[unsafe(no_mangle)]
unsafe extern "C" fn semundo_text_free(text: *mut Text) {
    if !text.is_null() {
        // SAFETY: by contract; the memory came from `semundo_alloc`.
        unsafe {
            text.drop_in_place();
            ffi::semundo_free(text.cast());
        }
    }
}

/// How many bytes wait for the rest of their line.
///
/// # Safety
///
/// `text` is a text.
#[unsafe(no_mangle)]
unsafe extern "C" fn semundo_text_waiting(text: *const Text) -> usize {
    // SAFETY: by contract.
    unsafe { (*text).waiting() }
}

/// Where the `len` bytes of the next write belong, or an error as `ERR_PTR` has it.
///
/// # Safety
///
/// `text` is a text that nobody else uses meanwhile.
#[unsafe(no_mangle)]
unsafe extern "C" fn semundo_text_room(text: *mut Text, len: usize) -> *mut u8 {
    // SAFETY: by contract.
    match unsafe { (*text).room(len) } {
        Ok(room) => room.as_mut_ptr(),
        Err(error) => ptr::without_provenance_mut(error.negated() as usize),
    }
}

/// Restores the complete lines and keeps the rest, and gives up the room: 0 or a negative error.
///
/// # Safety
///
/// `text` is a text that nobody else uses meanwhile.
#[unsafe(no_mangle)]
unsafe extern "C" fn semundo_text_take(text: *mut Text, len: usize) -> c_int {
    // SAFETY: by contract.
    unsafe { (*text).take(len) }.map_or_else(Errno::negated, |()| 0)
}
