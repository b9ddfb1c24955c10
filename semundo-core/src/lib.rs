//! Undo lists of System V semaphores (`semop(2)` with `SEM_UNDO`), for `no_std`.
//!
//! For a process that uses `SEM_UNDO` the kernel keeps, per semaphore set, an array of *adjustments*: what is added to the
//! semaphores when the process exits (`ipc/sem.c: exit_sem`). This crate holds what all who deal with them share:
//!
//! | what | where |
//! |---|---|
//! | identifiers and adjustments | [`types`] |
//! | the text form: printer and parser | [`text`] |
//! | the walk: a changing list, read in pieces, exactly | [`walk`] |
//! | what a walk is over: sources and the keys of their entries | [`source`] |
//! | the planner: from these adjustments to those, in the fewest `semop` calls | [`plan`] |
//! | System V semaphores in user space, with `SEM_UNDO` (feature `alloc`) | [`engine`] |
//! | an undo list in user space (feature `std`) | [`UndoList`] |
//!
//! # Example
//!
//! A process's undo list, read as `/proc/semundo` of the kernel module is, by the same code:
//!
//! ```
//! # #[cfg(feature = "std")] {
//! use rcu_core::flavor::epoch::Epoch;
//! use semundo_core::{UndoList, walk::{HeapWalk, Walk}};
//! use seqfile_core::SeqFile;
//!
//! let list = UndoList::new(Epoch);
//! list.insert(32768, &[0, 0]);
//! list.insert(7, &[-1, 2, 0]);
//! list.adjust(32768, 1, -5);
//!
//! let mut file = SeqFile::new(HeapWalk::new(&list));
//! let mut text = [0; 64];
//! let n = file.read(&mut text).unwrap();
//! assert_eq!(&text[..n], b"7 -1 2 0\n32768 0 -5\n");
//! # }
//! ```
#![no_std]
#![warn(missing_debug_implementations)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "alloc")]
pub mod engine;
pub mod memory;
pub mod plan;
pub mod source;
pub mod text;
pub mod types;
#[cfg(feature = "std")]
mod undo_list;
pub mod walk;

pub use source::{Key, OwnKey, Source, TableKey};
#[cfg(feature = "std")]
pub use undo_list::UndoList;
