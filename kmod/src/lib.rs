//! The Rust half of the kernel module: undo lists of the running kernel, read by `semundo-core`'s walk and restored by
//! its planner.
//!
//! The C half (`shim/`) registers the proc files and wraps what is inline or a macro in the kernel: RCU, locks, the idr, tasks
//! and credentials. All else is here, and the walk, the text form, the planner and the lists are the very crates that user space links.
//! `make` builds this crate for the kernel (`rust-object.sh`); cargo builds it for tests and lints on the host. A kernel whose own
//! the files are builds it without the table and the check of the layouts (`semundo_in_tree`), and, before the last patch of the
//! series, without writing (`semundo_read_only`). Where the kernel's own checkers are to be seen at work it has bugs
//! (`semundo_bugs`).
#![no_std]

#[cfg(test)]
extern crate std;

#[cfg(not(semundo_in_tree))]
pub mod btf;
#[cfg(semundo_bugs)]
mod bugs;
#[cfg(not(semundo_in_tree))]
mod check;
mod exports;
#[cfg(not(semundo_read_only))]
mod exports_write;
mod ffi;
#[cfg(not(semundo_in_tree))]
pub mod layout;
mod memory;
mod own;
#[cfg(semundo_module)]
mod panic;
#[cfg(not(semundo_read_only))]
mod restore;
mod set;
#[cfg(not(semundo_in_tree))]
mod table;
mod undo;
#[cfg(not(semundo_read_only))]
mod write;
