//! The group `kernel-write`: an undo list of many sets, restored by one write, against the calls of user space that do the same.

use anyhow::{Context, Result, ensure};
use semundo::Adjustments;
use semundo::restore::{self, Wanted};
use semundo::sysv::{Op, SemSet};

use super::{Case, Engine, RUNS, alone, compare, timed};
use crate::limits;
use crate::writing::{self, List};

pub const GROUP: &str = "kernel-write";

/// The adjustments that a run changes to and fro; no semaphore's value changes.
const ADJUSTMENTS: [i16; 2] = [1, 2];

pub fn run() -> Result<()> {
    // The kernel looks for an entry from the list's head (ipc/sem.c: lookup_undo), so that a whole long list takes seconds.
    for (count, runs) in [(1, RUNS), (100, RUNS), (10_000, 5)] {
        let name = format!("restore-{count}");
        alone(&name, || case(&name, count, runs))?;
    }
    Ok(())
}

/// A list in all the forms that the engines take.
struct Forms {
    list: List,
    text: Vec<u8>,
    wanted: Wanted,
    adjustments: Vec<Adjustments>,
}

impl Forms {
    fn new(sets: &[SemSet], adjustment: i16) -> Result<Forms> {
        let mut list = List::default();
        sets.iter().for_each(|set| list.set(set.id(), vec![adjustment]));
        let sets = || list.sets().map(|(semid, semadj)| (semid, semadj.to_vec()));
        let wanted = Wanted::new(sets()).map_err(anyhow::Error::msg)?;
        let adjustments = sets().map(|(semid, semadj)| Adjustments { semid, semadj }).collect();
        Ok(Forms { text: list.text(), wanted, adjustments, list })
    }
}

fn case(name: &str, count: usize, runs: usize) -> Result<()> {
    limits::raise()?;
    let sets = (0..count).map(|_| SemSet::create(1, 0o600)).collect::<Result<Vec<_>, _>>()?;
    sets.iter().try_for_each(|set| set.set_value(0, 100))?;
    let [first, second] = [Forms::new(&sets, ADJUSTMENTS[0])?, Forms::new(&sets, ADJUSTMENTS[1])?];
    let write = |_: &Forms, to: &Forms| {
        ensure!(writing::write(&to.text)?.is_none(), "the write fails");
        Ok(())
    };
    // The library asks for each set and its values first, as every restore has to.
    let library = |from: &Forms, to: &Forms| {
        restore::into_own(&from.adjustments, &to.wanted)?;
        Ok(())
    };
    // The calls alone, by who knows them beforehand: the least that user space can do.
    let calls = |from: &Forms, to: &Forms| {
        let more = to.adjustments[0].semadj[0] - from.adjustments[0].semadj[0];
        let pair = [Op::new(0, more), Op::new(0, -more).undo()];
        let pair = if more > 0 { pair } else { [pair[1], pair[0]] };
        sets.iter().try_for_each(|set| set.op(&pair)).context("semop")
    };
    write(&second, &first)?;
    let mut engines: Vec<Engine> = Vec::new();
    type Restore<'a> = &'a dyn Fn(&Forms, &Forms) -> Result<()>;
    let restores: [(&str, Restore); 3] = [("write", &write), ("library", &library), ("semop", &calls)];
    for (engine, restore) in restores {
        for [from, to] in [[&first, &second], [&second, &first]] {
            restore(from, to)?;
            to.list.is_own().context(engine)?;
        }
        let mut both = timed(|| {
            restore(&first, &second)?;
            restore(&second, &first)
        })?;
        engines.push((engine, Box::new(move || Ok(both()? / 2.0))));
    }
    compare(&Case { group: GROUP, name, threads: 1, unit: "us", runs }, &mut engines)?;
    first.list.is_own()?;
    for set in &sets {
        ensure!(set.get_value(0)? == 100, "a value has changed");
    }
    Ok(())
}
