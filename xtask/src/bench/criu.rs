//! The group `criu`: checkpoints and restores by CRIU, alone and with the plugin, on this very machine.

use anyhow::Result;

use crate::bench_report::{self, Bar, Measurement, Sense};
use crate::cache::RunDir;
use crate::criu::Root;
use crate::guest;
use crate::suite::Suite;

/// Builds the measuring program, runs it beside CRIU and takes its figures.
pub fn measure() -> Result<Vec<Measurement>> {
    let run = RunDir::new()?;
    let root = Root::prepare(Suite::Trixie, &run)?;
    root.add(&guest::build_program("benches", "criu")?, "usr/bin/criu-bench")?;
    super::by_program("criu", "2 minutes", &mut root.command(&["criu-bench", "/plugins"]))
}

/// What the plugin may add to CRIU's own time.
pub fn bars(all: &[Measurement]) -> Vec<Bar> {
    let of = |case| bench_report::ratio(all, (case, "criu+semundo", 1), (case, "criu", 1), Sense::AtMost, 1.10);
    ["dump-100", "restore-100"].map(of).to_vec()
}
