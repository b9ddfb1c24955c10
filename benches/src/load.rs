//! The load benchmark: writers do `semop(2)` with `SEM_UNDO` as fast as they can while readers list their undo lists.
//!
//! The same writer ([`writer`]) hammers `semundo_core`'s engine, over each of its undo list storages, and the live kernel; the
//! runs that are made of it are data ([`scenario`]). `src/bin/load.rs` measures them.

pub mod calls;
pub mod engine;
pub mod figures;
pub mod live;
pub mod memory;
pub mod run;
pub mod scenario;
pub mod storage;
pub mod writer;
