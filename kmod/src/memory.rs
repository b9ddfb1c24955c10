//! The kernel's allocator as the walk's memory: `kvmalloc`, charged to the reader.

use core::ffi::c_void;
use core::ptr::NonNull;
use core::slice;

use semundo_core::memory::{Buffer, Memory};
use seqfile_core::Errno;

use crate::ffi;

/// Memory from `kvmalloc`.
pub struct Kv;

impl Memory for Kv {
    type Buffer<T: Copy + Default> = KvBuffer<T>;
}

/// A growable array in memory from `kvmalloc`.
///
/// # Invariants
///
/// `start` is dangling and `len` 0, or `start` points to an allocation of `semundo_alloc` that this buffer owns and whose
/// first `len` elements are initialised.
pub struct KvBuffer<T> {
    start: NonNull<T>,
    len: usize,
}

impl<T> Default for KvBuffer<T> {
    fn default() -> Self {
        // INVARIANT: empty.
        Self { start: NonNull::dangling(), len: 0 }
    }
}

impl<T: Copy + Default> Buffer<T> for KvBuffer<T> {
    fn as_slice(&self) -> &[T] {
        // SAFETY: the first `len` elements are initialised (type invariant); the borrow is that of `self`.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        // SAFETY: as above, and the borrow is exclusive.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    fn grow(&mut self, len: usize) -> Result<(), Errno> {
        const { assert!(size_of::<T>() > 0 && align_of::<T>() <= ffi::ALLOC_ALIGN) };
        if len <= self.len {
            return Ok(());
        }
        let bytes = len.checked_mul(size_of::<T>()).ok_or(Errno::ENOMEM)?;
        let start = NonNull::new(ffi::semundo_alloc(bytes).cast::<T>()).ok_or(Errno::ENOMEM)?;
        for (i, element) in
            self.as_slice().iter().copied().chain(core::iter::repeat(T::default())).take(len).enumerate()
        {
            // SAFETY: the allocation holds `len` elements, and `i < len`.
            unsafe { start.add(i).write(element) };
        }
        // INVARIANT: the new allocation is owned and has `len` initialised elements; the assignment frees the old one.
        *self = Self { start, len };
        Ok(())
    }
}

impl<T> Drop for KvBuffer<T> {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: the allocation is this buffer's own (type invariant).
            unsafe { ffi::semundo_free(self.start.as_ptr().cast::<c_void>()) };
        }
    }
}
