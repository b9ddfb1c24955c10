//! The steps that prove rcu-core, and the engine over it, under an interpreter and a sanitizer, Miri and ThreadSanitizer: both are parts of nightly toolchains.
//! Miri also runs those tests of seqfile-core that go through its unsafe code, and through rcu-core's lists.
//!
//! Where such a toolchain cannot be had they do not run, and say so.

use std::process::Command;

use anyhow::Result;

use crate::cache;
use crate::command;
use crate::proof::{Broken, in_target, pass, sees};
use crate::test_steps::{Log, Ran};

/// The test programs that both run.
const TESTS: &[&str] = &["--test", "flavors", "--test", "cells", "--test", "lists"];

/// The target that is built with an instrumented standard library.
const TSAN_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Runs the tests under Miri, which checks leaks too.
pub fn miri(log: &mut Log) -> Result<Ran> {
    if let Some(why) = missing(log) {
        return Ok(Ran::NotRun(why));
    }
    // Not what is all about hardware, signals and forks.
    let raw = ["--lib", "--test", "raw_list", "--test", "raw_hlist"];
    let mut cargo = under_miri("");
    cargo.args([TESTS, &raw].concat()).args(["--", "--skip", "epoch"]);
    if let Ran::Done(false) = pass(log, &mut cargo)? {
        return Ok(Ran::Done(false));
    }
    // The engine's sets while they are locked in both ways, and removed.
    let mut cargo = under_miri_of("semundo-core", "-Zmiri-disable-isolation -Zmiri-permissive-provenance");
    cargo.args(["--test", "engine", "--", "--exact"]);
    cargo.args(["threads::membarrier::simple_beside_complex", "threads::membarrier::removal_wakes_threads"]);
    if let Ran::Done(false) = pass(log, &mut cargo)? {
        return Ok(Ran::Done(false));
    }
    // crossbeam-epoch obeys Tree Borrows alone, and leaves its garbage at the end.
    let mut cargo = under_miri("-Zmiri-tree-borrows -Zmiri-ignore-leaks");
    cargo.args(TESTS).args(["--", "epoch"]);
    if let Ran::Done(false) = pass(log, &mut cargo)? {
        return Ok(Ran::Done(false));
    }
    let mut cargo = under_miri_of("seqfile-core", "");
    // Random calls in numbers are too much for an interpreter.
    cargo.args(["--test", "thunk", "--test", "exact", "--", "--skip", "same_"]);
    pass(log, &mut cargo)
}

/// Runs a test over domains that do not wait.
pub fn miri_self_check(log: &mut Log) -> Result<Ran> {
    if let Some(why) = missing(log) {
        return Ok(Ran::NotRun(why));
    }
    let broken = Broken::Waiting;
    // One schedule may have no reader in the way.
    let mut cargo = under_miri("-Zmiri-many-seeds=0..16");
    // Miri's cargo takes no wrapper.
    let broken_package = format!("profile.dev.package.rcu-core.rustflags=[\"--cfg\", \"{}\"]", broken.cfg());
    cargo.args(["-Zprofile-rustflags", "--config", &broken_package, "--test", "flavors"]);
    let says = ["error: Undefined Behavior"];
    Ok(Ran::Done(sees(log, broken, cargo, "membarrier::a_pointer_is_replaced_under_readers", &says)?))
}

fn under_miri(flags: &str) -> Command {
    under_miri_of("rcu-core", flags)
}

fn under_miri_of(package: &str, flags: &str) -> Command {
    let mut cargo = nightly_cargo();
    cargo.args(["miri", "test", "-p", package, "--all-features"]).env("MIRIFLAGS", flags);
    in_target(cargo)
}

/// Runs the crate's tests under ThreadSanitizer.
pub fn thread_sanitizer(log: &mut Log) -> Result<Ran> {
    if let Some(why) = missing(log) {
        return Ok(Ran::NotRun(why));
    }
    let mut cargo = under_thread_sanitizer();
    cargo.args(TESTS).args(["--test", "torture"]);
    pass(log, &mut cargo)
}

/// Runs a test over domains that do not wait.
pub fn thread_sanitizer_self_check(log: &mut Log) -> Result<Ran> {
    if let Some(why) = missing(log) {
        return Ok(Ran::NotRun(why));
    }
    let says = ["WARNING: ThreadSanitizer: data race", "WARNING: ThreadSanitizer: heap-use-after-free"];
    // A reader must hold the very object that is reclaimed too early: most often it does, but not in every run.
    for _ in 0..20 {
        let mut cargo = under_thread_sanitizer();
        Broken::Waiting.by_wrapper(&mut cargo)?;
        cargo.args(["--test", "flavors"]);
        if sees(log, Broken::Waiting, cargo, "membarrier::a_pointer_is_replaced_under_readers", &says)? {
            return Ok(Ran::Done(true));
        }
    }
    Ok(Ran::Done(false))
}

fn under_thread_sanitizer() -> Command {
    let mut cargo = nightly_cargo();
    cargo.args(["test", "-Zbuild-std", "--target", TSAN_TARGET, "-p", "rcu-core", "--all-features"]);
    cargo.env("RUSTFLAGS", "-Zsanitizer=thread").env("RCU_TORTURE_SECONDS", "1");
    in_target(cargo)
}

fn nightly_cargo() -> Command {
    let mut cargo = Command::new("rustup");
    cargo.args(["run", "nightly", "cargo"]).current_dir(cache::root());
    cargo
}

/// Why there is no nightly toolchain with Miri and the standard library's source here; it is installed where it can be.
fn missing(log: &mut Log) -> Option<String> {
    if has_components() {
        return None;
    }
    let add = "rustup component add miri rust-src --toolchain nightly";
    let install = "rustup toolchain install nightly --profile minimal --component miri,rust-src";
    for get in [add, install] {
        let mut words = get.split(' ');
        let mut rustup = Command::new(words.next()?);
        if matches!(log.run(rustup.args(words)), Ok(true)) && has_components() {
            return None;
        }
    }
    Some(format!("`{install}` does not work here"))
}

fn has_components() -> bool {
    let mut list = Command::new("rustup");
    list.args(["component", "list", "--toolchain", "nightly", "--installed"]);
    command::output(&mut list).is_ok_and(|list| {
        let has = |name: &str| list.lines().any(|component| component.starts_with(name));
        has("miri") && has("rust-src")
    })
}
