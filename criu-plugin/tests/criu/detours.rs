//! Programs that go on after a checkpoint and a restore as though there had been none.

use std::fs;
use std::process::Command;

use libtest_mimic::Trial;
use nix::sys::signal::Signal;

use crate::criu::{self, Plugin};
use crate::end::End;
use crate::needs;
use crate::programs::Program;
use crate::refused::Refused;
use crate::running::{Running, is_stopped, run};
use crate::test;
use crate::work::Work;

/// Those that are checkpointed, which kills them, and restored.
const ONCE: &[&str] = &[
    "one",
    "several",
    "thread",
    "thread-own-list",
    "asleep",
    "asleep-with-limit",
    "stopped",
    "busy",
    "seccomp",
    "limits",
    "extremes",
    "many",
    "namespaces",
    "leader-gone",
];

/// All tests of this file.
pub fn tests() -> Vec<Trial> {
    let mut all: Vec<_> = ONCE.iter().map(|name| test(format!("once::{name}"), || compare(name, once))).collect();
    for name in ["one", "several", "asleep"] {
        all.push(test(format!("leave_running::{name}"), || compare(name, leave_running)));
        all.push(test(format!("leave_stopped::{name}"), || compare(name, leave_stopped)));
        all.push(test(format!("restore_stopped::{name}"), || compare(name, restore_stopped)));
        all.push(test(format!("twice::{name}"), || compare(name, twice)));
    }
    if needs::fulfilled("a setuid program", needs::system_resources) {
        all.push(test("once::nobody", || compare("nobody", once)));
    }
    if needs::fulfilled("pre-dump", needs::dirty_tracking) {
        all.push(test("pre_dump::one", || compare("one", pre_dump)));
        all.push(test("pre_dump::several", || compare("several", pre_dump)));
    }
    all.push(test("leave_running::original_of_a_sleeper", original_of_a_sleeper));
    all.push(test("by_the_command", by_the_command));
    all
}

/// What a way through a checkpoint leads to: the ends of a program, which may come more than once.
type Ends = Result<Vec<End>, Refused>;

/// The three runs.
pub fn compare(name: &str, detour: impl Fn(&'static Program, Plugin) -> Ends) {
    let program = Program::named(name);
    let wanted = oracle(program);
    let without = detour(program, Plugin::Without).unwrap_or_else(|refused| panic!("CRIU alone: {refused}"));
    let last = without.last().expect("a program ends");
    assert_ne!(last.values, wanted.values, "nothing is lost without the plugin: {name} proves nothing");
    let with = detour(program, Plugin::With).unwrap_or_else(|refused| panic!("CRIU with the plugin: {refused}"));
    for end in with {
        assert_eq!(end, wanted, "with the plugin, and without a detour");
    }
}

/// How a program ends that is left alone.
pub fn oracle(program: &'static Program) -> End {
    let work = Work::new();
    Running::start(program, &work).end(&work)
}

/// Sees that what a program was in it is in again. Without the plugin, CRIU makes it see EINTR.
fn resumed(running: &Running, plugin: Plugin) {
    if plugin == Plugin::With {
        (running.program.resumed)(running);
    }
}

fn once(program: &'static Program, plugin: Plugin) -> Ends {
    let work = Work::new();
    let running = Running::start(program, &work);
    let lists = running.undo_lists();
    criu::dump(&running, &work, plugin, &[])?;
    running.was_killed();
    let restored = criu::restore(program, &work, plugin, &[])?;
    resumed(&restored, plugin);
    if plugin == Plugin::With {
        // An end does not tell all adjustments apart, because values have limits.
        assert_eq!(restored.undo_lists(), lists);
    }
    Ok(vec![restored.end(&work)])
}

/// The original goes on, and only then is another one made of the images.
fn leave_running(program: &'static Program, plugin: Plugin) -> Ends {
    let work = Work::new();
    let running = Running::start(program, &work);
    criu::dump(&running, &work, plugin, &["--leave-running"])?;
    resumed(&running, plugin);
    let original = running.end(&work);
    Ok(vec![original, restored_anew(program, plugin, &work)?])
}

/// A sleeper that CRIU leaves running sleeps on, or sees what it sees by a CRIU that asks no plugin before that is settled.
fn original_of_a_sleeper() {
    let program = Program::named("asleep");
    let end = |plugin| {
        let work = Work::new();
        let running = Running::start(program, &work);
        let dumped = criu::dump(&running, &work, plugin, &["--leave-running"]);
        dumped.unwrap_or_else(|refused| panic!("{refused}"));
        running.end(&work)
    };
    let wanted = if needs::checkpoint_hook().is_ok() { oracle(program) } else { end(Plugin::Without) };
    assert_eq!(end(Plugin::With), wanted);
}

/// The same, with an original that stands still until it is told to go on.
fn leave_stopped(program: &'static Program, plugin: Plugin) -> Ends {
    let work = Work::new();
    let running = Running::start(program, &work);
    criu::dump(&running, &work, plugin, &["--leave-stopped"])?;
    is_stopped(&running);
    running.signal(Signal::SIGCONT);
    resumed(&running, plugin);
    let original = running.end(&work);
    Ok(vec![original, restored_anew(program, plugin, &work)?])
}

/// Restored where another one of the same images has been.
fn restored_anew(program: &'static Program, plugin: Plugin, work: &Work) -> Result<End, Refused> {
    let _ = fs::remove_file(work.file("told"));
    let restored = criu::restore(program, work, plugin, &[])?;
    resumed(&restored, plugin);
    Ok(restored.end(work))
}

/// What is restored stands still until it is told to go on.
fn restore_stopped(program: &'static Program, plugin: Plugin) -> Ends {
    let work = Work::new();
    let running = Running::start(program, &work);
    criu::dump(&running, &work, plugin, &[])?;
    running.was_killed();
    let restored = criu::restore(program, &work, plugin, &["--leave-stopped"])?;
    is_stopped(&restored);
    restored.signal(Signal::SIGCONT);
    resumed(&restored, plugin);
    Ok(vec![restored.end(&work)])
}

/// Two restores of the same images, one after the other.
fn twice(program: &'static Program, plugin: Plugin) -> Ends {
    let work = Work::new();
    let running = Running::start(program, &work);
    criu::dump(&running, &work, plugin, &[])?;
    running.was_killed();
    let first = restored_anew(program, plugin, &work)?;
    Ok(vec![first, restored_anew(program, plugin, &work)?])
}

/// The memory first, while it runs, and the rest later.
fn pre_dump(program: &'static Program, plugin: Plugin) -> Ends {
    let work = Work::new();
    let running = Running::start(program, &work);
    let plugins = plugin.directory();
    criu::dump_into("before", &running, &work, plugins.as_deref(), &["pre-dump", "--track-mem"])?;
    resumed(&running, plugin);
    assert_eq!(work.names("before", "semundo"), [""; 0], "lists change until the last dump");
    criu::dump(&running, &work, plugin, &["--track-mem", "--prev-images-dir", "../before"])?;
    running.was_killed();
    Ok(vec![restored_anew(program, plugin, &work)?])
}

/// The way without a plugin: `semundo save` while CRIU leaves it stopped, and `semundo restore` before it goes on.
fn by_the_command() {
    let program = Program::named("one");
    let wanted = oracle(program);
    let work = Work::new();
    let running = Running::start(program, &work);
    criu::dump(&running, &work, Plugin::Without, &["--leave-stopped"]).unwrap_or_else(|refused| panic!("{refused}"));
    let image = work.file("lists").display().to_string();
    semundo(&work, &["save", &running.pid.to_string(), "-o", &image]);
    running.signal(Signal::SIGKILL);
    running.was_killed();
    let restored = criu::restore(program, &work, Plugin::Without, &["--leave-stopped"]);
    let restored = restored.unwrap_or_else(|refused| panic!("{refused}"));
    is_stopped(&restored);
    semundo(&work, &["restore", &image, "--pid", &restored.pid.to_string()]);
    is_stopped(&restored);
    restored.signal(Signal::SIGCONT);
    assert_eq!(restored.end(&work), wanted);
}

fn semundo(work: &Work, words: &[&str]) {
    let said = fs::File::create(work.file("semundo-says")).unwrap();
    let status = run(Command::new("semundo").args(words).stderr(said)).unwrap();
    assert!(status.success(), "semundo {words:?}: {status}: {}", work.read("semundo-says"));
}
