//! The benchmarks of the workspace: engines over the same inputs, measured by `src/bin/rcu.rs` and by Criterion.
//! Reading undo lists is measured by `src/bin/source.rs`, and with semops at the same time by `src/bin/load.rs`; printing and reading a
//! table, [`table`], by `src/bin/seqfile.rs`.
//!
//! Engines are data: [`engines::all`] is the table, and every case runs over it. The same inputs also run as tests, so that
//! an engine that does not do the work is seen. How each case is measured stands in [`cases`].

pub mod cases;
pub mod clock;
pub mod engine;
pub mod engines;
pub mod harness;
pub mod load;
pub mod node;
pub mod table;
