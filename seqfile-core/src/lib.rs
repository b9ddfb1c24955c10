//! The kernel's `seq_file` as a Rust crate: a sequence of records is described once, by
//! [`SeqOperations`], and read anywhere, in pieces of any size, from any offset.
//!
//! * [`SeqOperations`] and [`Section`] are `struct seq_operations`: `start`, `next`, `show`, and
//!   `stop` as the section's drop.
//! * [`SeqBuf`] is the bounded buffer that `show` prints into. It remembers overflow and formats
//!   numbers without `core::fmt`.
//! * [`SeqFile`] (feature `alloc`) drives the operations in user space with the observable
//!   behaviour of `fs/seq_file.c`.
//! * [`Thunk`] lets the kernel's own `seq_file` drive the very same operations.
//! * [`SliceOps`] is a complete sequence over a slice: the shortest useful one, and an example.
//!
//! The crate is `no_std` and has no dependency. With the default feature `std`, [`SeqFile`] is
//! `std::io::{Read, BufRead, Seek}`.
//!
//! ```
//! # #[cfg(feature = "alloc")] {
//! use seqfile_core::{Errno, SeqBuf, SeqFile, Show, SliceOps};
//!
//! let values = [(1, -3), (2, 0), (7, 12)];
//! // Pairs of zero are left out, as records that `show` skips.
//! let show = |&(id, adj): &(u32, i16), out: &mut SeqBuf<'_>| -> Result<Show, Errno> {
//!     if adj == 0 {
//!         return Ok(Show::Skip);
//!     }
//!     out.put_dec_padded(id, 4);
//!     out.put_char(b' ');
//!     out.put_dec(adj);
//!     out.put_char(b'\n');
//!     Ok(Show::Record)
//! };
//!
//! let mut file = SeqFile::new(SliceOps::new(&values[..], show));
//! let mut bytes = [0; 64];
//! let n = file.read(&mut bytes)?;
//! assert_eq!(&bytes[..n], b"   1 -3\n   7 12\n");
//!
//! // Any offset, any size: always a slice of the whole.
//! let n = file.read_at(&mut bytes[..4], 5)?;
//! assert_eq!(&bytes[..n], b"-3\n ");
//! # }
//! # Ok::<(), seqfile_core::Errno>(())
//! ```
#![no_std]
// `SeqFile` is spoken of where it is left out, too.
#![cfg_attr(not(feature = "alloc"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod buf;
mod buffer;
mod dec;
mod error;
mod file;
mod fill;
mod format;
#[cfg(feature = "std")]
mod io;
mod ops;
mod seek;
mod slice;
mod thunk;

pub use buf::SeqBuf;
pub use buffer::{Buffer, Heap};
pub use dec::Integer;
pub use error::Errno;
pub use file::{SeqFile, TooLarge};
pub use ops::{Section, SeqOperations, Show};
pub use seek::SeekFrom;
pub use slice::{SliceOps, SliceSection};
pub use thunk::Thunk;
