//! Writing `/proc/semundo`: the sets that are named end with exactly these adjustments, and every exit gives exactly them.

use anyhow::{Context, Result, ensure};
use semundo::sysv::{Op, SemSet};

use super::{Test, test};
use crate::limits;
use crate::process::Child;
use crate::random::Random;
use crate::writing::{self, List, line, write_is, write_to};

pub const TESTS: &[Test] = &[
    test("write: random sets, then an exit", 120, random_sets),
    test("write: one set of 32,000 semaphores", 120, wide_set),
    test("write: 32,000 sets at once", 400, many_sets),
    test("write: split at every byte", 120, split),
    test("write: a long line byte by byte", 120, byte_by_byte),
    test("write: the last of two lines for a set counts", 60, twice),
    test("write: other processes' lists of the sets stay", 60, others_stay),
    test("write: calls of two operations, and of one", 60, short_calls),
    test("write: a file is read and written", 60, read_and_write),
];

/// A value, often one of the range's ends.
fn value(random: &mut Random) -> u16 {
    [0, 1, 16_383, 16_384, 32_766, 32_767, random.below(32_768) as u16, random.below(32_768) as u16][random.below(8)]
}

/// An adjustment, often one of the range's ends.
fn adjustment(random: &mut Random) -> i16 {
    let any = random.below(65_536) as u16 as i16;
    [0, 0, 1, -1, 32_767, -32_767, -32_768, any, any, any][random.below(10)]
}

/// `semadj` of random numbers.
fn semadj(width: usize, random: &mut Random) -> Vec<i16> {
    (0..width).map(|_| adjustment(random)).collect()
}

/// What an exit makes of a value (ipc/sem.c: exit_sem).
fn undone(value: u16, adjustment: i16) -> u16 {
    (i32::from(value) + i32::from(adjustment)).clamp(0, 32_767) as u16
}

/// Sets with random values.
fn sets(widths: impl IntoIterator<Item = usize>, random: &mut Random) -> Result<Vec<(SemSet, Vec<u16>)>> {
    let mut sets = Vec::new();
    for width in widths {
        let set = SemSet::create(width, 0o600)?;
        let values: Vec<u16> = (0..width).map(|_| value(random)).collect();
        set.set_values(&values)?;
        sets.push((set, values));
    }
    Ok(sets)
}

/// A process writes `rounds` random lists of the sets, each of some of them, and exits.
fn write_and_exit(sets: &[(SemSet, Vec<u16>)], rounds: usize, random: &mut Random) -> Result<()> {
    let mut lists = Vec::new();
    for round in 0..rounds {
        let mut list = List::default();
        for (set, values) in sets {
            if round == 0 || random.below(2) == 0 {
                list.set(set.id(), semadj(values.len(), random));
            }
        }
        lists.push(list);
    }
    let mut last = List::default();
    lists.iter().for_each(|list| last.update(list));
    Child::fork(|_| {
        let mut now = List::default();
        for list in &lists {
            now.update(list);
            write_is(&list.text(), None, &now)?;
            for (set, values) in sets {
                ensure!(set.values()? == *values, "a write has changed values of set {}", set.id());
            }
        }
        Ok(())
    })?
    .join()?;
    for (set, values) in sets {
        let semadj = last.of(set.id()).context("written")?;
        let want: Vec<u16> = values.iter().zip(semadj).map(|(value, adj)| undone(*value, *adj)).collect();
        ensure!(set.values()? == want, "the exit has not undone set {}", set.id());
        set.set_values(values)?;
    }
    Ok(())
}

fn random_sets() -> Result<()> {
    limits::raise()?;
    let mut random = Random::new(1);
    for round in 0..12 {
        let widths: Vec<usize> = (0..1 + random.below(12)).map(|_| 1 + random.below(1 << (1 + round % 9))).collect();
        let sets = sets(widths, &mut random)?;
        write_and_exit(&sets, 3, &mut random).with_context(|| format!("round {round}"))?;
        sets.iter().try_for_each(|(set, _)| set.remove())?;
    }
    Ok(())
}

fn wide_set() -> Result<()> {
    limits::raise()?;
    let mut random = Random::new(2);
    write_and_exit(&sets([32_000], &mut random)?, 2, &mut random)
}

fn many_sets() -> Result<()> {
    limits::raise()?;
    let mut random = Random::new(3);
    let widths: Vec<usize> = (0..32_000).map(|_| 1 + random.below(3)).collect();
    write_and_exit(&sets(widths, &mut random)?, 2, &mut random)
}

/// Two lists of the same three sets.
fn two_lists() -> Result<[List; 2]> {
    let sets = [SemSet::create(2, 0o600)?, SemSet::create(1, 0o600)?, SemSet::create(3, 0o600)?];
    sets.iter().try_for_each(|set| set.set_values(&vec![100; set.values()?.len()]))?;
    let list = |adjustments: [&[i16]; 3]| {
        let mut list = List::default();
        sets.iter().zip(adjustments).for_each(|(set, semadj)| list.set(set.id(), semadj.to_vec()));
        list
    };
    Ok([list([&[1, -2], &[-30_000], &[7, 0, 8]]), list([&[0, 5], &[12], &[-1, -32_768, 32_767]])])
}

fn split() -> Result<()> {
    let lists = two_lists()?;
    write_is(&lists[1].text(), None, &lists[1])?;
    for at in 0..=lists[0].text().len() {
        let (list, before) = (&lists[at % 2], &lists[(at + 1) % 2]);
        let text = list.text();
        let (first, second) = text.split_at(at.min(text.len()));
        let mut file = writing::open()?;
        ensure!(write_to(&mut file, first).is_none(), "the first {at} bytes");
        // The lines that are complete are restored, the begun one is not.
        let mut now = before.clone();
        for (semid, semadj) in list.sets().take(first.iter().filter(|byte| **byte == b'\n').count()) {
            now.set(semid, semadj.to_vec());
        }
        now.is_own().with_context(|| format!("after the first {at} bytes"))?;
        ensure!(write_to(&mut file, second).is_none(), "the bytes from {at} on");
        list.is_own().with_context(|| format!("split at {at}"))?;
    }
    Ok(())
}

fn byte_by_byte() -> Result<()> {
    const WIDTH: usize = 3_000;
    let mut random = Random::new(4);
    let set = SemSet::create(WIDTH, 0o600)?;
    let mut list = List::default();
    list.set(set.id(), semadj(WIDTH, &mut random));
    let mut file = writing::open()?;
    let text = list.text();
    let (last, begin) = text.split_last().context("not empty")?;
    for byte in begin {
        ensure!(write_to(&mut file, &[*byte]).is_none(), "a byte");
    }
    List::default().is_own().context("before the newline")?;
    ensure!(write_to(&mut file, &[*last]).is_none(), "the newline");
    list.is_own()
}

fn twice() -> Result<()> {
    let set = SemSet::create(2, 0o600)?;
    let mut list = List::default();
    list.set(set.id(), vec![-3, 4]);
    let text = [line(set.id(), &[1, 2]), line(set.id(), &[-3, 4])].concat();
    write_is(text.as_bytes(), None, &list)?;
    // Also where a later line fails: all that was done is taken back.
    let text = [line(set.id(), &[5, 6]), line(set.id(), &[7, 8]), line(set.id(), &[9])].concat();
    write_is(text.as_bytes(), Some(libc::EINVAL), &list)
}

fn others_stay() -> Result<()> {
    let lists = two_lists()?;
    // The sets' lists of entries begin with the newest: ours is the last.
    write_is(&lists[0].text(), None, &lists[0])?;
    let mut others = Vec::new();
    for number in 0..6 {
        let mut other = Child::fork(|link| {
            let list = &lists[number % 2];
            write_is(&list.text(), None, list)?;
            link.step()?;
            list.is_own()
        })?;
        other.link().wait()?;
        others.push(other);
    }
    for list in lists.iter().cycle().take(4) {
        write_is(&list.text(), None, list)?;
    }
    for mut other in others {
        other.link().go()?;
        other.join()?;
    }
    lists[1].is_own()
}

fn short_calls() -> Result<()> {
    let lists = two_lists()?;
    let semopm = |number: usize| std::fs::write("/proc/sys/kernel/sem", format!("32000 1024000000 {number} 32000"));
    for (number, list) in [2, 3, 7, 8].into_iter().zip(lists.iter().cycle()) {
        semopm(number)?;
        write_is(&list.text(), None, list).with_context(|| format!("SEMOPM {number}"))?;
    }
    semopm(1)?;
    write_is(&lists[0].text(), Some(libc::E2BIG), &lists[1])
}

fn read_and_write() -> Result<()> {
    let lists = two_lists()?;
    let mut file = writing::open()?;
    for list in lists.iter().cycle().take(6) {
        ensure!(write_to(&mut file, &list.text()).is_none(), "a write");
        // A write leaves the position to the reads.
        let mut text = vec![0; 200];
        let count = std::os::unix::fs::FileExt::read_at(&file, &mut text, 0)?;
        ensure!(text[..count] == list.text(), "it reads {:?}", String::from_utf8_lossy(&text[..count]));
        let count = std::io::Read::read(&mut file, &mut text)?;
        ensure!(text[..count] == list.text(), "it reads {:?}", String::from_utf8_lossy(&text[..count]));
        std::io::Seek::rewind(&mut file)?;
    }
    // What semop does goes on from what was written.
    let semid = lists[1].sets().next().context("a set")?.0;
    SemSet::from_id(semid).op(&[Op::new(0, -3).undo()])?;
    let mut list = lists[1].clone();
    list.set(semid, vec![3, 5]);
    list.is_own()
}
