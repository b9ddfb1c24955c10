//! What the C half calls to write: the functions of the text of an open file.

use core::ffi::c_int;
use core::ptr;

use seqfile_core::Errno;

use crate::ffi;
use crate::write::Text;

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
