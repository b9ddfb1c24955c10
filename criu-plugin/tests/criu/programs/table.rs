//! All programs: what is particular about each.

use nix::sched::CloneFlags;
use nix::sys::signal::Signal;
use semundo::sysv::SemSet;

use super::{Program, body};
use crate::running::{Running, falls_asleep_in_semop, is_stopped, state, until};
use crate::work::Work;

/// All programs.
pub const ALL: &[Program] = &[
    Program::new("one", body::one),
    Program { ready: 3, ..Program::new("several", body::several) },
    Program::new("thread", body::thread),
    Program { ready: 2, ..Program::new("thread-own-list", body::thread_own_list) },
    Program { settle: sleeps, resumed: sleeps, finish: wake_and_end, ..Program::new("asleep", body::asleep) },
    Program {
        settle: sleeps,
        resumed: sleeps,
        finish: wake_and_end,
        ..Program::new("asleep-with-limit", body::asleep_with_limit)
    },
    Program { settle: stop, resumed: is_stopped, finish: continue_and_end, ..Program::new("stopped", body::one) },
    Program::new("busy", body::busy),
    Program::new("seccomp", body::seccomp),
    Program::new("limits", body::limits),
    Program::new("extremes", body::extremes),
    Program::new("many", body::many),
    Program::new("nobody", body::nobody),
    Program { ready: 2, ..in_namespaces("namespaces", body::namespaces) },
    Program { ready: 2, ..in_namespaces("leader-gone", body::leader_gone) },
    Program::new("nothing", body::nothing),
    Program { namespaces: CloneFlags::empty(), ..Program::new("host-namespace", body::one) },
    Program { ready: 2, ..Program::new("sharing", body::sharing) },
    Program::new("other-set", body::other_set),
];

const NAMESPACES: CloneFlags = CloneFlags::CLONE_NEWIPC.union(CloneFlags::CLONE_NEWPID).union(CloneFlags::CLONE_NEWNS);

/// A program in them.
const fn in_namespaces(name: &'static str, body: fn()) -> Program {
    // Where CRIU finds the root directory for a new mount namespace: a mount point.
    Program { namespaces: NAMESPACES, options: &["--root", "/mnt"], ..Program::new(name, body) }
}

fn sleeps(running: &Running) {
    falls_asleep_in_semop(running.pid);
}

/// Gives it what it sleeps for.
fn wake_and_end(running: &Running, work: &Work) {
    let op = body::Op::new(0, 1);
    running.in_namespace(|| SemSet::from_id(body::SLEEPS_IN).op(&[op])).unwrap();
    until("it has told how it woke", || work.read("told").ends_with('\n'));
    running.signal(Signal::SIGUSR1);
}

fn stop(running: &Running) {
    running.signal(Signal::SIGSTOP);
    is_stopped(running);
}

fn continue_and_end(running: &Running, _: &Work) {
    running.signal(Signal::SIGCONT);
    until("it goes on", || running.tree().iter().all(|pid| state(*pid) == Some('S')));
    running.signal(Signal::SIGUSR1);
}
