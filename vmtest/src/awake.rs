//! The kernel's own checkers are awake: each finds a bug of its kind that the kernel makes on purpose (`kmod/checks/bugs.c`).

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, unshare};
use semundo::sysv::{Op, SemSet};

use crate::checkers;
use crate::kernel_log::KernelLog;
use crate::process::Child;
use crate::reading;

const SWITCH: &str = "/sys/module/semundo/parameters/bug";
const OWN: &str = "/proc/self/semundo";

/// How long a bug is made again and again until it is found.
const LIMIT: Duration = Duration::from_secs(120);

/// A bug, how it comes about, and what the log says of it.
struct Bug {
    name: &'static str,
    happens: fn() -> Result<()>,
    /// All words of one line.
    says: &'static [&'static str],
}

const fn bug(name: &'static str, happens: fn() -> Result<()>, says: &'static [&'static str]) -> Bug {
    Bug { name, happens, says }
}

/// In this order, because lockdep looks no more once it or KASAN has found something.
const MEMORY: &[Bug] = &[
    bug("sleeping-reader", once, &["BUG: sleeping function called from invalid context"]),
    bug("no-section", once, &["WARNING: suspicious RCU usage"]),
    bug("lock-order", once, &["WARNING: possible circular locking dependency detected"]),
    bug("list-corruption", once, &["list_del corruption"]),
    bug("use-after-free-kfence", once, &["BUG: KFENCE: use-after-free read in use_after_free_kfence"]),
    bug("use-after-free", once, &["BUG: KASAN: slab-use-after-free in use_after_free"]),
    bug("use-after-free-rust", once, &["BUG: KASAN: slab-use-after-free in semundo_bug_use_after_free"]),
    bug("out-of-bounds-rust", once, &["BUG: KASAN: slab-out-of-bounds in semundo_bug_out_of_bounds"]),
    bug("free-at-once", walked_and_left, &["BUG: KASAN: slab-use-after-free in semundo_bug_late"]),
];

const RACES: &[Bug] = &[
    bug("data-race", by_two, &["BUG: KCSAN: data-race in racing / racing"]),
    bug("data-race-rust", by_two, &["BUG: KCSAN: data-race in semundo_bug_data_race / semundo_bug_data_race"]),
];

/// Makes every bug that this kernel's checkers are for; true when each was found.
pub fn run() -> Result<bool> {
    checkers::mount()?;
    ensure!(std::fs::exists(SWITCH)?, "{SWITCH}: this kernel has no bugs to find");
    let bugs = match (checkers::watch_memory(), checkers::watch_races()) {
        (true, false) => MEMORY,
        (false, true) => RACES,
        _ => bail!("this kernel has neither the checkers of memory nor those of races"),
    };
    let (mut passed, mut failed) = (0, 0);
    let mut report = |name: &str, result: Result<()>| match result {
        Ok(()) => {
            passed += 1;
            println!("ok awake: {name}");
        }
        Err(error) => {
            failed += 1;
            println!("FAILED awake: {name}: {error:#}");
        }
    };
    if checkers::watch_memory() {
        report("a late reader alone is no bug", late_reader());
        report("leak", leak());
    }
    for bug in bugs {
        report(bug.name, is_found(bug));
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// Makes a bug until the log says so.
fn is_found(bug: &Bug) -> Result<()> {
    let (start, mut log, mut said) = (Instant::now(), KernelLog::mark()?, Vec::new());
    with(bug.name, || {
        while start.elapsed() < LIMIT {
            (bug.happens)()?;
            said.extend(log.lines()?);
            if said.iter().any(|line| bug.says.iter().all(|words| line.contains(words))) {
                return Ok(());
            }
        }
        bail!("{:?} is not in the log, which says:\n    {}", bug.says, said.join("\n    "))
    })
}

/// The same walk and exits as for "free-at-once", with a grace period before the list is freed.
fn late_reader() -> Result<()> {
    let mut log = KernelLog::mark()?;
    with("late", || (0..3).try_for_each(|_| walked_and_left()))?;
    log.ensure_quiet()
}

fn leak() -> Result<()> {
    with("leak", || reading::text(OWN).map(drop))?;
    let found = checkers::leaks()?;
    ensure!(found.contains("unreferenced object") && found.contains("semundo_start"), "kmemleak says:\n{found}");
    Ok(())
}

/// Does `work` while the kernel has the bug.
fn with(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    checkers::write(name, SWITCH)?;
    let result = work();
    checkers::write("none", SWITCH)?;
    result
}

/// A read.
fn once() -> Result<()> {
    reading::text(OWN).map(drop)
}

/// Two threads read at the same time.
fn by_two() -> Result<()> {
    thread::scope(|scope| {
        let both = [scope.spawn(once), scope.spawn(once)];
        both.into_iter().try_for_each(|reader| reader.join().ok().context("a reader panicked")?)
    })
}

/// A process leaves its undo list again and again, and is read for a second.
fn walked_and_left() -> Result<()> {
    let set = SemSet::create(1, 0o600)?;
    let mut target = Child::fork(|link| {
        link.go()?;
        loop {
            set.op(&[Op::new(0, 1), Op::new(0, -1).undo()])?;
            unshare(CloneFlags::CLONE_SYSVSEM)?;
            set.set_value(0, 0)?;
        }
    })?;
    target.link().wait()?;
    let (path, start) = (format!("/proc/{}/semundo", target.pid()), Instant::now());
    while start.elapsed() < Duration::from_secs(1) {
        reading::text(&path)?;
    }
    drop(target);
    Ok(set.remove()?)
}
