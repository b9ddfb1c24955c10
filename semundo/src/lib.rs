//! System V semaphore undo lists, read from user space.
//!
//! A process that does `semop(..., SEM_UNDO)` makes the kernel keep an *undo list* for it: adjustments that are added to the
//! semaphores when the process exits. [`proc`] reads those lists from the files of the kernel module `semundo`, [`sysv`]
//! makes the semaphore calls themselves.

pub mod proc;
pub mod sysv;
