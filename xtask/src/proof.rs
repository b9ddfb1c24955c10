//! The steps that prove rcu-core: models, litmus tests and torture; each with one that breaks rcu-core and demands that it is seen.
//! The models of seqfile-core's readers run with those of rcu-core.
//!
//! Broken, by a `--cfg`, it executes no barrier or does not wait. A broken build that fails in another way than its tests are there to
//! see fails the step too.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;
use crate::command;
use crate::summary::{self, Tests};
use crate::test_steps::{Log, Ran};

/// How rcu-core is broken.
#[derive(Clone, Copy)]
pub enum Broken {
    /// Neither sections nor grace periods execute a barrier.
    Barriers,
    /// Grace periods do not wait for readers.
    Waiting,
}

impl Broken {
    /// What rcu-core is compiled with.
    pub fn cfg(self) -> &'static str {
        match self {
            Self::Barriers => "rcu_core_without_barriers",
            Self::Waiting => "rcu_core_without_waiting",
        }
    }

    /// Makes cargo break the workspace's own packages and no others, so that those are not built once more.
    pub fn by_wrapper(self, cargo: &mut Command) -> Result<()> {
        let wrapper = cache::make_dir(&target())?.join(self.cfg());
        fs::write(&wrapper, format!("#!/bin/sh\nexec \"$@\" --cfg {}\n", self.cfg()))
            .and_then(|()| fs::set_permissions(&wrapper, Permissions::from_mode(0o755)))
            .with_context(|| format!("cannot write {}", wrapper.display()))?;
        cargo.env("RUSTC_WORKSPACE_WRAPPER", wrapper);
        Ok(())
    }
}

/// The models whose readers take no barrier on their own account.
const SEE_NO_BARRIERS: &[&str] = &[
    "a_grace_period_is_polled",
    "a_grace_period_that_passed_for_another_is_polled",
    "a_quiescent_reader_helps_at_the_bound",
    "a_slot_passes_from_one_thread_to_another",
    "a_writer_at_the_bound_waits_for_readers",
    "barrier_runs_what_was_deferred",
    "synchronize_does_not_wait_for_an_offline_reader",
    "synchronize_waits_for_a_handle",
    "synchronize_waits_for_a_quiescent_state",
    "synchronize_waits_for_a_reader_that_registers_meanwhile",
    "two_quiescent_readers_synchronize",
    "two_synchronizers_share",
];

/// Of the models over cells: without barriers their readers meet freed memory before loom can tell.
const SEE_NO_WAITING: &[&str] = &["a_replaced_pointer_outlives_its_readers", "no_update_of_a_cell_is_lost"];

/// Runs the models.
pub fn loom(log: &mut Log) -> Result<Ran> {
    if let failed @ Ran::Done(false) = pass(log, &mut loom_models())? {
        return Ok(failed);
    }
    pass(log, &mut models_of("seqfile-core", "std"))
}

/// Runs the models of readers over a broken rcu-core.
pub fn loom_self_check(log: &mut Log) -> Result<Ran> {
    let mut all_see_it = true;
    for (broken, models) in
        [(Broken::Barriers, SEE_NO_BARRIERS), (Broken::Waiting, SEE_NO_BARRIERS), (Broken::Waiting, SEE_NO_WAITING)]
    {
        for model in models {
            let mut cargo = loom_models();
            broken.by_wrapper(&mut cargo)?;
            all_see_it &= sees(log, broken, cargo, model, &["Causality violation"])?;
        }
    }
    Ok(Ran::Done(all_see_it))
}

fn loom_models() -> Command {
    models_of("rcu-core", "membarrier,qsbr")
}

fn models_of(package: &str, features: &str) -> Command {
    let mut cargo = command::cargo();
    cargo.args(["test", "--release", "-p", package, "--features", features, "--test", "loom"]);
    cargo.env("RUSTFLAGS", "--cfg loom");
    in_target(cargo)
}

/// Runs the litmus tests on the machine's processors.
pub fn litmus(log: &mut Log) -> Result<Ran> {
    pass(log, &mut on_hardware("litmus"))
}

/// Runs them without barriers.
pub fn litmus_self_check(log: &mut Log) -> Result<Ran> {
    // Not QSBR's: a rare quiescent state gives the hardware little to reorder.
    fail(log, Broken::Barriers, &["membarrier", "handle", "fence"], "litmus", "a grace period passed over a reader")
}

/// Tortures every flavor.
pub fn torture(log: &mut Log) -> Result<Ran> {
    pass(log, on_hardware("torture").env("RCU_TORTURE_SECONDS", "6"))
}

/// Tortures domains that do not wait.
pub fn torture_self_check(log: &mut Log) -> Result<Ran> {
    let domains = ["membarrier", "separate_domain", "fence_domain", "full_domain", "qsbr"];
    fail(log, Broken::Waiting, &domains, "torture", "reclaimed under a reader")
}

fn fail(log: &mut Log, broken: Broken, tests: &[&str], program: &str, says: &str) -> Result<Ran> {
    let mut all_see_it = true;
    for test in tests {
        let mut cargo = on_hardware(program);
        broken.by_wrapper(&mut cargo)?;
        all_see_it &= sees(log, broken, cargo, test, &[says])?;
    }
    Ok(Ran::Done(all_see_it))
}

fn on_hardware(program: &str) -> Command {
    let mut cargo = command::cargo();
    cargo.args(["test", "--release", "-p", "rcu-core", "--all-features", "--test", program]);
    in_target(cargo)
}

/// Builds where the workspace's own builds are not thrown away for it.
pub fn in_target(mut cargo: Command) -> Command {
    cargo.env("CARGO_TERM_COLOR", "never").env("CARGO_TARGET_DIR", target());
    cargo
}

fn target() -> PathBuf {
    cache::root().join("target/proof")
}

/// Runs tests that must pass. That none ran is a failure.
pub fn pass(log: &mut Log, cargo: &mut Command) -> Result<Ran> {
    let (succeeded, printed) = log.run_and_read("", cargo)?;
    let some_ran = summary::count(&printed) != Tests::default();
    if succeeded && !some_ran {
        log.line("no test ran")?;
    }
    Ok(Ran::Done(succeeded && some_ran))
}

/// Runs one test over a broken rcu-core: whether it runs, fails, and says one of the right things. By itself, since it may abort.
pub fn sees(log: &mut Log, broken: Broken, mut cargo: Command, test: &str, says: &[&str]) -> Result<bool> {
    let (succeeded, printed) = log.run_and_read("| ", cargo.args(["--", "--exact", test]))?;
    let ran = printed.lines().any(|line| line == "running 1 test");
    let seen = ran && !succeeded && says.iter().any(|says| printed.contains(says));
    let verdict = if seen { "is seen by" } else { "IS NOT SEEN by" };
    log.line(&format!("{} {verdict} {test}", broken.cfg()))?;
    Ok(seen)
}
