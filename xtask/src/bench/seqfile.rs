//! The group `seqfile`: a table printed and read in pieces by `seqfile-core` and its peers, on this very machine.

use std::process::Command;

use anyhow::Result;

use crate::bench_report::{self, Bar, Measurement, Sense};
use crate::cache;
use crate::command;

/// The cases of reading a whole table.
const TABLES: &[&str] =
    &["records-1000-4k", "records-1000-64k", "records-100000-4k", "records-100000-64k", "records-100000-whole"];

/// How many records the case of the first byte is over.
const RECORDS: f64 = 100_000.0;

const OURS: &str = "seqfile-core";

/// Builds the measuring program, runs it and takes its figures.
pub fn measure() -> Result<Vec<Measurement>> {
    let mut build = command::cargo();
    build.args(["build", "--release", "--package", "benches", "--bin", "seqfile"]);
    command::run("build the benchmarks", &mut build, &cache::top()?.join("bench-seqfile.log"))?;
    super::by_program("seqfile", "30 seconds", &mut Command::new(cache::root().join("target/release/seqfile")))
}

/// What the figures must be.
pub fn bars(all: &[Measurement]) -> Vec<Bar> {
    let mut bars = Vec::new();
    // The kernel's own time: without that of its system calls.
    for (peer, bound) in [("naive", 0.35), ("hand-loop", 1.25), ("kernel-without-calls", 0.5)] {
        let bar = |case: &&str| bench_report::ratio(all, (case, OURS, 1), (case, peer, 1), Sense::AtMost, bound);
        bars.extend(TABLES.iter().map(bar));
    }
    let median = |case, engine| bench_report::find(all, (case, engine, 1)).map(|m| m.median);
    let first = median("first-byte-100000", OURS).zip(median("records-100000-whole", OURS));
    let first = first.map(|(first, record)| first / (record * RECORDS));
    let name = format!("first-byte-100000 1: {OURS} / the whole of it");
    bars.push(Bar::new(name, first, Sense::AtMost, 0.01));
    for engine in [OURS, "seqfile-core-buffered"] {
        let (many, few) = (("peak-memory-100000", engine, 1), ("peak-memory-1000", engine, 1));
        bars.push(bench_report::ratio(all, many, few, Sense::AtMost, 1.0));
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(case: &str, engine: &str, median: f64) -> Measurement {
        let (case, engine) = (case.to_owned(), engine.to_owned());
        let (group, unit) = ("seqfile".to_owned(), "ns".to_owned());
        Measurement { group, case, engine, threads: 1, unit, median, min: median, max: median, runs: 11 }
    }

    #[test]
    fn the_first_byte_is_compared_with_all_records() {
        let mut all = vec![figure("first-byte-100000", OURS, 1000.0), figure("records-100000-whole", OURS, 10.0)];
        let met = |all: &[Measurement]| {
            let bars = bars(all);
            bars.into_iter().find(|bar| bar.bar.starts_with("first-byte")).map(|bar| (bar.value, bar.met))
        };
        assert_eq!(met(&all), Some((Some(0.001), true)));
        all[0].median = 20_000.0;
        assert_eq!(met(&all), Some((Some(0.02), false)));
    }

    #[test]
    fn peers_are_compared_case_by_case() {
        let all = [figure("records-1000-4k", OURS, 60.0), figure("records-1000-4k", "naive", 400.0)];
        let bars = bars(&all);
        let met = |name: &str| bars.iter().find(|bar| bar.bar == name).map(|bar| bar.met);
        assert_eq!(met("records-1000-4k 1: seqfile-core / naive"), Some(true));
        assert_eq!(met("records-1000-64k 1: seqfile-core / naive"), Some(false), "it was not measured");
    }
}
