//! The kernel's `seq_file` as a Rust crate: a sequence of records is described once, by
//! [`SeqOperations`], and read anywhere, in pieces of any size, from any offset.
//!
//! * [`SeqOperations`] and [`Section`] are `struct seq_operations`: `start`, `next`, `show`, and
//!   `stop` as the section's drop.
//! * [`SeqBuf`] is the bounded buffer that `show` prints into. It remembers overflow and formats
//!   numbers without `core::fmt`.
//! * [`SeqFile`] drives the operations in user space with the observable behaviour of `fs/seq_file.c`: in the caller's
//!   memory, or (feature `alloc`) in its own.
//! * [`Thunk`] and [`thunks!`] let the kernel's own `seq_file` drive the very same operations.
//! * [`lines`] takes what was read apart.
//!
//! The common shapes are ready-made. Each is exact: a record that is there from the first read to the end of file comes out
//! exactly once, whatever comes and goes meanwhile.
//!
//! | records | sequence | resumed by | an open file keeps |
//! |---|---|---|---|
//! | one | [`SingleOps`] (`single_open`) | | the private state |
//! | a slice, which may grow and change in place | [`SliceOps`] | index | the slice |
//! | an ordered map, locked or not | [`MapOps`] | the last key | one key |
//! | any collection: a hash map, an RCU list (feature `rcu`) | [`IndexOps`] | a sorted index | all keys, and the text of an eighth |
//!
//! The crate is `no_std` and has no dependency unless a feature brings one. With the default feature `std`, [`SeqFile`] is
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
// What features bring is spoken of where it is left out, too.
#![cfg_attr(not(feature = "alloc"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

/// The examples of the README.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;

mod buf;
mod buffer;
mod dec;
mod enter;
mod error;
mod file;
mod fill;
mod format;
#[cfg(feature = "alloc")]
mod index;
#[cfg(feature = "std")]
mod io;
pub mod lines;
mod map;
mod ops;
#[cfg(feature = "rcu")]
mod rcu;
mod record;
mod seek;
mod single;
mod slice;
mod thunk;
mod thunks;

pub use buf::SeqBuf;
pub use buffer::{Buffer, Heap};
pub use dec::Integer;
pub use enter::{Enter, Unlocked};
pub use error::Errno;
pub use file::{SeqFile, TooLarge};
#[cfg(feature = "alloc")]
pub use index::{IndexOps, IndexSection, Pass};
pub use map::{MapOps, MapSection, OrderedMap};
pub use ops::{Section, SeqOperations, Show};
pub use record::{Private, ShowEntry, ShowRecord};
pub use seek::SeekFrom;
pub use single::{SingleOps, SingleSection};
pub use slice::{SliceOps, SliceSection};
pub use thunk::Thunk;
