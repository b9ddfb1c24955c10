//! Only the reader's IPC namespace, and process ids as the reader counts them.

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::getpid;
use semundo::proc::Row;
use semundo::sysv::{Op, SemSet};

use super::threads::table_is;
use super::{Test, test};
use crate::files;
use crate::process::Child;
use crate::reading;

pub const TESTS: &[Test] = &[
    test("namespaces: another IPC namespace sees its own only", 60, another_ipc),
    test("namespaces: leaving an IPC namespace gives back", 60, leaving_ipc),
    test("namespaces: another pid namespace counts for itself", 60, another_pid),
];

/// A set with room to take from.
fn fresh_set() -> Result<SemSet> {
    let set = SemSet::create(1, 0o600)?;
    set.set_value(0, 100)?;
    Ok(set)
}

fn another_ipc() -> Result<()> {
    let set = fresh_set()?;
    set.op(&[Op::new(0, -5).undo()])?;
    let mut child = Child::with_flags(libc::CLONE_NEWIPC, |link| {
        let own = reading::text(files::own())?;
        ensure!(own.is_empty(), "a fresh process shows {own:?}");
        table_is(&[])?;
        // The same id, because every namespace counts from 0.
        let set = fresh_set()?;
        set.op(&[Op::new(0, -7).undo()])?;
        let pid = getpid().as_raw();
        table_is(&[Row { semid: set.id(), pid, list: pid, semadj: vec![7] }])?;
        link.step()
    })?;
    child.link().wait()?;
    let pid = getpid().as_raw();
    table_is(&[Row { semid: set.id(), pid, list: pid, semadj: vec![5] }])?;
    child.link().go()?;
    child.join()
}

/// `unshare(CLONE_NEWIPC)` gives back as an exit does (kernel/fork.c: ksys_unshare).
fn leaving_ipc() -> Result<()> {
    let set = fresh_set()?;
    let mut child = Child::fork(|link| {
        set.op(&[Op::new(0, -5).undo()])?;
        link.step()?;
        unshare(CloneFlags::CLONE_NEWIPC).context("unshare(CLONE_NEWIPC)")?;
        table_is(&[])?;
        let own = reading::text(files::own())?;
        ensure!(own.is_empty(), "the list of the old namespace came along: {own:?}");
        link.step()
    })?;
    let pid = child.pid();
    child.link().wait()?;
    table_is(&[Row { semid: set.id(), pid, list: pid, semadj: vec![5] }])?;
    child.link().step()?;
    table_is(&[])?;
    ensure!(set.get_value(0)? == 100, "it kept what it had taken");
    child.link().go()?;
    child.join()
}

fn another_pid() -> Result<()> {
    let set = fresh_set()?;
    set.op(&[Op::new(0, -5).undo()])?;
    let row = |pid, adjustment| Row { semid: set.id(), pid, list: pid, semadj: vec![adjustment] };
    let mut init = Child::with_flags(libc::CLONE_NEWPID | libc::CLONE_NEWNS, |link| {
        let nothing = None::<&str>;
        mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).context("a private /")?;
        mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), nothing).context("a fresh /proc")?;
        set.op(&[Op::new(0, -6).undo()])?;
        let mut second = Child::fork(|link| {
            set.op(&[Op::new(0, -7).undo()])?;
            link.hold()
        })?;
        second.link().wait()?;
        ensure!((getpid().as_raw(), second.pid()) == (1, 2), "the pids are {} and {}", getpid(), second.pid());
        table_is(&[row(1, 6), row(2, 7)])?;
        link.step()?;
        second.kill()
    })?;
    init.link().wait()?;
    let mut outside = files::rows()?;
    ensure!(outside.len() == 3, "outside the table is {outside:?}");
    outside.retain(|row| row.semadj != [7]);
    let mut want = vec![row(getpid().as_raw(), 5), row(init.pid(), 6)];
    want.sort_by_key(|row| row.pid);
    ensure!(outside == want, "outside the table is {outside:?}");
    init.link().go()?;
    init.join()
}
