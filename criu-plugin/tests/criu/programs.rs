//! The programs that are checkpointed. Each runs in this very executable, as a process of its own.

mod body;
mod table;

use std::fs;

use nix::sched::CloneFlags;
use nix::sys::signal::Signal;

use crate::running::Running;
use crate::work::Work;

pub use table::ALL;

/// A program, and how it is brought to where it is checkpointed and to its end.
pub struct Program {
    /// By which it is started.
    pub name: &'static str,
    /// What it does, up to where it waits for its end.
    pub body: fn(),
    /// How many of its processes and threads say that they are ready.
    pub ready: usize,
    /// Which namespaces of its own it has.
    pub namespaces: CloneFlags,
    /// What CRIU is to be told beside the usual.
    pub options: &'static [&'static str],
    /// Brings it where it is to be checkpointed, after all are ready, and waits until it is there.
    pub settle: fn(&Running),
    /// Sees that it is there again after the restore.
    pub resumed: fn(&Running),
    /// Makes it end.
    pub finish: fn(&Running, &Work),
}

impl Program {
    /// One that says once that it is ready and needs nothing else.
    const fn new(name: &'static str, body: fn()) -> Self {
        Self {
            name,
            body,
            ready: 1,
            namespaces: CloneFlags::CLONE_NEWIPC,
            options: &[],
            settle: |_| {},
            resumed: |_| {},
            finish: |running, _| running.signal(Signal::SIGUSR1),
        }
    }

    /// The program of this name.
    pub fn named(name: &str) -> &'static Self {
        ALL.iter().find(|program| program.name == name).unwrap_or_else(|| panic!("no program {name:?}"))
    }
}

/// Becomes a program.
pub fn run(name: &str) -> ! {
    // It cannot be checkpointed where it holds what it was given by accident; what was checkpointed must end with us.
    crate::call::handle(libc::SIGUSR1, end);
    (Program::named(name).body)();
    loop {
        crate::call::pause();
    }
}

extern "C" fn end(_: i32) {
    crate::call::exit_now(0);
}

/// Says that one more of the program is ready.
fn ready(who: &str) {
    fs::write(format!("ready-{who}"), "").unwrap();
}
