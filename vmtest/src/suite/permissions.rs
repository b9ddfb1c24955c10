//! Who sees whose rows: what ptrace(2) calls a read access check, by user ids, dumpable flag and CAP_SYS_PTRACE.

use anyhow::{Context, Result, ensure};
use caps::{CapSet, Capability};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use semundo::proc;
use semundo::sysv::{Op, SemSet};

use super::{Test, test};
use crate::files;
use crate::process::{Child, Link};

pub const TESTS: &[Test] = &[
    test("permissions: a user sees processes with its own ids only", 60, users),
    test("permissions: a mixed triple of ids is somebody else", 60, mixed_triple),
    test("permissions: a process that is not dumpable is hidden", 60, not_dumpable),
    test("permissions: a process with more capabilities is hidden", 60, more_capable),
    test("permissions: root without CAP_SYS_PTRACE sees no other user", 60, root_without_ptrace),
    test("permissions: a user namespace of one's own gives no sight", 60, own_user_namespace),
];

/// Of the table alone.
pub const TABLE_TESTS: &[Test] = &[test("permissions: the opener's rights count, not the reader's", 60, opener_counts)];

/// Becomes an ordinary user; dumpable again, which a change of ids ends.
pub fn become_user(uid: u32, gid: u32) -> Result<()> {
    setgroups(&[])?;
    setresgid(Gid::from_raw(gid), Gid::from_raw(gid), Gid::from_raw(gid))?;
    setresuid(Uid::from_raw(uid), Uid::from_raw(uid), Uid::from_raw(uid))?;
    prctl::set_dumpable(true)?;
    Ok(())
}

/// The pids of the table, as this process sees it.
fn pids() -> Result<Vec<i32>> {
    let mut pids: Vec<i32> = files::rows()?.iter().map(|row| row.pid).collect();
    pids.sort_unstable();
    Ok(pids)
}

/// A process that changes itself by `become_it`, takes from the set, and tells the pids that it sees as often as asked.
fn holder(set: SemSet, become_it: impl FnOnce() -> Result<()>) -> Result<Child> {
    let mut child = Child::fork(|link| {
        become_it()?;
        set.op(&[Op::new(0, -1).undo()])?;
        link.go()?;
        tell_when_asked(link)
    })?;
    child.link().wait()?;
    Ok(child)
}

fn tell_when_asked(link: &mut Link) -> Result<()> {
    loop {
        link.wait()?;
        let pids: Vec<String> = pids()?.iter().map(i32::to_string).collect();
        link.send(pids.join(" "))?;
    }
}

/// What `viewer` sees is what `want` says.
fn sees<const N: usize>(who: &str, viewer: &mut Child, mut want: [i32; N]) -> Result<()> {
    want.sort_unstable();
    viewer.link().go()?;
    let got = viewer.link().recv_text()?;
    let want = want.map(|pid| pid.to_string()).join(" ");
    ensure!(got == want, "{who} sees `{got}` instead of `{want}`");
    Ok(())
}

fn open_set() -> Result<SemSet> {
    let set = SemSet::create(1, 0o666)?;
    set.set_value(0, 100)?;
    Ok(set)
}

fn users() -> Result<()> {
    let set = open_set()?;
    let mut root = holder(set, || Ok(()))?;
    let mut one = holder(set, || become_user(1000, 1000))?;
    let mut two = holder(set, || become_user(1000, 1000))?;
    let mut other = holder(set, || become_user(1001, 1001))?;
    let mut group = holder(set, || become_user(1000, 1001))?;
    let (r, a, b, c, d) = (root.pid(), one.pid(), two.pid(), other.pid(), group.pid());
    sees("root", &mut root, [r, a, b, c, d])?;
    sees("the first of uid 1000", &mut one, [a, b])?;
    sees("the second of uid 1000", &mut two, [a, b])?;
    sees("uid 1001", &mut other, [c])?;
    sees("uid 1000 of another group", &mut group, [d])?;
    two.kill()?;
    sees("uid 1000 alone", &mut one, [a])
}

fn mixed_triple() -> Result<()> {
    let set = open_set()?;
    let mut user = holder(set, || become_user(1000, 1000))?;
    let with_ids = |real: u32, effective: u32, saved: u32| {
        holder(set, move || {
            setresgid(Gid::from_raw(1000), Gid::from_raw(1000), Gid::from_raw(1000))?;
            setresuid(Uid::from_raw(real), Uid::from_raw(effective), Uid::from_raw(saved))?;
            prctl::set_dumpable(true)?;
            Ok(())
        })
    };
    let _real = with_ids(0, 1000, 1000)?;
    let _effective = with_ids(1000, 0, 1000)?;
    let _saved = with_ids(1000, 1000, 0)?;
    let _group = holder(set, || {
        setresgid(Gid::from_raw(1000), Gid::from_raw(1000), Gid::from_raw(0))?;
        setresuid(Uid::from_raw(1000), Uid::from_raw(1000), Uid::from_raw(1000))?;
        prctl::set_dumpable(true)?;
        Ok(())
    })?;
    let pid = user.pid();
    sees("uid 1000", &mut user, [pid])
}

fn not_dumpable() -> Result<()> {
    let set = open_set()?;
    let mut root = holder(set, || Ok(()))?;
    let mut open = holder(set, || become_user(1000, 1000))?;
    let mut hidden = holder(set, || {
        become_user(1000, 1000)?;
        prctl::set_dumpable(false)?;
        Ok(())
    })?;
    let (r, a, b) = (root.pid(), open.pid(), hidden.pid());
    sees("root", &mut root, [r, a, b])?;
    sees("the sibling", &mut open, [a])?;
    sees("the hidden one itself", &mut hidden, [a, b])
}

/// security/commoncap.c: cap_ptrace_access_check.
fn more_capable() -> Result<()> {
    let set = open_set()?;
    let mut root = holder(set, || Ok(()))?;
    let mut plain = holder(set, || become_user(1000, 1000))?;
    let mut capable = holder(set, || {
        prctl::set_keepcaps(true)?;
        become_user(1000, 1000)?;
        let kept = [Capability::CAP_SYS_NICE].into_iter().collect();
        caps::set(None, CapSet::Permitted, &kept)?;
        caps::set(None, CapSet::Effective, &kept)?;
        prctl::set_dumpable(true)?;
        Ok(())
    })?;
    let (r, a, b) = (root.pid(), plain.pid(), capable.pid());
    sees("root", &mut root, [r, a, b])?;
    sees("the plain one", &mut plain, [a])?;
    sees("the capable one", &mut capable, [a, b])
}

fn root_without_ptrace() -> Result<()> {
    let set = open_set()?;
    let user = holder(set, || become_user(1000, 1000))?;
    let mut root = holder(set, || {
        caps::drop(None, CapSet::Effective, Capability::CAP_SYS_PTRACE)?;
        Ok(())
    })?;
    let mut whole_root = holder(set, || Ok(()))?;
    let (u, r, w) = (user.pid(), root.pid(), whole_root.pid());
    sees("root", &mut whole_root, [u, r, w])?;
    root.link().go()?;
    let seen = root.link().recv_text()?;
    let seen: Vec<i32> = seen.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    ensure!(seen.contains(&r), "it does not see itself: {seen:?}");
    ensure!(!seen.contains(&u), "it sees uid 1000: {seen:?}");
    Ok(())
}

fn own_user_namespace() -> Result<()> {
    let set = open_set()?;
    let _root = holder(set, || Ok(()))?;
    let mut user = holder(set, || {
        become_user(1000, 1000)?;
        unshare(CloneFlags::CLONE_NEWUSER).context("unshare(CLONE_NEWUSER)")?;
        Ok(())
    })?;
    let mut sibling = holder(set, || become_user(1000, 1000))?;
    let (a, b) = (user.pid(), sibling.pid());
    user.link().go()?;
    let seen = user.link().recv_text()?;
    let seen: Vec<i32> = seen.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    ensure!(seen.iter().all(|pid| [a, b].contains(pid)) && seen.contains(&a), "root of nothing sees {seen:?}");
    // Capabilities in a namespace of its own are none of the sibling's: it is of uid 1000 still.
    sibling.link().go()?;
    let seen = sibling.link().recv_text()?;
    ensure!(seen.split(' ').any(|pid| pid == b.to_string()), "the sibling sees {seen:?}");
    Ok(())
}

/// A table that a user opened shows no more when a program with root's rights reads it.
fn opener_counts() -> Result<()> {
    let set = open_set()?;
    let _root = holder(set, || Ok(()))?;
    let mut user = Child::fork(|link| {
        set.op(&[Op::new(0, -1).undo()])?;
        let ids = [Uid::from_raw(1000), Uid::from_raw(1000), Uid::from_raw(0)];
        setresgid(Gid::from_raw(1000), Gid::from_raw(1000), Gid::from_raw(0))?;
        setresuid(ids[0], ids[1], ids[2])?;
        let mut file = std::fs::File::open(proc::TABLE)?;
        setresuid(Uid::from_raw(0), Uid::from_raw(0), Uid::from_raw(0))?;
        link.send(crate::reading::rest(&mut file, 4096)?)
    })?;
    let pid = user.pid();
    let text = user.link().recv_text()?;
    user.join()?;
    let pids: Vec<&str> = text.lines().skip(1).filter_map(|line| line.split_ascii_whitespace().nth(1)).collect();
    ensure!(
        pids.iter().all(|shown| *shown == pid.to_string()),
        "opened by uid 1000 and read by root it shows {pids:?}"
    );
    Ok(())
}
