//! The group `rcu`: our RCU flavors against their peers, by the package `benches` on this very machine.

use std::process::Command;

use anyhow::Result;

use crate::apt;
use crate::bench_report::{self, Bar, Measurement, Sense};
use crate::cache;
use crate::command;
use crate::progress::line;

/// The C peers have the like. A loop of one section takes one cycle or two, as its few bytes lie in one line of the processor's
/// operation cache or in two, which is otherwise a matter of luck.
const ALIGN_LOOPS: &str = "-Cllvm-args=-align-loops=64";

/// The bound on unreclaimed objects that `rcu_core`'s documentation names.
const BOUND: f64 = 16_384.0;

/// Our flavors of user space.
const OURS: &[&str] = &["membarrier", "membarrier-handle", "qsbr", "epoch", "fence"];

/// Runs the measuring program and takes its figures. Without liburcu it measures the other engines.
pub fn measure() -> Result<Vec<Measurement>> {
    let with_liburcu = match apt::ensure(apt::FOR_PEERS) {
        Ok(()) => true,
        Err(error) => {
            line(&format!("NOT MEASURED: the liburcu engines: {error:#}"));
            false
        }
    };
    let mut features = vec![];
    if with_liburcu {
        features.extend(["--features", "liburcu"]);
    }
    // A directory of its own, since other flags would build everything else anew.
    let target = cache::make_dir(&cache::root().join("target/bench/build"))?;
    let mut build = command::cargo();
    build.args(["build", "--release", "--package", "benches", "--bin", "rcu"]).args(&features);
    build.env("CARGO_TARGET_DIR", &target).env("RUSTFLAGS", ALIGN_LOOPS);
    command::run("build the benchmarks", &mut build, &cache::top()?.join("bench-rcu.log"))?;
    super::by_program("rcu", "4 minutes", &mut Command::new(target.join("release/rcu")))
}

/// What the figures must be.
pub fn bars(all: &[Measurement]) -> Vec<Bar> {
    let ratio = |ours, peer, sense, bound| bench_report::ratio(all, ours, peer, sense, bound);
    let mut bars = Vec::new();
    for threads in [1, 2] {
        let empty = |engine| ("empty-section", engine, threads);
        bars.push(ratio(empty("membarrier"), empty("liburcu-memb"), Sense::AtMost, 0.95));
        bars.push(ratio(empty("membarrier"), empty("crossbeam-epoch"), Sense::AtMost, 0.125));
        bars.push(ratio(empty("membarrier-handle"), empty("liburcu-memb"), Sense::AtMost, 0.40));
        bars.push(not_measurable(all, empty("qsbr"), empty("bare")));
    }
    for (case, bound) in [("walk-100", 1.04), ("walk-100-writer", 1.06)] {
        for threads in [1, 2] {
            let bare = ("walk-100", "bare", threads);
            bars.extend(OURS.iter().map(|engine| ratio((case, engine, threads), bare, Sense::AtMost, bound)));
        }
    }
    bars.push(ratio(("retire", "membarrier", 1), ("retire", "crossbeam-epoch", 1), Sense::AtLeast, 1.0));
    for readers in [0, 1] {
        // The most of all runs, since a bound has no median.
        let peak = bench_report::find(all, ("retire-peak", "membarrier", readers)).map(|m| m.max / BOUND);
        let name = format!("retire-peak {readers}: membarrier / the documented bound");
        bars.push(Bar::new(name, peak, Sense::AtMost, 1.0));
    }
    let periods = bench_report::find(all, ("synchronize-8", "membarrier", 8)).map(|m| m.median);
    bars.push(Bar::new("synchronize-8 8: membarrier, grace periods".to_owned(), periods, Sense::AtMost, 3.0));
    bars
}

/// Not measurable: the median is no more than the slowest run of the other.
fn not_measurable(all: &[Measurement], ours: bench_report::Key, other: bench_report::Key) -> Bar {
    let value =
        bench_report::find(all, ours).zip(bench_report::find(all, other)).map(|(ours, other)| ours.median / other.max);
    let name = format!("{} {}: {} / the slowest run of {}", ours.0, ours.2, ours.1, other.1);
    Bar::new(name, value, Sense::AtMost, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(case: &str, engine: &str, threads: u32, median: f64) -> Measurement {
        let (case, engine) = (case.to_owned(), engine.to_owned());
        let (group, unit) = ("rcu".to_owned(), "ns".to_owned());
        Measurement { group, case, engine, threads, unit, median, min: median - 1.0, max: median + 1.0, runs: 11 }
    }

    #[test]
    fn a_bar_compares_figures_of_as_many_threads() {
        let all = [
            figure("walk-100", "bare", 1, 100.0),
            figure("walk-100", "bare", 2, 200.0),
            figure("walk-100", "qsbr", 2, 204.0),
            figure("walk-100-writer", "qsbr", 1, 105.0),
            figure("empty-section", "bare", 1, 10.0),
            figure("empty-section", "qsbr", 1, 11.5),
        ];
        let bars = bars(&all);
        let met = |name: &str| bars.iter().find(|bar| bar.bar == name).map(|bar| bar.met);
        assert_eq!(met("walk-100 2: qsbr / bare"), Some(true));
        assert_eq!(met("walk-100 1: qsbr / bare"), Some(false), "it was not measured");
        assert_eq!(met("walk-100-writer 1: qsbr / bare walk-100"), Some(true));
        assert_eq!(met("empty-section 1: qsbr / the slowest run of bare"), Some(false));
    }
}
