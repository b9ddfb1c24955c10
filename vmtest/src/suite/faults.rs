//! Memory that is not there, wherever it is asked for: the answer is ENOMEM, the list is as it was, and the next try is as good as the
//! first. The kernel fails allocations on demand (Documentation/fault-injection/fault-injection.rst).

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail, ensure};
use semundo::sysv::SemSet;

use super::{Test, test};
use crate::checkers::{self, FAIL_PAGE_ALLOC, FAILSLAB};
use crate::expect::same_text;
use crate::files;
use crate::reading;
use crate::writing::{self, List, write_to};

pub const TESTS: &[Test] = &[
    test("faults: each allocation of an open fails in turn", 60, opens),
    test("faults: each allocation of a read fails in turn", 60, reads),
    test("faults: each allocation of a write fails in turn", 120, writes),
    test("faults: a large write with less and less memory", 120, little_memory),
];

/// More allocations than any call makes.
const MANY: u32 = 10_000;

/// Of allocations that may sleep too, of any size, and without a line in the log for each.
fn prepare() -> Result<()> {
    for (switch, word) in [("ignore-gfp-wait", "N"), ("verbose", "0"), ("task-filter", "1"), ("times", "-1")] {
        for kind in [FAILSLAB, FAIL_PAGE_ALLOC] {
            checkers::write(word, &format!("{kind}/{switch}"))?;
        }
    }
    checkers::write("N", &format!("{FAIL_PAGE_ALLOC}/ignore-gfp-highmem"))?;
    checkers::write("0", &format!("{FAIL_PAGE_ALLOC}/min-order"))
}

/// Makes one allocation of this thread fail.
struct Nth(File);

impl Nth {
    fn new() -> Result<Nth> {
        prepare()?;
        let path = "/proc/thread-self/fail-nth";
        Ok(Nth(OpenOptions::new().read(true).write(true).open(path).context(path)?))
    }

    /// Does `work`, in which the allocation with this number fails, counted from 1; and whether there were so many.
    fn fails<T>(&self, number: u32, work: impl FnOnce() -> T) -> Result<(T, bool)> {
        self.set(number)?;
        let result = work();
        let mut left = [0; 16];
        let length = self.0.read_at(&mut left, 0)?;
        self.set(0)?;
        Ok((result, left[..length].trim_ascii() == b"0"))
    }

    fn set(&self, number: u32) -> Result<()> {
        self.0.write_all_at(number.to_string().as_bytes(), 0).context("fail-nth")
    }
}

/// Sets and the list of them that the caller has now.
fn start(count: usize) -> Result<(Vec<SemSet>, List)> {
    let (mut sets, mut list) = (Vec::new(), List::default());
    for number in 0..count {
        let set = SemSet::create(3, 0o600)?;
        set.set_values(&[500; 3])?;
        list.set(set.id(), vec![1 + number as i16 % 100, 0, -5]);
        sets.push(set);
    }
    writing::write_is(&list.text(), None, &list)?;
    Ok((sets, list))
}

fn opens() -> Result<()> {
    let (_, list) = start(3)?;
    let nth = Nth::new()?;
    // What the caches of the file system hold is not allocated again.
    drop(writing::open()?);
    for number in 1..MANY {
        let (file, failed) = nth.fails(number, || File::open(files::own()))?;
        match file {
            Ok(_) if !failed => {
                println!("   {} allocations", number - 1);
                ensure!(number > 4, "an open allocates more than that");
                return list.is_own();
            }
            // Not every allocation is needed.
            Ok(mut file) => drop(reading::rest(&mut file, 4096).context("an open file")?),
            // A name below /proc that there is no memory for is not there.
            Err(error) => ensure!(
                failed && [Some(libc::ENOMEM), Some(libc::ENOENT)].contains(&error.raw_os_error()),
                "allocation {number}: {error}"
            ),
        }
    }
    bail!("it never ends")
}

/// A read that fails has not moved the reader: all reads together are the whole list.
fn reads() -> Result<()> {
    let (_, list) = start(600)?;
    let nth = Nth::new()?;
    let (mut buffer, mut refused) = (vec![0; 4096], 0);
    for number in 1..MANY {
        let (mut file, mut text) = (writing::open()?, Vec::new());
        let (first, failed) = nth.fails(number, || file.read(&mut buffer))?;
        match first {
            Ok(count) => text.extend_from_slice(&buffer[..count]),
            Err(error) => {
                ensure!(failed && error.raw_os_error() == Some(libc::ENOMEM), "allocation {number}: {error}");
                refused += 1;
            }
        }
        text.extend(reading::rest(&mut file, 4096)?);
        same_text(&text, &list.text()).with_context(|| format!("allocation {number}"))?;
        if !failed {
            println!("   {} allocations, {refused} refused", number - 1);
            ensure!(refused >= 2, "a read allocates more than that");
            return Ok(());
        }
    }
    bail!("it never ends")
}

/// The last of the sets is new each time: semop() allocates its entry of the list when the other sets are done.
fn writes() -> Result<()> {
    let (sets, mut list) = start(3)?;
    let nth = Nth::new()?;
    let mut refused = 0;
    for number in 1..MANY {
        let (last, mut wanted) = (SemSet::create(2, 0o600)?, List::default());
        let adjustment = (number % 300) as i16;
        sets.iter().for_each(|set| wanted.set(set.id(), vec![adjustment, -adjustment, 7]));
        wanted.set(last.id(), vec![adjustment; 2]);
        let (mut file, text) = (writing::open()?, wanted.text());
        let (answer, failed) = nth.fails(number, || write_to(&mut file, &text))?;
        match answer {
            None => list.update(&wanted),
            Some(libc::ENOMEM) if failed => refused += 1,
            _ => bail!("allocation {number}: a write answers {answer:?}"),
        }
        list.is_own().with_context(|| format!("allocation {number}, which {answer:?}"))?;
        if answer.is_some() {
            ensure!(write_to(&mut file, &text).is_none(), "allocation {number}: the second try");
            list.update(&wanted);
            list.is_own()?;
        }
        for set in sets.iter().chain([&last]) {
            let values = set.values()?;
            ensure!(values.iter().all(|value| *value == if *set == last { 0 } else { 500 }), "values {values:?}");
        }
        last.remove()?;
        list.forget(last.id());
        if !failed {
            println!("   {} allocations, {refused} refused", number - 1);
            ensure!(refused >= 7, "a write allocates more than that");
            return Ok(());
        }
    }
    bail!("it never ends")
}

fn little_memory() -> Result<()> {
    const WIDTH: usize = 16_000;
    prepare()?;
    let set = SemSet::create(WIDTH, 0o600)?;
    let lists = [1, -2].map(|adjustment| {
        let mut list = List::default();
        list.set(set.id(), vec![adjustment; WIDTH]);
        list
    });
    let texts = lists.each_ref().map(List::text);
    let mut now = 0;
    // The entry of the list is there by then, and so is all that the program itself needs.
    writing::write_is(&texts[now], None, &lists[now])?;
    let marked = OpenOptions::new().write(true).open("/proc/thread-self/make-it-fail").context("make-it-fail")?;
    let mark = |word: &[u8]| marked.write_all_at(word, 0).context("make-it-fail");
    let mut answers = [0; 2];
    for shift in 0..24 {
        for (kind, room) in [(FAILSLAB, 16 << shift), (FAIL_PAGE_ALLOC, (16_u64 << shift) >> 12)] {
            checkers::write(&room.to_string(), &format!("{kind}/space"))?;
            checkers::write("100", &format!("{kind}/probability"))?;
        }
        let mut file = writing::open()?;
        mark(b"1")?;
        let answer = write_to(&mut file, &texts[1 - now]);
        mark(b"0")?;
        match answer {
            None => now = 1 - now,
            Some(libc::ENOMEM) => {}
            _ => bail!("with {} bytes a write answers {answer:?}", 16 << shift),
        }
        answers[usize::from(answer.is_some())] += 1;
        lists[now].is_own().with_context(|| format!("with {} bytes", 16 << shift))?;
    }
    for kind in [FAILSLAB, FAIL_PAGE_ALLOC] {
        checkers::write("0", &format!("{kind}/probability"))?;
    }
    println!("   {} writes done, {} refused", answers[0], answers[1]);
    ensure!(answers.iter().all(|count| *count > 2), "one of the two came too seldom");
    Ok(())
}
