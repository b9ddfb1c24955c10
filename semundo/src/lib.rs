//! See, save and restore the undo lists of System V semaphores, on stock kernels.
//!
//! A process that does `semop(..., SEM_UNDO)` makes the kernel keep an *undo list* for it: adjustments that are added to the
//! semaphores when the process exits (`ipc/sem.c: exit_sem`). This library
//!
//! - reads those lists: [`source`], by BPF on a stock kernel, or from the proc files of a kernel that has them;
//! - tells who holds what: [`holding`];
//! - keeps them: [`save`], as an [`image`];
//! - puts them back: [`restore`], into the own list or into that of a process that runs ([`inject`]).
//!
//! ```no_run
//! use semundo::restore::{self, Wanted};
//! use semundo::{Select, save, source};
//!
//! let source = source::open()?; // as root
//!
//! // A worker is to die and to go on elsewhere. It stands still (SIGSTOP, or a frozen cgroup).
//! let image = save::save(&*source, &Select::Pids(vec![841]))?;
//! for list in image.lists() {
//!     restore::clear(&*source, list)?; // its end gives nothing back now
//! }
//!
//! // Process 900 is its successor.
//! for list in image.lists() {
//!     let report = restore::into_process(&*source, 900, &Wanted::of_image(&image, list))?;
//!     println!("{} sets", report.changed.len());
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The `semundo` command is a thin layer over it. [`sysv`] makes the semaphore calls themselves, and [`proc`](mod@proc) reads the files
//! of the kernel module.

pub mod holding;
pub mod image;
pub mod inject;
pub mod ipc_namespace;
pub mod proc;
pub mod processes;
pub mod restore;
pub mod save;
pub mod source;
pub mod sysv;
pub mod undo_list;

pub use source::{Select, Source};
pub use undo_list::{Adjustments, Task, UndoList};
