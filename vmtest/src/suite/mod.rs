//! The tests of the module, or of a patched kernel: each in a process of its own, with a time limit and a watch on the kernel's log.

mod binding;
mod churn;
mod command;
mod exact;
mod faults;
mod in_tree;
mod lists;
mod namespaces;
mod permissions;
mod reload;
mod sizes;
mod story;
mod threads;
mod write;
mod write_errors;
mod write_races;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, setpgid};

use crate::checkers;
use crate::files;
use crate::kernel_log::KernelLog;
use crate::process::Child;

/// One test.
struct Test {
    name: &'static str,
    /// How long it may take, in seconds, on an emulated machine.
    limit: u64,
    run: fn() -> Result<()>,
}

const fn test(name: &'static str, limit: u64, run: fn() -> Result<()>) -> Test {
    Test { name, limit, run }
}

/// The modules in their order of running; what reloads the module and what loads the machine comes last.
const OF_THE_MODULE: &[&[Test]] = &[
    story::TESTS,
    sizes::TESTS,
    lists::TESTS,
    threads::TESTS,
    permissions::TESTS,
    permissions::TABLE_TESTS,
    binding::TESTS,
    namespaces::TESTS,
    command::TESTS,
    write::TESTS,
    write_errors::TESTS,
    write_races::TESTS,
    exact::TESTS,
    exact::TABLE_TESTS,
    reload::TESTS,
    churn::TESTS,
];

/// Those of a patched kernel, which has a file for each thread and no table.
const OF_THE_KERNEL: &[&[Test]] = &[
    sizes::TESTS,
    lists::TESTS,
    threads::TESTS,
    permissions::TESTS,
    namespaces::TESTS,
    command::TESTS,
    write::TESTS,
    write_errors::TESTS,
    write_races::TESTS,
    exact::TESTS,
    exact::IN_TREE_TESTS,
    in_tree::TESTS,
];

/// Those of a patched kernel that makes memory run out where it is told to.
const OF_A_CHECKED_KERNEL: &[&[Test]] = &[faults::TESTS];

/// Runs the tests whose name contains one of `filters`, or all; true when all of them passed.
pub fn run(filters: &[&str]) -> Result<bool> {
    checkers::mount()?;
    let mut whole_run = KernelLog::mark()?;
    let (mut passed, mut failed) = (0, 0);
    let report = |name: &str, start: Instant, result: Result<()>| {
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => println!("ok {name} ({seconds:.1} s)"),
            Err(error) => println!("FAILED {name}: {error:#} ({seconds:.1} s)"),
        }
    };
    let groups = if files::in_tree() { OF_THE_KERNEL } else { OF_THE_MODULE };
    let more = if checkers::inject_faults() { OF_A_CHECKED_KERNEL } else { &[] };
    let all = || groups.iter().chain(more).copied().flatten();
    for filter in filters {
        ensure!(all().any(|test| test.name.contains(filter)), "no test's name contains `{filter}`");
    }
    let chosen = |test: &&Test| filters.is_empty() || filters.iter().any(|filter| test.name.contains(filter));
    let tests: Vec<&Test> = all().filter(chosen).collect();
    for test in tests {
        let start = Instant::now();
        let mut log = KernelLog::mark()?;
        let result = run_one(test).and_then(|()| log.ensure_quiet());
        *(if result.is_ok() { &mut passed } else { &mut failed }) += 1;
        report(test.name, start, result);
    }
    for (name, found) in checkers::at_the_end() {
        let (start, result) = (Instant::now(), found());
        *(if result.is_ok() { &mut passed } else { &mut failed }) += 1;
        report(name, start, result);
    }
    let result = whole_run.ensure_quiet();
    *(if result.is_ok() { &mut passed } else { &mut failed }) += 1;
    report("the kernel log of the whole run is quiet", Instant::now(), result);
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// Runs one test in a process and an IPC namespace of its own, which take everything with them that the test leaves behind.
fn run_one(test: &Test) -> Result<()> {
    let mut child = Child::fork(|link| {
        setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
        unshare(CloneFlags::CLONE_NEWIPC).context("unshare(CLONE_NEWIPC)")?;
        (test.run)()?;
        link.go()
    })?;
    let limit = test.limit * checkers::slowness();
    match child.recv_within(Duration::from_secs(limit)) {
        Some(Ok(_)) => child.join(),
        Some(Err(error)) => Err(error),
        None => {
            killpg(Pid::from_raw(child.pid()), Signal::SIGKILL)?;
            Err(anyhow!("not done after {limit} s"))
        }
    }
}
