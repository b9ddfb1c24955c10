//! The step that fuzzes the parsers and the reader of records: libFuzzer, with coverage that the stable compiler instruments.
//!
//! Inputs that reach something new are kept below `target/fuzz/corpus` for the next run, those that fail below `target/fuzz/artifacts`.
//! A fuzzer that hardly ran or that saw hardly any code has failed, too: that is what one without instrumentation does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

use crate::apt;
use crate::cache;
use crate::command;
use crate::summary::Tests;
use crate::test_steps::{Log, Ran};

/// The fuzzers of the package `semundo-fuzz`.
const FUZZERS: &[&str] = &["image", "seq", "text"];

/// How long they run, side by side.
const SECONDS: u32 = 30;

/// What a run must have done at least; on two busy processors it is fifty times as many inputs, and twice as many places and more.
const LEAST: Run = Run { inputs: 10_000, places: 100 };

/// With a target named, build scripts and procedural macros are not instrumented.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What cargo-fuzz passes, too.
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Cdebug-assertions";

/// What a fuzzer did.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    /// How many inputs it tried.
    inputs: u64,
    /// How many places of the code it reached.
    places: u64,
}

/// Builds the fuzzers and runs them.
pub fn run(log: &mut Log) -> Result<Ran> {
    apt::ensure(apt::FOR_FUZZERS)?;
    let mut cargo = command::cargo();
    cargo.args(["build", "--release", "-p", "semundo-fuzz", "--features", "libfuzzer", "--bins", "--target", TARGET]);
    cargo.env("RUSTFLAGS", RUSTFLAGS).env("CARGO_TARGET_DIR", target()).env("CARGO_TERM_COLOR", "never");
    if !log.run(&mut cargo)? {
        return Ok(Ran::Done(false));
    }
    let running = FUZZERS.iter().map(|fuzzer| start(fuzzer)).collect::<Result<Vec<_>>>()?;
    let mut tests = Tests::default();
    for (fuzzer, mut child) in FUZZERS.iter().zip(running) {
        let succeeded = child.wait()?.success();
        let printed = fs::read(printed_by(fuzzer))?;
        if passed(log, fuzzer, succeeded, &String::from_utf8_lossy(&printed))? {
            tests.passed += 1;
        } else {
            tests.failed += 1;
        }
    }
    log.line(&tests.to_string())?;
    Ok(Ran::Done(tests.failed == 0))
}

fn start(fuzzer: &str) -> Result<Child> {
    let corpus = cache::make_dir(&target().join("corpus").join(fuzzer))?;
    cache::make_dir(&target().join("artifacts"))?;
    let package = cache::root().join("fuzz");
    let printed = command::create(&printed_by(fuzzer))?;
    let mut command = Command::new(program(fuzzer));
    command.current_dir(cache::root()).arg(corpus).arg(package.join("seeds").join(fuzzer));
    command.arg(format!("-dict={}", package.join(fuzzer).with_extension("dict").display()));
    command.arg(format!("-artifact_prefix=target/fuzz/artifacts/{fuzzer}-"));
    command.arg(format!("-max_total_time={SECONDS}"));
    // An input of this size takes far less of both.
    command.args(["-max_len=4096", "-timeout=10", "-rss_limit_mb=512"]);
    command.stdin(Stdio::null()).stdout(printed.try_clone()?).stderr(printed);
    command::die_with_us(&mut command).spawn().with_context(|| format!("cannot run the fuzzer {fuzzer}"))
}

/// Judges a run, and writes to the log what it printed.
fn passed(log: &mut Log, fuzzer: &str, succeeded: bool, printed: &str) -> Result<bool> {
    for line in printed.lines() {
        log.line(&format!("{fuzzer} | {line}"))?;
    }
    if let Some(artifact) = artifact(printed) {
        let program = program(fuzzer);
        let program = program.strip_prefix(cache::root()).unwrap_or(&program).display();
        log.line(&format!("{fuzzer}: FAILED on {artifact}; reproduce: {program} {artifact}"))?;
        log.line(&format!("once it is mended, keep it: cp {artifact} fuzz/seeds/{fuzzer}/"))?;
    }
    let Some(run) = done(printed) else {
        log.line(&format!("{fuzzer}: did not run to its end, or without coverage"))?;
        return Ok(false);
    };
    let enough = run.inputs >= LEAST.inputs && run.places >= LEAST.places;
    let verdict = if enough { "" } else { ": TOO FEW, is it instrumented?" };
    log.line(&format!("{fuzzer}: {} inputs reached {} places{verdict}", run.inputs, run.places))?;
    Ok(succeeded && enough)
}

/// `#1533835 DONE   cov: 2033 ft: 7590 ...`, the last line of a run's progress.
fn done(printed: &str) -> Option<Run> {
    printed.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let inputs = words.next()?.strip_prefix('#')?.parse().ok()?;
        (words.next()? == "DONE" && words.next()? == "cov:").then_some(())?;
        Some(Run { inputs, places: words.next()?.parse().ok()? })
    })
}

/// `... Test unit written to ARTIFACT`, where an input failed.
fn artifact(printed: &str) -> Option<&str> {
    printed.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, artifact)| artifact)
}

fn program(fuzzer: &str) -> PathBuf {
    target().join(Path::new(TARGET).join("release").join(fuzzer))
}

fn printed_by(fuzzer: &str) -> PathBuf {
    target().join(format!("{fuzzer}.log"))
}

fn target() -> PathBuf {
    cache::root().join("target/fuzz")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_run_is_read() {
        let printed = "#9\tINITED cov: 270 ft: 632 corp: 8/127b exec/s: 0 rss: 27Mb\n\
                       #661168\tDONE   cov: 295 ft: 1647 corp: 241/50Kb lim: 4096 exec/s: 21328 rss: 28Mb\n\
                       Done 661168 runs in 31 second(s)\n";
        assert_eq!(done(printed), Some(Run { inputs: 661_168, places: 295 }));
        assert_eq!(artifact(printed), None);
    }

    #[test]
    fn a_run_without_coverage_has_no_end_or_no_places() {
        assert_eq!(
            done("ERROR: no interesting inputs were found. Is the code instrumented for coverage? Exiting.\n"),
            None
        );
        assert_eq!(done("#2\tDONE   corp: 1/1b lim: 4 exec/s: 0 rss: 27Mb\n"), None);
    }

    #[test]
    fn a_failed_input_is_named() {
        let printed = "==7== ERROR: libFuzzer: deadly signal\n\
                       artifact_prefix='a/'; Test unit written to a/text-crash-00\nBase64: MQ==\n";
        assert_eq!(artifact(printed), Some("a/text-crash-00"));
    }
}
