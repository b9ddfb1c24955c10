//! The Rust half of the kernel module: undo lists of the running kernel, read by `semundo-core`'s walk and restored by
//! its planner.
//!
//! The C half (`shim/`) registers the proc files and wraps what is inline or a macro in the kernel: RCU, locks, the idr, tasks
//! and credentials. All else is here, and the walk, the text form, the planner and the lists are the very crates that user space links.
//! `make` builds this crate for the kernel (`rust-object.sh`); cargo builds it for tests and lints on the host.
#![no_std]

#[cfg(test)]
extern crate std;

pub mod btf;
mod exports;
mod ffi;
pub mod layout;
mod memory;
mod own;
#[cfg(semundo_module)]
mod panic;
mod restore;
mod set;
mod table;
mod undo;
mod write;
