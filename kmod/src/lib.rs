//! The Rust half of the kernel module: undo lists of the running kernel as sources of `semundo-core`'s walk.
//!
//! The C half (`shim/`) registers the proc files and wraps what is inline or a macro in the kernel: RCU, locks, the idr, tasks
//! and credentials. All else is here, and the walk, the text form and the lists are the very crates that user space links.
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
mod table;
mod undo;
