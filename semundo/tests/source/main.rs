//! The BPF source against the running kernel: real processes with real undo lists, and what is read of them.
//!
//! They take root and a kernel with type information (BTF), and fail where that is missing. Each test's processes are in an IPC
//! namespace of their own, so that tests disturb neither each other nor the machine, and no set outlives them.

mod actor;
mod change;
mod exact;
mod namespaces;
mod privilege;
mod readers;
mod removal;
mod restored;
mod sharing;

use std::time::{Duration, Instant};

use actor::Actor;
use semundo::source::bpf::Bpf;
use semundo::{Adjustments, Select, Source, UndoList};

/// The source under test.
fn bpf() -> Bpf {
    Bpf::load().unwrap_or_else(|error| panic!("these tests need BPF, which cannot be had here: {error}"))
}

/// The lists that a process has: one, unless some of its threads have their own.
fn lists(bpf: &Bpf, actor: &Actor) -> Vec<UndoList> {
    bpf.read(&Select::Pids(vec![actor.pid()])).unwrap()
}

/// What the only list of a process holds; nothing where it has none.
fn held(bpf: &Bpf, actor: &Actor) -> Vec<Adjustments> {
    let mut lists = lists(bpf, actor);
    assert!(lists.len() <= 1, "{lists:?}");
    lists.pop().map_or(Vec::new(), |list| list.adjustments)
}

/// A list's threads.
fn tids(list: &UndoList) -> Vec<i32> {
    list.tasks.iter().map(|task| task.tid).collect()
}

/// Repeats for as long as a test of something that goes on meanwhile may take, however slow the machine; at least five times.
fn rounds(mut round: impl FnMut()) {
    let end = Instant::now() + Duration::from_millis(1500);
    let mut done = 0;
    while done < 5 || Instant::now() < end {
        round();
        done += 1;
    }
}
