//! The group `source`: the undo lists of live processes read by BPF, on this very machine.

use std::process::Command;

use anyhow::Result;

use crate::bench_report::{self, Bar, Measurement, Sense};
use crate::cache;
use crate::command;

/// Builds the measuring program and the command, runs the one on the other and takes its figures.
pub fn measure() -> Result<Vec<Measurement>> {
    let mut build = command::cargo();
    build.args([
        "build",
        "--release",
        "--package",
        "benches",
        "--bin",
        "source",
        "--package",
        "semundo",
        "--bin",
        "semundo",
    ]);
    command::run("build the benchmarks", &mut build, &cache::top()?.join("bench-source.log"))?;
    let release = cache::root().join("target/release");
    super::by_program("source", "30 seconds", Command::new(release.join("source")).arg(release.join("semundo")))
}

/// What the figures should be: those of a prototype, on one machine.
pub fn bars(all: &[Measurement]) -> Vec<Bar> {
    let mut bars = Vec::new();
    for (case, unit, bound) in [
        ("show-1", "us", 2.0),
        ("show-100", "us", 13.0),
        ("show-10000", "us", 1100.0),
        ("show-32000", "us", 3500.0),
        ("process-start", "ms", 100.0),
    ] {
        let median = bench_report::find(all, (case, "bpf", 1)).map(|m| m.median);
        bars.push(Bar::new(format!("{case}: bpf, {unit}"), median, Sense::AtMost, bound));
    }
    let (read, alone) = (("semop-pair", "reader-100hz", 1), ("semop-pair", "alone", 1));
    bars.push(bench_report::ratio(all, read, alone, Sense::AtLeast, 0.95));
    bars
}
