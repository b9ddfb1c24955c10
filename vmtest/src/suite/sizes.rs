//! Lists from one set to as many as a namespace holds, and records larger than any buffer, read in every way.

use anyhow::{Context, Result, ensure};
use semundo::sysv::{Op, SemSet};

use super::{Test, test};
use crate::expect::{Undo, same_text};
use crate::files;
use crate::limits;
use crate::random::Random;
use crate::reading;

pub const TESTS: &[Test] = &[
    test("sizes: an empty list, an empty table", 60, empty),
    test("sizes: 1 set", 60, || sets(1, 500)),
    test("sizes: 100 sets", 60, || sets(100, 500)),
    test("sizes: 10,000 sets", 180, || sets(10_000, 60)),
    test("sizes: 32,000 sets", 400, || sets(32_000, 20)),
    test("sizes: one set of 32,000 semaphores", 120, wide_set),
    test("sizes: sets of every width up to 600", 120, every_width),
];

const CHUNKS: [usize; 5] = [1, 7, 4096, 65536, 1 << 20];

fn empty() -> Result<()> {
    check_files(&Undo::default(), 100, &mut Random::new(1))
}

fn sets(count: usize, seeks: usize) -> Result<()> {
    limits::raise()?;
    let mut random = Random::new(count as u64);
    let mut sets = (0..count).map(|_| SemSet::create(1, 0o600)).collect::<Result<Vec<_>, _>>()?;
    // The list's order is the order of first use, which must not show.
    random.shuffle(&mut sets);
    let mut undo = Undo::default();
    for (index, &set) in sets.iter().enumerate() {
        undo.adjust(set, 1, 0, [1, -1, 250, -32000, 32767, 9][index % 6])?;
        if index % 7 == 6 {
            let now = undo.of(set.id()).context("just adjusted")?[0];
            undo.adjust(set, 1, 0, -now)?;
        }
    }
    check_files(&undo, seeks, &mut random)
}

/// Both files show `undo`, the only list of this namespace, in reads of every size and at every place.
fn check_files(undo: &Undo, seeks: usize, random: &mut Random) -> Result<()> {
    for (path, text) in files::showing(undo) {
        for chunk in CHUNKS {
            same_text(&reading::whole(&path, chunk)?, text.as_bytes())
                .with_context(|| format!("{path} in reads of {chunk}"))?;
        }
        reading::check_seeks(&path, text.as_bytes(), seeks, random)?;
    }
    Ok(())
}

/// One record of 200 KB, much larger than seq_file's first buffer, with every adjustment from one bound to the other.
fn wide_set() -> Result<()> {
    limits::raise()?;
    const WIDTH: u16 = 32_000;
    let set = SemSet::create(WIDTH.into(), 0o600)?;
    let wanted = |index: u16| match index {
        0 => i16::MIN,
        1 => i16::MAX,
        // An odd factor spreads them over all of the range.
        _ => index.wrapping_mul(30_011) as i16,
    };
    let start: Vec<u16> = (0..WIDTH).map(|index| wanted(index).max(0) as u16).collect();
    set.set_values(&start)?;
    // -32768 takes two steps, because no semaphore can be given 32768 at once.
    set.op(&[Op::new(0, i16::MAX).undo(), Op::new(0, -1), Op::new(0, 1).undo()])?;
    let operations: Vec<Op> =
        (1..WIDTH).filter(|&index| wanted(index) != 0).map(|index| Op::new(index, -wanted(index)).undo()).collect();
    for call in operations.chunks(500) {
        set.op(call)?;
    }
    let mut line = set.id().to_string();
    (0..WIDTH).for_each(|index| line.push_str(&format!(" {}", wanted(index))));
    line.push('\n');
    for chunk in [7, 4096, 65536, 1 << 20] {
        same_text(&reading::whole(files::own(), chunk)?, line.as_bytes())?;
    }
    reading::check_seeks(files::own(), line.as_bytes(), 30, &mut Random::new(3))?;
    let rows = files::rows()?;
    ensure!(rows.len() == 1, "{} rows", rows.len());
    ensure!((0..WIDTH).zip(&rows[0].semadj).all(|(index, &adj)| adj == wanted(index)), "the table's row is another");
    Ok(())
}

/// Records of every length around the buffer's sizes, so that each of them is once the one that does not fit.
fn every_width() -> Result<()> {
    let mut random = Random::new(4);
    let mut undo = Undo::default();
    for width in 1..=600 {
        let set = SemSet::create(width, 0o600)?;
        let index = random.below(width) as u16;
        undo.adjust(set, width, index, -(1 + random.below(32_000) as i16))?;
    }
    check_files(&undo, 100, &mut random)
}
