//! `cargo xtask test`: runs the steps, goes on after a failure, and counts.

use std::fs;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cache;
use crate::command;
use crate::progress::{Step, say};
use crate::summary::{self, Tests};
use crate::test_steps::{Log, Ran, STEPS, THOROUGH_STEPS, TestStep};

/// How much of a failed step's output is shown.
const SHOWN_LINES: usize = 300;

/// What `test` takes.
#[derive(clap::Args)]
#[command(after_help = "\
Steps: fmt, clippy, clippy-no-default-features, doc, host-tests, programs, fuzz, loom,
loom-self-check, litmus, litmus-self-check, torture, torture-self-check, miri, miri-self-check, thread-sanitizer,
thread-sanitizer-self-check, bpf-object, no-std, minimum-rust, module, module-wrong-layout, criu,
vm-suite, vm-command. With --thorough, or by their whole name: criu-forky, vm-criu, vm-criu-bookworm,
vm-suite-bookworm, vm-suite-forky, vm-command-bookworm, vm-command-forky, dkms, shim-checkers, vm-in-tree,
vm-in-tree-forky, which make chroots and kernels of their own (some 55 minutes more), and vm-in-tree-kasan, checkers-awake-kasan,
vm-in-tree-kcsan, checkers-awake-kcsan, which build the kernel twice more with its own checkers (an hour more).
host-tests runs 20,000 random programs on the semaphore engine and on the kernel; `cargo xtask fuzz-engine`
runs more.
A self-check breaks rcu-core and demands that the step before it sees that. miri and
thread-sanitizer take a nightly toolchain, which rustup is asked for.
Each step's output is kept below target/test-logs. The last line is `N passed, M failed`.")]
pub struct Args {
    /// Run only the steps whose name contains this
    filter: Option<String>,
    /// Run also what takes other kernels
    #[arg(long)]
    thorough: bool,
}

/// Runs the steps that the filter leaves.
pub fn run(args: &Args) -> Result<ExitCode> {
    let filter = args.filter.as_deref().unwrap_or("");
    let thorough = THOROUGH_STEPS.iter().filter(|step| args.thorough || step.name == filter);
    let steps: Vec<_> = STEPS.iter().chain(thorough).filter(|step| step.name.contains(filter)).collect();
    if steps.is_empty() {
        let names: Vec<_> = STEPS.iter().chain(THOROUGH_STEPS).map(|step| step.name).collect();
        bail!("no step has {filter:?} in its name; there are: {}", names.join(", "));
    }
    let mut total = Tests::default();
    let mut not_run = Vec::new();
    for step in steps {
        match run_step(step)? {
            Some(tests) => total += tests,
            None => not_run.push(step.name),
        }
    }
    if !not_run.is_empty() {
        say(&format!("NOT RUN: {}", not_run.join(", ")));
    }
    say(&total.to_string());
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one step and prints its line; None where it could not be run here.
fn run_step(step: &TestStep) -> Result<Option<Tests>> {
    let path = cache::root().join(format!("target/test-logs/{}.log", step.name));
    let progress = Step::silent(step.name);
    let mut log = Log::new(&progress, command::create(&path)?);
    let ran = (step.work)(&mut log);
    let took = format!("{:6.1} s", progress.elapsed().as_secs_f64());
    drop(progress);
    let name = step.name;
    let (succeeded, why) = match ran {
        Ok(Ran::Done(succeeded)) => (succeeded, String::new()),
        Ok(Ran::NotRun(why)) => {
            say(&format!("NOT RUN {took}  {name}: {why}"));
            return Ok(None);
        }
        Err(error) => (false, format!("{error:#}\n")),
    };
    let output = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
    let tests = summary::of_step(&output, succeeded);
    let verdict = if tests.failed == 0 { "ok     " } else { "FAILED " };
    if tests.failed > 0 {
        let lines: Vec<_> = output.lines().collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        say(&format!("{}\n{why}(all of it: {})", shown.join("\n"), path.display()));
    }
    say(&format!("{verdict} {took}  {name}: {tests}"));
    Ok(Some(tests))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args as _;

    #[test]
    fn the_help_names_every_step() {
        let command = Args::augment_args(clap::Command::new("test"));
        let help = command.get_after_help().map(ToString::to_string).unwrap();
        for step in STEPS.iter().chain(THOROUGH_STEPS) {
            assert!(help.contains(step.name), "{}", step.name);
        }
    }
}
