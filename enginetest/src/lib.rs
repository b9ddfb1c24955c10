//! The engine of `semundo-core` against the running kernel.
//!
//! A [`program`] is run on both, call by call. After each call its answer is compared, who woke with what answer, and all that there is
//! to be read: values, pids, waiters, owners, times (whether there is one), undo lists. A difference is a defect of the engine.

pub mod compare;
pub mod engine;
pub mod generate;
pub mod kernel;
pub mod program;
pub mod script;
pub mod search;
pub mod trace;
