//! The group `source`: the undo lists of live processes read by BPF, on this very machine.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::bench_report::{self, Bar, Measurement, Sense};
use crate::cache;
use crate::command;
use crate::progress::Step;

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
    let step = Step::new("measure source (some 30 seconds)");
    let mut run = Command::new(release.join("source"));
    run.arg(release.join("semundo")).stdin(Stdio::null()).stderr(Stdio::inherit());
    let out = command::die_with_us(&mut run).output().context("cannot run the benchmarks")?;
    drop(step);
    let output = String::from_utf8_lossy(&out.stdout);
    if !out.status.success() {
        bail!("{output}\ngroup source failed: {}", out.status);
    }
    bench_report::measurements(&output).with_context(|| format!("group source printed a bad measurement:\n{output}"))
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
