//! The memory of a `SeqFile`: its own from the heap, or the caller's.

use crate::Errno;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;

/// What a [`SeqFile`](crate::SeqFile) keeps text in between two reads.
///
/// [`Heap`] grows for a large record. The caller's own bytes do not: `&mut [u8]`, and `[u8; N]`, which the file then
/// contains.
pub trait Buffer {
    /// How many bytes there are, or will be with the next [`prepare`](Self::prepare).
    fn size(&self) -> usize;

    /// Makes [`bytes_mut`](Self::bytes_mut) as long as [`size`](Self::size).
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn prepare(&mut self) -> Result<(), Errno>;

    /// The bytes: none, or [`size`](Self::size) of them.
    fn bytes(&self) -> &[u8];

    /// The bytes, to be written.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Makes [`size`](Self::size) larger; what the bytes held may be lost.
    ///
    /// # Errors
    ///
    /// `ENOBUFS` where it is as large as it may be; `ENOMEM`.
    fn grow(&mut self) -> Result<(), Errno>;
}

/// A buffer from the heap, allocated when it is first needed and doubled for a record that it does not hold.
#[cfg(feature = "alloc")]
#[derive(Debug)]
pub struct Heap {
    bytes: Vec<u8>,
    size: usize,
    limit: usize,
}

/// A buffer from the heap: there is none without the feature `alloc`.
#[cfg(not(feature = "alloc"))]
#[derive(Debug)]
pub enum Heap {}

#[cfg(feature = "alloc")]
impl Heap {
    /// The kernel's `kvmalloc` gives no more than this.
    const MAX_SIZE: usize = i32::MAX as usize;

    /// A buffer of `size` bytes that grows up to `limit`, or not at all where that is less.
    pub const fn new(size: usize, limit: usize) -> Self {
        Self { bytes: Vec::new(), size, limit }
    }

    /// The same buffer with another limit.
    pub(crate) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }
}

#[cfg(feature = "alloc")]
impl Buffer for Heap {
    fn size(&self) -> usize {
        self.size
    }

    fn prepare(&mut self) -> Result<(), Errno> {
        if self.bytes.is_empty() {
            if self.size > Self::MAX_SIZE || self.bytes.try_reserve_exact(self.size).is_err() {
                return Err(Errno::ENOMEM);
            }
            self.bytes.resize(self.size, 0);
        }
        Ok(())
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn grow(&mut self) -> Result<(), Errno> {
        if self.size >= self.limit {
            return Err(Errno::ENOBUFS);
        }
        // The old one goes first: there is nothing in it to keep.
        self.bytes = Vec::new();
        self.size = self.size.saturating_mul(2).clamp(1, self.limit);
        Ok(())
    }
}

macro_rules! of_the_caller {
    ($($impl:tt)*) => {
        /// The caller's bytes, which do not grow.
        $($impl)* {
            fn size(&self) -> usize {
                self.len()
            }

            fn prepare(&mut self) -> Result<(), Errno> {
                Ok(())
            }

            fn bytes(&self) -> &[u8] {
                &self[..]
            }

            fn bytes_mut(&mut self) -> &mut [u8] {
                &mut self[..]
            }

            fn grow(&mut self) -> Result<(), Errno> {
                Err(Errno::ENOBUFS)
            }
        }
    };
}

of_the_caller!(impl Buffer for &mut [u8]);
of_the_caller!(impl<const N: usize> Buffer for [u8; N]);
