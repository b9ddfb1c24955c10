//! Checkpoints of programs that use SEM_UNDO, by CRIU itself.
//!
//! Each program runs three times: without a detour, which is the oracle; through a checkpoint and a restore without the plugin, where its
//! end must leave other values behind, else it proves nothing; and with the plugin, where it must leave those of the oracle.
//! `cargo xtask test criu` runs them, with CRIU in a root file system of its own: they take root, CRIU and the built plugin.

mod beside;
mod call;
mod containers;
mod criu;
mod detours;
mod end;
mod needs;
mod programs;
mod refusals;
mod refused;
mod rpc;
mod running;
mod work;

use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// What makes this program one of those that are checkpointed; its name follows.
const PROGRAM: &str = "program";

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    if words.next().as_deref() == Some(PROGRAM) {
        programs::run(&words.next().expect("the name of a program"));
    }
    let mut arguments = Arguments::from_args();
    // Whoever waits for processes that were orphaned must be the only one that does.
    arguments.test_threads = Some(1);
    if arguments.ignored || arguments.include_ignored {
        running::adopt_orphans();
    }
    libtest_mimic::run(&arguments, tests()).exit_code()
}

/// All tests. They are ignored unless asked for, because they need what `cargo xtask test criu` makes.
fn tests() -> Vec<Trial> {
    let all = [detours::tests(), beside::tests(), refusals::tests(), rpc::tests(), containers::tests()];
    let mut all: Vec<_> = all.into_iter().flatten().map(|test| test.with_ignored_flag(true)).collect();
    if !needs::fulfilled("a sleeper in semop", needs::checkpoint_hook) {
        all.retain(|test| !test.name().contains("asleep"));
    }
    if !needs::fulfilled("a restore without the plugin or without one of its files", needs::inventory) {
        all.retain(|test| !["refused::no_plugin", "refused::no_image"].contains(&test.name()));
    }
    all
}

/// A test, by its name; what it asserts is what fails. Nothing that it has started outlives it.
fn test(name: impl Into<String>, body: impl FnOnce() + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let result = panic::catch_unwind(AssertUnwindSafe(body));
        running::kill_all();
        result.map_err(|why| panic::resume_unwind(why))
    })
}
