//! The exactness rule: what is there from the first read to the end of file comes out exactly once, in ascending order,
//! whatever is taken, added, removed or moved in the list meanwhile and whatever the read size.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use semundo::proc;
use semundo::sysv::{Op, SemSet};

use super::{Test, test};
use crate::files;
use crate::limits;
use crate::process::Child;
use crate::random::Random;
use crate::reading;

pub const TESTS: &[Test] = &[
    test("exact: own list, changed between reads", 200, own_between_reads),
    test("exact: own list, changed during reads", 200, own_during_reads),
];

/// Of a patched kernel alone.
pub const IN_TREE_TESTS: &[Test] = &[test("exact: another's list, changed during reads", 200, others_during_reads)];

/// Of the table alone.
pub const TABLE_TESTS: &[Test] = &[
    test("exact: table, changed between reads", 200, table_between_reads),
    test("exact: table, changed during reads", 200, table_during_reads),
];

/// Semaphores a set; the last one stays 0.
const WIDTH: usize = 8;

/// Sets that stay, and places for sets that come and go.
struct Sets {
    stable: Vec<SemSet>,
    passing: Vec<Option<SemSet>>,
}

impl Sets {
    /// Mixed, so that neither kind has the low ids or the head of the list to itself.
    fn create(stable: usize, passing: usize, random: &mut Random) -> Result<Sets> {
        limits::raise()?;
        let mut all = (0..stable + passing).map(|_| SemSet::create(WIDTH, 0o600)).collect::<Result<Vec<_>, _>>()?;
        random.shuffle(&mut all);
        all.iter().try_for_each(|&set| take(set))?;
        let passing = all.split_off(stable).into_iter().map(Some).collect();
        Ok(Sets { stable: all, passing })
    }

    /// One change: removes a passing set or makes one, or uses a stable one so that its entry moves to the list's head
    /// (ipc/sem.c: lookup_undo). Gives the id that is new or gone.
    fn change(&mut self, random: &mut Random) -> Result<Option<i32>> {
        if random.below(2) == 0 {
            let set = self.stable[random.below(self.stable.len())];
            set.op(&[Op::new(WIDTH as u16 - 1, 0).undo()])?;
            return Ok(None);
        }
        let place = random.below(self.passing.len());
        let set = match self.passing[place].take() {
            Some(set) => {
                set.remove()?;
                set
            }
            None => {
                let set = SemSet::create(WIDTH, 0o600)?;
                take(set)?;
                self.passing[place] = Some(set);
                set
            }
        };
        Ok(Some(set.id()))
    }

    fn stable_ids(&self) -> impl Iterator<Item = i32> {
        self.stable.iter().map(SemSet::id)
    }
}

/// The adjustments that every entry here has, computed from the set's id.
fn semadj(semid: i32) -> [i16; WIDTH] {
    std::array::from_fn(
        |index| if index == WIDTH - 1 { 0 } else { -((semid as usize * 31 + index) as i16 & 0x3ff) - 1 },
    )
}

/// Makes the caller's adjustments of a set [`semadj`].
fn take(set: SemSet) -> Result<()> {
    let operations: Vec<Op> = (0..).zip(semadj(set.id())).map(|(index, adj)| Op::new(index, -adj).undo()).collect();
    set.op(&operations).with_context(|| format!("set {}", set.id()))
}

/// The rest of a line after its ids.
fn adjustments(semid: i32) -> String {
    semadj(semid).iter().map(|adj| format!(" {adj}")).collect()
}

/// The sets of an own list, each with the right adjustments and ascending.
fn own_sets(bytes: &[u8]) -> Result<BTreeSet<i32>> {
    let mut seen = BTreeSet::new();
    for line in std::str::from_utf8(bytes)?.split_inclusive('\n') {
        let (semid, rest) = line.split_at(line.find(' ').with_context(|| format!("line {line:?}"))?);
        let semid: i32 = semid.parse().with_context(|| format!("line {line:?}"))?;
        ensure!(rest.strip_suffix('\n') == Some(&*adjustments(semid)), "line {line:?}");
        ensure!(seen.last().is_none_or(|&last| last < semid), "{semid} after {:?}", seen.last());
        seen.insert(semid);
    }
    Ok(seen)
}

fn contains_all(seen: &BTreeSet<i32>, stable: impl Iterator<Item = i32>) -> Result<()> {
    let missing: Vec<i32> = stable.filter(|id| !seen.contains(id)).collect();
    ensure!(missing.is_empty(), "{} sets are missing: {:?}", missing.len(), &missing[..missing.len().min(10)]);
    Ok(())
}

/// Reads a file whole in small reads with a `step` after every few of them.
fn read_with_steps(path: &str, chunk: usize, every: usize, mut step: impl FnMut() -> Result<()>) -> Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; chunk]);
    for number in 1.. {
        match file.read(&mut buffer)? {
            0 => break,
            count => bytes.extend_from_slice(&buffer[..count]),
        }
        if number % every == 0 {
            step()?;
        }
    }
    Ok(bytes)
}

fn own_between_reads() -> Result<()> {
    let mut random = Random::new(11);
    let mut sets = Sets::create(1500, 500, &mut random)?;
    for (chunk, every, rounds) in [(7, 20, 6), (100, 1, 12), (1000, 1, 12), (4096, 1, 40), (65536, 1, 40)] {
        for _ in 0..rounds {
            let there: BTreeSet<i32> = sets.passing.iter().flatten().map(SemSet::id).collect();
            let mut touched = BTreeSet::new();
            let bytes = read_with_steps(files::own(), chunk, every, || {
                for _ in 0..1 + random.below(20) {
                    touched.extend(sets.change(&mut random)?);
                }
                Ok(())
            })?;
            let context = || format!("reads of {chunk}");
            let seen = own_sets(&bytes).with_context(context)?;
            contains_all(&seen, sets.stable_ids().chain(there.difference(&touched).copied())).with_context(context)?;
            let known: BTreeSet<i32> = sets.stable_ids().chain(there).chain(touched).collect();
            ensure!(seen.is_subset(&known), "reads of {chunk}: sets that never were");
        }
    }
    Ok(())
}

fn own_during_reads() -> Result<()> {
    let mut random = Random::new(12);
    let mut sets = Sets::create(1500, 500, &mut random)?;
    let stable: Vec<i32> = sets.stable_ids().collect();
    let _changing = Child::with_flags(libc::CLONE_SYSVSEM, |_| {
        loop {
            sets.change(&mut random)?;
        }
    })?;
    read_under_changes(files::own(), &stable)
}

fn others_during_reads() -> Result<()> {
    let mut child = Child::fork(|link| {
        let mut random = Random::new(15);
        let mut sets = Sets::create(1500, 500, &mut random)?;
        let stable: Vec<String> = sets.stable_ids().map(|id| id.to_string()).collect();
        link.send(stable.join(" "))?;
        loop {
            sets.change(&mut random)?;
        }
    })?;
    let stable = child.link().recv_text()?;
    let stable = stable.split(' ').map(str::parse).collect::<Result<Vec<i32>, _>>()?;
    read_under_changes(&format!("/proc/{}/semundo", child.pid()), &stable)
}

/// Reads a list over and over while it changes: the stable sets are always in it.
fn read_under_changes(path: &str, stable: &[i32]) -> Result<()> {
    let start = Instant::now();
    for chunk in [7, 100, 1000, 4096, 65536].into_iter().cycle() {
        // Between making a set and taking from it an entry can be seen with part of the adjustments: `take` is one call, and
        // semaphores of one call change one by one. Only the stable ones are certain.
        let bytes = reading::whole(path, chunk)?;
        let seen = stable_sets(&bytes, stable).with_context(|| format!("reads of {chunk}"))?;
        contains_all(&seen, stable.iter().copied()).with_context(|| format!("reads of {chunk}"))?;
        if start.elapsed() > Duration::from_secs(12) {
            break;
        }
    }
    Ok(())
}

/// As [`own_sets`], with adjustments compared of the stable sets only; others must be of the right width.
fn stable_sets(bytes: &[u8], stable: &[i32]) -> Result<BTreeSet<i32>> {
    let stable: BTreeSet<i32> = stable.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for line in std::str::from_utf8(bytes)?.split_inclusive('\n') {
        let numbers = line.trim_end().split(' ').map(str::parse).collect::<Result<Vec<i32>, _>>();
        let numbers = numbers.with_context(|| format!("line {line:?}"))?;
        let semid = numbers[0];
        ensure!(line.ends_with('\n') && numbers.len() == 1 + WIDTH, "line {line:?}");
        let right = numbers[1..].iter().copied().eq(semadj(semid).map(i32::from));
        ensure!(right || !stable.contains(&semid), "line {line:?}");
        ensure!(seen.last().is_none_or(|&last| last < semid), "{semid} after {:?}", seen.last());
        seen.insert(semid);
    }
    Ok(seen)
}

/// Processes that hold some of the stable sets from start to end.
struct Holders {
    children: Vec<Child>,
    /// The sets of each of them, by pid.
    held: BTreeMap<i32, Vec<i32>>,
}

impl Holders {
    fn start(count: usize, sets: &[SemSet], random: &mut Random) -> Result<Holders> {
        let mut holders = Holders { children: Vec::new(), held: BTreeMap::new() };
        for _ in 0..count {
            let mut mine: Vec<SemSet> = sets.to_vec();
            random.shuffle(&mut mine);
            mine.truncate(1 + random.below(sets.len() / 2));
            let mut child = Child::fork(|link| {
                mine.iter().try_for_each(|&set| take(set))?;
                link.hold()
            })?;
            child.link().wait()?;
            holders.held.insert(child.pid(), mine.iter().map(SemSet::id).collect());
            holders.children.push(child);
        }
        Ok(holders)
    }

    /// Every row of these processes is there once, among rows that ascend and are well formed.
    fn check(&self, bytes: &[u8]) -> Result<()> {
        let text = std::str::from_utf8(bytes)?;
        let rows = text.strip_prefix(crate::expect::HEADER).context("no header")?;
        let mut last = (-1, -1, -1);
        let mut seen: BTreeMap<i32, BTreeSet<i32>> = BTreeMap::new();
        for line in rows.split_inclusive('\n') {
            let numbers = line.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<i32>, _>>();
            let numbers = numbers.with_context(|| format!("line {line:?}"))?;
            let &[semid, pid, list, ..] = &numbers[..] else { bail!("line {line:?}") };
            ensure!(line.ends_with('\n') && numbers.len() == 3 + WIDTH, "line {line:?}");
            ensure!(last < (semid, pid, list), "{:?} after {last:?}", (semid, pid, list));
            last = (semid, pid, list);
            if self.held.contains_key(&pid) {
                let want = format!("{semid:>10} {pid:>10} {pid:>10}{}\n", adjustments(semid));
                ensure!(line == want, "line {line:?} instead of {want:?}");
                seen.entry(pid).or_default().insert(semid);
            }
        }
        for (pid, held) in &self.held {
            let seen = seen.remove(pid).unwrap_or_default();
            ensure!(seen.len() == held.len(), "process {pid} has {} rows of {}", seen.len(), held.len());
            contains_all(&seen, held.iter().copied()).with_context(|| format!("process {pid}"))?;
        }
        Ok(())
    }
}

/// A process that takes from some of the sets and from one of its own, and ends.
fn come_and_go(sets: &[SemSet], random: &mut Random) -> Result<()> {
    let own = SemSet::create(WIDTH, 0o600)?;
    let first = random.below(sets.len() - 20);
    let child = Child::fork(|_| {
        take(own)?;
        sets[first..first + 20].iter().try_for_each(|&set| take(set))
    })?;
    child.join()?;
    own.remove()?;
    Ok(())
}

fn table_sets(random: &mut Random) -> Result<Vec<SemSet>> {
    let mut sets = (0..300).map(|_| SemSet::create(WIDTH, 0o600)).collect::<Result<Vec<_>, _>>()?;
    random.shuffle(&mut sets);
    Ok(sets)
}

fn table_between_reads() -> Result<()> {
    let mut random = Random::new(13);
    let sets = table_sets(&mut random)?;
    let holders = Holders::start(12, &sets, &mut random)?;
    let mut living: Vec<Child> = Vec::new();
    for (chunk, every, rounds) in [(7, 600, 3), (100, 40, 4), (1000, 4, 4), (4096, 1, 6), (65536, 1, 6)] {
        for _ in 0..rounds {
            let bytes = read_with_steps(proc::TABLE, chunk, every, || {
                come_and_go(&sets, &mut random)?;
                // One that stays for a while, so that the same sets have more rows and then fewer.
                let first = random.below(sets.len() - 30);
                let mut child = Child::fork(|link| {
                    sets[first..first + 30].iter().try_for_each(|&set| take(set))?;
                    link.hold()
                })?;
                child.link().wait()?;
                living.push(child);
                if living.len() > 6 {
                    living.swap_remove(random.below(living.len())).kill()?;
                }
                Ok(())
            })?;
            holders.check(&bytes).with_context(|| format!("reads of {chunk}"))?;
        }
    }
    Ok(())
}

fn table_during_reads() -> Result<()> {
    let mut random = Random::new(14);
    let sets = table_sets(&mut random)?;
    let holders = Holders::start(12, &sets, &mut random)?;
    let mut changing = Vec::new();
    for seed in 0..3 {
        let sets = &sets;
        changing.push(Child::fork(|_| {
            let mut random = Random::new(100 + seed);
            loop {
                come_and_go(sets, &mut random)?;
            }
        })?);
    }
    let start = Instant::now();
    for chunk in [7, 100, 1000, 4096, 65536].into_iter().cycle() {
        let bytes = reading::whole(proc::TABLE, chunk)?;
        holders.check(&bytes).with_context(|| format!("reads of {chunk}"))?;
        if start.elapsed() > Duration::from_secs(15) {
            break;
        }
    }
    Ok(())
}
