//! System V semaphore undo lists, read and restored from user space.
//!
//! A process that does `semop(..., SEM_UNDO)` makes the kernel keep an *undo list* for it: adjustments that are added to the
//! semaphores when the process exits. [`source`] reads those lists, [`sysv`] makes the semaphore calls themselves.

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
