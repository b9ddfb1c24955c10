//! The group `load`: semops and readings of undo lists at the same time, of the engine over each of its storages and of the
//! live kernel, on this very machine. It also makes a page for people, `target/bench/load.html`.

mod machine;
mod page;
mod plot;
mod rows;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::Measurement;
use crate::bench_report::{self, Bar, Sense};
use crate::cache;
use crate::command;
use crate::progress::line;

/// The engine's storage that the bars are of.
const OURS: &str = "membarrier";

/// The storages whose readers and writers lock each other out.
const LOCKED: &[&str] = &["std-mutex", "std-rwlock", "parking-lot-rwlock"];

/// The live kernel.
const KERNEL: &str = "kernel";

/// The readers with which writers are compared with those that nobody reads.
const READERS: [u32; 3] = [1, 2, 4];

/// Builds the measuring program, runs it, takes its figures and makes the page and the plot of them.
pub fn measure() -> Result<Vec<Measurement>> {
    let mut build = command::cargo();
    build.args(["build", "--release", "--package", "benches", "--bin", "load"]);
    command::run("build the benchmarks", &mut build, &cache::top()?.join("bench-load.log"))?;
    line("measure load (some 5 minutes)");
    // It shows its own progress.
    let mut program = Command::new(cache::root().join("target/release/load"));
    let out = command::die_with_us(&mut program).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let out = out.with_context(|| format!("cannot run {}", program.get_program().display()))?;
    let output = String::from_utf8_lossy(&out.stdout);
    if !out.status.success() {
        bail!("{output}\ngroup load failed: {}", out.status);
    }
    let all = bench_report::measurements(&output)
        .with_context(|| format!("group load printed a bad measurement:\n{output}"))?;
    let missing: Vec<_> = output.lines().filter(|line| line.starts_with("NOT MEASURED")).collect();
    let dir = cache::make_dir(&cache::root().join("target/bench"))?;
    write(&dir.join("load.svg"), &plot::main(&all)?)?;
    write(&dir.join("load.html"), &page::html(&all, &bars(&all), &missing, &machine::facts())?)?;
    line(&format!("the page: {}", dir.join("load.html").display()));
    Ok(all)
}

/// Makes the plot that the README shows anew, out of the last run.
pub fn update_readme() -> Result<()> {
    let plot = root_file("docs/load.svg");
    if let Some(dir) = plot.parent() {
        cache::make_dir(dir)?;
    }
    fs::copy(root_file("target/bench/load.svg"), &plot).with_context(|| format!("cannot write {}", plot.display()))?;
    Ok(())
}

/// The table of a terminal: a row for each scenario, number of readers and engine.
pub fn table(all: &[Measurement]) -> String {
    rows::table(&rows::rows(all))
}

/// What the figures must be.
pub fn bars(all: &[Measurement]) -> Vec<Bar> {
    let ratio = |ours, peer, sense, bound| bench_report::ratio(all, ours, peer, sense, bound);
    let mut bars = Vec::new();
    for (case, sense, bound) in [("steady:semops-cpu", Sense::AtLeast, 0.95), ("steady:p99", Sense::AtMost, 1.2)] {
        for readers in READERS {
            bars.push(to_reader_free(all, case, readers, sense, bound));
        }
    }
    for (case, sense, bound) in [
        ("churn:entries", Sense::AtLeast, 1.0),
        ("churn:semops", Sense::AtLeast, 1.0),
        ("churn:p99.9", Sense::AtMost, 0.2),
    ] {
        bars.extend(LOCKED.iter().map(|locked| ratio((case, OURS, 1), (case, *locked, 1), sense, bound)));
    }
    for (case, what) in [("steady", "while writers take and give"), ("churn", "while sets come and go")] {
        // The most of all runs, since never is never.
        let waits = bench_report::find(all, (&format!("{case}:reader-waits"), OURS, 1)).map(|m| m.max);
        bars.push(Bar::new(format!("{OURS}: times that a reader waited {what}"), waits, Sense::AtMost, 0.0));
    }
    let semop = "alone:semop-cpu-time";
    bars.push(ratio((semop, OURS, 0), (semop, KERNEL, 0), Sense::AtMost, 0.2));
    bars
}

/// What readers do to a figure of the writers.
fn to_reader_free(all: &[Measurement], case: &str, readers: u32, sense: Sense, bound: f64) -> Bar {
    let median = |readers| bench_report::find(all, (case, OURS, readers)).map(|m| m.median);
    let value = median(readers).zip(median(0)).map(|(read, free)| read / free);
    Bar::new(format!("{case}: {OURS}, {readers} readers / none"), value, sense, bound)
}

fn root_file(path: &str) -> PathBuf {
    cache::root().join(path)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(case: &str, engine: &str, threads: u32, median: f64) -> Measurement {
        let (case, engine) = (case.to_owned(), engine.to_owned());
        let (group, unit) = ("load".to_owned(), "1/s".to_owned());
        Measurement { group, case, engine, threads, unit, median, min: median / 2.0, max: median * 2.0, runs: 7 }
    }

    fn met(all: &[Measurement], name: &str) -> bool {
        let bars = bars(all);
        bars.iter().find(|bar| bar.bar == name).unwrap_or_else(|| panic!("no bar {name}: {bars:?}")).met
    }

    #[test]
    fn writers_are_compared_with_those_that_nobody_reads() {
        let all = [
            figure("steady:semops-cpu", OURS, 0, 100.0),
            figure("steady:semops-cpu", OURS, 1, 96.0),
            figure("steady:semops-cpu", OURS, 2, 94.0),
            figure("steady:semops-cpu", "std-mutex", 4, 100.0),
        ];
        assert!(met(&all, "steady:semops-cpu: membarrier, 1 readers / none"));
        assert!(!met(&all, "steady:semops-cpu: membarrier, 2 readers / none"));
        assert!(!met(&all, "steady:semops-cpu: membarrier, 4 readers / none"), "it was not measured");
    }

    #[test]
    fn every_storage_with_a_lock_must_be_behind() {
        let all = [
            figure("churn:p99.9", OURS, 1, 100.0),
            figure("churn:p99.9", "std-mutex", 1, 501.0),
            figure("churn:p99.9", "std-rwlock", 1, 499.0),
        ];
        assert!(met(&all, "churn:p99.9 1: membarrier / std-mutex"));
        assert!(!met(&all, "churn:p99.9 1: membarrier / std-rwlock"));
        assert!(!met(&all, "churn:p99.9 1: membarrier / parking-lot-rwlock"), "it was not measured");
    }

    #[test]
    fn a_reader_must_not_have_waited_in_any_run() {
        let name = "membarrier: times that a reader waited while sets come and go";
        assert!(met(&[figure("churn:reader-waits", OURS, 1, 0.0)], name));
        let once = Measurement { median: 0.0, max: 1.0, ..figure("churn:reader-waits", OURS, 1, 0.0) };
        assert!(!met(&[once], name));
        assert!(!met(&[], name));
    }
}
