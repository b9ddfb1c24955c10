//! The story of one undo list: taken, read through the proc files, given back by a kill; and of one that goes on in another process.
//! Every number that it prints is checked against what semctl says.

mod command;

use std::fmt::Display;
use std::fs;
use std::io::Write;

use anyhow::{Context, Result};
use semundo::proc::{self, Row};
use semundo::sysv::{Op, TempSet};

use crate::process::{Child, Link};

/// A set of the story, with the values that it started with.
struct Named {
    name: &'static str,
    set: TempSet,
    start: Vec<u16>,
}

impl Named {
    fn create(name: &'static str, start: &[u16]) -> Result<Named> {
        let set = TempSet::create(start.len(), 0o600)?;
        set.set_values(start)?;
        Ok(Named { name, set, start: start.to_vec() })
    }

    fn values(&self) -> Result<Vec<i32>> {
        Ok(self.set.values()?.into_iter().map(i32::from).collect())
    }

    fn print(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "    {:6} (semid {}){}", self.name, self.set.id(), list(&self.values()?))?;
        Ok(())
    }

    /// The sum of all adjustments of this set, semaphore by semaphore.
    fn sum(&self, rows: &[Row]) -> Vec<i32> {
        let mut sum = vec![0; self.start.len()];
        for row in rows.iter().filter(|row| row.semid == self.set.id()) {
            for (sum, &adjustment) in sum.iter_mut().zip(&row.semadj) {
                *sum += i32::from(adjustment);
            }
        }
        sum
    }
}

/// Prints the outcome of each check and counts it.
struct Checks<'a> {
    out: &'a mut dyn Write,
    held: usize,
    failed: usize,
}

impl Checks<'_> {
    fn that(&mut self, holds: bool, what: impl Display) -> Result<()> {
        writeln!(self.out, "  {} {what}", if holds { "✓" } else { "✗ FAILED:" })?;
        *(if holds { &mut self.held } else { &mut self.failed }) += 1;
        Ok(())
    }
}

/// Tells the story to `out`; true when every check held.
pub fn run(out: &mut dyn Write) -> Result<bool> {
    let tokens = Named::create("tokens", &[10, 20, 30])?;
    let slots = Named::create("slots", &[5, 5])?;
    let sets = [&tokens, &slots];
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;

    writeln!(out, "The undo list of a real process, on Linux {}\n", release.trim())?;
    writeln!(out, "Two semaphore sets:")?;
    print_all(&sets, out)?;

    let (t, s) = (*tokens.set, *slots.set);
    let mut a = Child::fork(|link| {
        t.op(&[Op::new(0, -3).undo(), Op::new(2, -1).undo()])?;
        s.op(&[Op::new(1, -2).undo()])?;
        read_own_when_asked(link)
    })?;
    a.link().wait()?;
    let mut b = Child::fork(|link| {
        t.op(&[Op::new(0, 2).undo()])?;
        s.op(&[Op::new(0, -1).undo()])?;
        read_own_when_asked(link)
    })?;
    b.link().wait()?;
    let wanted = [
        row(&tokens, &a, &[3, 0, 1]),
        row(&tokens, &b, &[-2, 0, 0]),
        row(&slots, &a, &[0, 2]),
        row(&slots, &b, &[1, 0]),
    ];

    writeln!(out, "Process {} takes 3 and 1 tokens and 2 slots, with SEM_UNDO.", a.pid())?;
    writeln!(out, "Process {} gives 2 tokens back and takes a slot, with SEM_UNDO.", b.pid())?;
    print_all(&sets, out)?;
    let mut checks = Checks { out, held: 0, failed: 0 };
    let before = [tokens.values()?, slots.values()?];
    checks.that(before == [vec![9, 20, 29], vec![4, 3]], "semctl: 10-3+2 20 30-1 and 5-1 5-2")?;

    let rows = print_table(&mut checks)?;
    checks.that(rows == wanted, "these four rows, and no other")?;
    let balanced = sets.iter().zip(&before).all(|(set, values)| {
        set.start.iter().zip(values).zip(set.sum(&rows)).all(|((&start, value), sum)| value + sum == i32::from(start))
    });
    checks.that(balanced, "each value and its adjustments add up to where it started")?;

    for process in [&mut a, &mut b] {
        writeln!(checks.out, "Process {} reads its own /proc/semundo:", process.pid())?;
        process.link().go()?;
        let own = process.link().recv_text()?;
        print_indented(&own, checks.out)?;
        let lines: String = rows
            .iter()
            .filter(|row| row.pid == process.pid())
            .map(|row| format!("{}{}\n", row.semid, list(&row.semadj)))
            .collect();
        checks.that(own == lines, "the same adjustments as in the table")?;
    }

    let dead = a.pid();
    a.kill()?;
    writeln!(checks.out, "kill -9 {dead}: the kernel adds its adjustments. Before and after:")?;
    for (set, before) in sets.iter().zip(&before) {
        let own: Vec<Row> = rows.iter().filter(|row| row.pid == dead).cloned().collect();
        let (undo, after) = (set.sum(&own), set.values()?);
        writeln!(checks.out, "    {:6}{}  +{}  ={}", set.name, list(before), list(&undo), list(&after))?;
        let exact = before.iter().zip(&undo).zip(&after).all(|((before, undo), after)| before + undo == *after);
        checks.that(exact, format!("semctl: {} after = before + adjustments", set.name))?;
    }
    let rows = print_table(&mut checks)?;
    checks.that(
        rows == [wanted[1].clone(), wanted[3].clone()],
        format!("process {dead} is gone, the other is as it was"),
    )?;

    let last = b.pid();
    b.link().go()?;
    b.join()?;
    writeln!(checks.out, "Process {last} ends of its own accord:")?;
    print_all(&sets, checks.out)?;
    let restored = tokens.set.values()? == tokens.start && slots.set.values()? == slots.start;
    checks.that(restored, "semctl: every semaphore is back where it started")?;
    checks.that(proc::table()?.is_empty(), "nothing is left in the table")?;
    command::run(&mut checks)?;

    let Checks { out, held, failed } = checks;
    match failed {
        0 => writeln!(out, "\nAll {held} checks hold.")?,
        _ => writeln!(out, "\n{failed} of {} checks FAILED.", held + failed)?,
    }
    Ok(failed == 0)
}

/// The rest of a process's life after its semop: sends its own list when told to, ends when told again.
fn read_own_when_asked(link: &mut Link) -> Result<()> {
    link.go()?;
    link.wait()?;
    link.send(fs::read(proc::OWN).context(proc::OWN)?)?;
    link.wait()
}

fn row(set: &Named, process: &Child, semadj: &[i16]) -> Row {
    Row { semid: set.set.id(), pid: process.pid(), list: process.pid(), semadj: semadj.to_vec() }
}

fn print_all(sets: &[&Named], out: &mut dyn Write) -> Result<()> {
    sets.iter().try_for_each(|set| set.print(out))
}

/// Prints the table as it stands and gives its rows.
fn print_table(checks: &mut Checks<'_>) -> Result<Vec<Row>> {
    writeln!(checks.out, "cat {}", proc::TABLE)?;
    print_indented(&fs::read_to_string(proc::TABLE).context(proc::TABLE)?, checks.out)?;
    Ok(proc::table()?)
}

fn print_indented(text: &str, out: &mut dyn Write) -> Result<()> {
    text.lines().try_for_each(|line| writeln!(out, "    {line}"))?;
    Ok(())
}

/// Numbers with a blank before each.
fn list(numbers: &[impl Display]) -> String {
    numbers.iter().map(|number| format!(" {number}")).collect()
}
