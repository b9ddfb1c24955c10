//! What is in a list: order, zeros, what clears it, what keeps it.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use semundo::sysv::{Op, SemSet};

use super::{Test, test};
use crate::expect::{Undo, same_text};
use crate::files;
use crate::process::Child;
use crate::random::Random;
use crate::reading;

pub const TESTS: &[Test] = &[
    test("lists: ascending by semid, whatever the slot and the age", 60, ascending),
    test("lists: sets with nothing to undo are left out", 60, zeros),
    test("lists: SETVAL clears one adjustment of everybody", 60, set_value_clears),
    test("lists: SETALL clears all adjustments of the set", 60, set_values_clears),
    test("lists: a removed set is gone from everybody's list", 60, removal),
    test("lists: exec keeps the list", 60, exec_keeps),
    test("lists: fork does not copy the list", 60, fork_does_not_copy),
];

/// The two files show `undo` and nothing else.
fn shows(undo: &Undo) -> Result<()> {
    for (path, text) in files::showing(undo) {
        same_text(&reading::whole(&path, 4096)?, text.as_bytes()).context(path)?;
    }
    Ok(())
}

fn ascending() -> Result<()> {
    let mut random = Random::new(5);
    let mut undo = Undo::default();
    let mut sets = Vec::new();
    for _ in 0..60 {
        sets.push(SemSet::create(2, 0o600)?);
    }
    // A slot that is used again gives an id with a higher sequence number.
    for round in 0..400 {
        let place = random.below(sets.len());
        sets[place].remove()?;
        undo.forget(sets[place]);
        sets[place] = SemSet::create(2, 0o600)?;
        let set = sets[random.below(sets.len())];
        if undo.of(set.id()).is_none() {
            undo.adjust(set, 2, 1, -(round % 90) - 1)?;
        }
    }
    let ids: Vec<i32> = undo.sets().map(|(semid, _)| semid).collect();
    let slots: Vec<i32> = ids.iter().map(|id| id % 32768).collect();
    ensure!(!slots.is_sorted() && ids.len() > 20, "the ids {ids:?} do not test the order");
    shows(&undo)
}

fn zeros() -> Result<()> {
    let mut undo = Undo::default();
    let sets = (0..5).map(|_| SemSet::create(3, 0o600)).collect::<Result<Vec<_>, _>>()?;
    for &set in &sets {
        undo.adjust(set, 3, 2, 7)?;
    }
    for &set in &sets[1..4] {
        undo.adjust(set, 3, 2, -7)?;
    }
    shows(&undo)?;
    ensure!(undo.own_text().lines().count() == 2, "the test's own list is wrong");
    undo.adjust(sets[2], 3, 0, -1)?;
    shows(&undo)?;
    for &set in &[sets[0], sets[4]] {
        undo.adjust(set, 3, 2, -7)?;
    }
    undo.adjust(sets[2], 3, 0, 1)?;
    ensure!(undo.own_text().is_empty(), "the test's own list is wrong");
    shows(&undo)
}

/// A set of three in which this process and another have adjustments, before and after `clear`.
fn cleared_by(clear: fn(SemSet) -> Result<()>, after: &str) -> Result<()> {
    let set = SemSet::create(3, 0o600)?;
    set.set_values(&[10, 10, 10])?;
    let take = move || set.op(&[Op::new(0, -1).undo(), Op::new(1, -2).undo(), Op::new(2, 3).undo()]);
    take()?;
    let mut other = Child::fork(|link| {
        take()?;
        link.step()?;
        link.send(reading::text(files::own())?)
    })?;
    other.link().wait()?;
    let before = format!("{} 1 2 -3\n", set.id());
    same_text(reading::text(files::own())?.as_bytes(), before.as_bytes())?;
    clear(set)?;
    let after = after.replace("ID", &set.id().to_string());
    same_text(reading::text(files::own())?.as_bytes(), after.as_bytes())?;
    let rows = files::rows()?.len();
    ensure!(rows == 2 * after.lines().count(), "{rows} rows");
    other.link().go()?;
    same_text(&other.link().recv()?, after.as_bytes()).context("the other process")?;
    other.join()
}

fn set_value_clears() -> Result<()> {
    cleared_by(|set| Ok(set.set_value(1, 5)?), "ID 1 0 -3\n")
}

fn set_values_clears() -> Result<()> {
    cleared_by(|set| Ok(set.set_values(&[1, 2, 3])?), "")
}

fn removal() -> Result<()> {
    cleared_by(|set| Ok(set.remove()?), "")
}

fn exec_keeps() -> Result<()> {
    let set = SemSet::create(2, 0o600)?;
    let (mut output, input) = std::io::pipe()?;
    let child = Child::fork(move |_| {
        set.op(&[Op::new(1, 4), Op::new(1, -4).undo()])?;
        bail!(Command::new("/proc/self/exe").arg("own").stdout(input).exec())
    })?;
    let mut got = Vec::new();
    output.read_to_end(&mut got)?;
    same_text(&got, format!("{} 0 4\n", set.id()).as_bytes())?;
    child.join()?;
    ensure!(set.get_value(1)? == 4, "after the exit the semaphore is {}", set.get_value(1)?);
    Ok(())
}

fn fork_does_not_copy() -> Result<()> {
    let mut undo = Undo::default();
    undo.adjust(SemSet::create(1, 0o600)?, 1, 0, 5)?;
    let mut child = Child::fork(|link| link.send(reading::text(files::own())?))?;
    same_text(&child.link().recv()?, b"")?;
    child.join()?;
    shows(&undo)
}
