//! Domains, one promise a test: grace periods, the bound, callbacks, threads that end, stalls, and what misuse leads to.
#![cfg(all(not(loom), not(miri)))]
#![allow(missing_docs)]

mod bound;
mod callbacks;
mod environment;
mod grace_periods;
mod misuse;
mod stall;
mod threads;

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use rcu_core::domain::{Domain, Options};

/// What tells a test that it runs in a process of its own.
const IN_CHILD: &str = "RCU_CORE_TEST_CHILD";

/// Whether this process was started to run one test that may end it.
fn in_child() -> bool {
    env::var_os(IN_CHILD).is_some()
}

/// What runs the test of this name once more, in a process of its own.
fn child_of(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(IN_CHILD, "1").env_remove("RCU_CORE_FENCE");
    command
}

fn domain_with_bound(bound: usize) -> Domain {
    let mut options = Options::default();
    options.bound = bound;
    Domain::with_options(options)
}

/// Waits for what comes soon, or else fails.
fn wait_until(reached: impl Fn() -> bool) {
    let since = Instant::now();
    while !reached() {
        assert!(since.elapsed() < Duration::from_secs(30), "it never happened");
        thread::sleep(Duration::from_micros(100));
    }
}

/// Sets a flag when it is dropped, so that the other threads of a test end also when it fails.
struct SetsWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
