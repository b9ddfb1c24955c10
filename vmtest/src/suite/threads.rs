//! Whose list it is: threads that share one, threads with one of their own, processes that share, leaders that are gone.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getpid, gettid};
use semundo::proc::Row;
use semundo::sysv::{Op, SemSet};

use super::{Test, test};
use crate::files;
use crate::process::Child;
use crate::reading;

pub const TESTS: &[Test] = &[
    test("threads: two threads share one list", 60, threads_share),
    test("threads: unshare(CLONE_SYSVSEM) makes a list of one's own", 60, unshared_thread),
    test("threads: the leader is a zombie, its thread still holds", 60, zombie_leader),
    test("threads: two processes share one list", 60, processes_share),
    test("threads: rows are ascending by semid, pid and list", 120, many_lists),
];

fn set_of_one(value: u16) -> Result<SemSet> {
    let set = SemSet::create(1, 0o600)?;
    set.set_value(0, value)?;
    Ok(set)
}

fn row(set: SemSet, pid: i32, list: i32, adjustment: i16) -> Row {
    Row { semid: set.id(), pid, list, semadj: vec![adjustment] }
}

/// The table has just these rows.
pub fn table_is(want: &[Row]) -> Result<()> {
    let got = files::rows()?;
    if got != want {
        let at = got.iter().zip(want).take_while(|(got, want)| got == want).count();
        bail!(
            "the table has {} rows instead of {}, and at row {at} {:?} instead of {:?}",
            got.len(),
            want.len(),
            got.get(at),
            want.get(at)
        );
    }
    Ok(())
}

/// The end of a thread is told before its undo is done (kernel/exit.c: do_exit): waits for the table to be so.
fn table_becomes(want: &[Row]) -> Result<()> {
    let start = Instant::now();
    loop {
        match table_is(want) {
            Err(_) if start.elapsed() < Duration::from_secs(10) => thread::sleep(Duration::from_millis(5)),
            result => return result,
        }
    }
}

/// Runs `body` in a thread and waits for it.
fn in_thread<T: Send + 'static>(body: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    thread::spawn(body).join().map_err(|_| anyhow!("the thread panicked"))?
}

fn threads_share() -> Result<()> {
    let set = set_of_one(10)?;
    let pid = getpid().as_raw();
    set.op(&[Op::new(0, -2).undo()])?;
    let seen = in_thread(move || {
        set.op(&[Op::new(0, -3).undo()])?;
        table_is(&[row(set, pid, pid, 5)])?;
        reading::text(files::own())
    })?;
    ensure!(seen == format!("{} 5\n", set.id()) && seen == reading::text(files::own())?, "the thread saw {seen:?}");
    table_is(&[row(set, pid, pid, 5)])?;
    ensure!(set.get_value(0)? == 5, "the end of a thread undid what the process holds");
    Ok(())
}

fn unshared_thread() -> Result<()> {
    let set = set_of_one(10)?;
    let pid = getpid().as_raw();
    set.op(&[Op::new(0, -2).undo()])?;
    in_thread(move || {
        unshare(CloneFlags::CLONE_SYSVSEM)?;
        let empty = reading::text(files::own())?;
        ensure!(empty.is_empty(), "a fresh list shows {empty:?}");
        set.op(&[Op::new(0, -3).undo()])?;
        let own = reading::text(files::own())?;
        ensure!(own == format!("{} 3\n", set.id()), "the thread's own list is {own:?}");
        table_is(&[row(set, pid, pid, 2), row(set, pid, gettid().as_raw(), 3)])
    })?;
    table_becomes(&[row(set, pid, pid, 2)])?;
    ensure!(set.get_value(0)? == 8, "the end of the thread did not give its 3 back");
    Ok(())
}

fn zombie_leader() -> Result<()> {
    let set = set_of_one(10)?;
    let mut child = Child::fork(|link| {
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut run = || -> Result<()> {
                    set.op(&[Op::new(0, -4).undo()])?;
                    link.send(gettid().to_string())?;
                    link.wait()?;
                    link.send(reading::text(files::own())?)?;
                    link.hold()
                };
                if let Err(error) = run() {
                    eprintln!("the thread without a leader: {error:#}");
                }
            });
            // SAFETY: ends this thread alone. Nothing of it is used after: its stack stays, and the process ends by a kill.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        });
        Ok(())
    })?;
    let tid: i32 = child.link().recv_text()?.parse()?;
    let start = Instant::now();
    while !fs::read_to_string(format!("/proc/{}/stat", child.pid()))?.contains(") Z ") {
        ensure!(start.elapsed() < Duration::from_secs(10), "the leader does not become a zombie");
        thread::sleep(Duration::from_millis(5));
    }
    table_is(&[row(set, child.pid(), tid, 4)])?;
    child.link().go()?;
    let own = child.link().recv_text()?;
    ensure!(own == format!("{} 4\n", set.id()), "the thread's own list is {own:?}");
    child.link().wait()?;
    child.kill()?;
    table_is(&[])?;
    ensure!(set.get_value(0)? == 10, "the kill did not give back");
    Ok(())
}

fn processes_share() -> Result<()> {
    let set = set_of_one(10)?;
    let mut parent = Child::fork(|link| {
        set.op(&[Op::new(0, -1).undo()])?;
        let mut child = Child::with_flags(libc::CLONE_SYSVSEM, |link| {
            set.op(&[Op::new(0, -2).undo()])?;
            link.send(reading::text(files::own())?)?;
            link.wait()
        })?;
        let childs = child.link().recv_text()?;
        let own = reading::text(files::own())?;
        ensure!(childs == own, "one sees {own:?}, the other {childs:?}");
        link.send(child.pid().to_string())?;
        link.wait()?;
        child.link().go()?;
        child.join()?;
        link.step()
    })?;
    let (one, other): (i32, i32) = (parent.pid(), parent.link().recv_text()?.parse()?);
    let list = one.min(other);
    table_is(&[row(set, list, list, 3), row(set, one.max(other), list, 3)])?;
    parent.link().step()?;
    // The list lives on with the last process that shares it.
    table_is(&[row(set, one, one, 3)])?;
    ensure!(set.get_value(0)? == 7, "the first exit undid the shared list");
    parent.link().go()?;
    parent.join()?;
    ensure!(set.get_value(0)? == 10, "the last exit did not undo the shared list");
    Ok(())
}

/// Three sets, ten processes, each with two lists that touch all of them.
fn many_lists() -> Result<()> {
    let sets = [set_of_one(1000)?, set_of_one(1000)?, set_of_one(1000)?];
    let mut holders = Vec::new();
    for number in 1..=10 {
        let mut child = Child::fork(|link| {
            sets.iter().rev().try_for_each(|set| set.op(&[Op::new(0, -number).undo()]))?;
            thread::scope(|scope| {
                scope
                    .spawn(|| -> Result<()> {
                        unshare(CloneFlags::CLONE_SYSVSEM)?;
                        sets.iter().try_for_each(|set| set.op(&[Op::new(0, number).undo()]))?;
                        link.send(gettid().to_string())?;
                        link.hold()
                    })
                    .join()
                    .map_err(|_| anyhow!("the thread panicked"))?
            })
        })?;
        let tid: i32 = child.link().recv_text()?.parse()?;
        child.link().wait()?;
        holders.push((child, tid, number));
    }
    let mut want = Vec::new();
    for &set in &sets {
        for (child, tid, number) in &holders {
            want.push(row(set, child.pid(), child.pid(), *number));
            want.push(row(set, child.pid(), *tid, -number));
        }
    }
    want.sort_by_key(|row| (row.semid, row.pid, row.list));
    table_is(&want).context("all hold")?;
    // Every other process dies: the rest stays as it was.
    let (dying, _living): (Vec<_>, Vec<_>) = holders.into_iter().partition(|(_, _, number)| number % 2 == 0);
    for (child, ..) in dying {
        want.retain(|row| row.pid != child.pid());
        child.kill()?;
    }
    table_is(&want).context("half of them killed")
}
