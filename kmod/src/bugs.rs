//! Bugs on purpose, of the kinds that the kernel's checkers are to find in Rust, too (`checks/bugs.c`).

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::hint::black_box;

use semundo_core::memory::Buffer;

use crate::ffi;
use crate::memory::KvBuffer;

/// Reads memory that was freed.
#[unsafe(no_mangle)]
extern "C" fn semundo_bug_use_after_free() {
    let memory = black_box(ffi::semundo_alloc(64).cast::<u8>());
    if !memory.is_null() {
        // SAFETY: the memory is freed once; that it is read afterwards is what is to be found.
        unsafe {
            ffi::semundo_free(memory.cast::<c_void>());
            black_box(memory.read());
        }
    }
}

/// Reads beyond the end of memory.
#[unsafe(no_mangle)]
extern "C" fn semundo_bug_out_of_bounds() {
    let mut buffer = KvBuffer::<u8>::default();
    if buffer.grow(61).is_ok() {
        // SAFETY: none: the byte behind the last one is what is to be found. It lies in the allocator's object.
        black_box(unsafe { black_box(buffer.as_slice().as_ptr()).add(61).read() });
    }
}

/// A number that everybody changes at will.
struct Shared(UnsafeCell<u32>);

// SAFETY: none: that it is shared without a lock is what is to be found.
unsafe impl Sync for Shared {}

static SHARED: Shared = Shared(UnsafeCell::new(0));

/// Changes a number that others change at the same time.
#[unsafe(no_mangle)]
extern "C" fn semundo_bug_data_race() {
    for _ in 0..200_000 {
        let number = black_box(SHARED.0.get());
        // SAFETY: the address is valid; that others change the number, too, is what is to be found.
        unsafe { number.write(number.read().wrapping_add(1)) };
    }
}
