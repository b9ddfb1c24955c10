//! Memory that a walk grows, fallibly: vectors in user space, the kernel's allocator in a module.

use seqfile_core::Errno;

/// A growable array of plain values.
pub trait Buffer<T: Copy + Default>: Default {
    /// All elements.
    fn as_slice(&self) -> &[T];

    /// All elements, to write to.
    fn as_mut_slice(&mut self) -> &mut [T];

    /// Makes the array at least `len` elements long; the new ones hold any valid value.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; the array is as before.
    fn grow(&mut self, len: usize) -> Result<(), Errno>;
}

/// A kind of memory: names the [`Buffer`] type for every element type.
pub trait Memory {
    /// A growable array in this memory.
    type Buffer<T: Copy + Default>: Buffer<T>;
}

/// The global allocator.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy, Debug)]
pub struct Heap;

#[cfg(feature = "alloc")]
impl Memory for Heap {
    type Buffer<T: Copy + Default> = alloc::vec::Vec<T>;
}

#[cfg(feature = "alloc")]
impl<T: Copy + Default> Buffer<T> for alloc::vec::Vec<T> {
    fn as_slice(&self) -> &[T] {
        self
    }

    fn as_mut_slice(&mut self) -> &mut [T] {
        self
    }

    fn grow(&mut self, len: usize) -> Result<(), Errno> {
        if let Some(more) = len.checked_sub(self.len()) {
            self.try_reserve(more).map_err(|_| Errno::ENOMEM)?;
            self.resize(len, T::default());
        }
        Ok(())
    }
}
