//! Many processes that take and exit under many readers: every line well formed, the kernel's log quiet, no memory lost.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::num::NonZero;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::unistd::getpid;
use semundo::proc;
use semundo::sysv::{Op, SemSet};

use super::{Test, test};
use crate::expect::HEADER;
use crate::process::Child;
use crate::random::Random;
use crate::reading;
use crate::writing;

pub const TESTS: &[Test] = &[
    test("churn: 20,000 opens leave nothing behind", 120, opens),
    test("churn: 64 processes, 8 readers, 30 s", 240, churn),
];

const WIDTH: usize = 4;
const FIXED: usize = 24;
const PASSING: usize = 8;
const START: u16 = 10_000;
const CHUNKS: [usize; 4] = [7, 300, 4096, 65536];

/// What all processes of the test see: the ids of the passing sets, and how much was done.
struct Shared {
    passing: [AtomicI32; PASSING],
    exits: AtomicU64,
    removals: AtomicU64,
    reads: AtomicU64,
}

/// Memory that forked processes share with us, zero at first and there until the process ends.
fn shared() -> Result<&'static Shared> {
    let length = NonZero::new(size_of::<Shared>()).context("not empty")?;
    // SAFETY: a fresh anonymous mapping, large enough, aligned to a page, zero, which is a valid `Shared` of atomics, and
    // never unmapped.
    unsafe {
        let memory = mmap_anonymous(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED)?;
        Ok(memory.cast::<Shared>().as_ref())
    }
}

fn churn() -> Result<()> {
    // What the churn without our files costs the kernel's memory: caches that grow, per-CPU leftovers.
    let start = Memory::settled()?;
    round(Duration::from_secs(6), false)?;
    let before = Memory::settled()?;
    let drift = before.above(&start);
    let done = round(Duration::from_secs(30), true)?;
    println!("   {done}");
    before.ensure_back(drift.map(|drift| 1024.max(2 * drift)))
}

/// Opens both files over and over, reads them whole, in part, or not at all, and writes: a few bytes lost each time would show.
fn opens() -> Result<()> {
    let set = fresh_set()?;
    set.op(&[Op::new(0, -1).undo()])?;
    let open = |count: usize| -> Result<()> {
        for number in 0..count {
            let mut file = File::open([proc::OWN, proc::TABLE][number % 2])?;
            match number % 3 {
                0 => drop(file),
                1 => drop(file.read(&mut [0; 3])?),
                _ => drop(reading::rest(&mut file, 4096)?),
            }
            let adjustment = 1 + number as i16 % 2;
            // One line, one that is refused after something was done, and a begun one.
            let (line, refused) = (writing::line(set.id(), &[adjustment; WIDTH]), format!("{} 0\n", set.id()));
            let answer = writing::write(format!("{line}{}{}", ["", &refused][number % 2], set.id()).as_bytes())?;
            ensure!(answer == [None, Some(libc::EINVAL)][number % 2], "a write answers {answer:?}");
        }
        Ok(())
    };
    open(4000)?;
    let before = Memory::settled()?;
    open(20_000)?;
    before.ensure_back([256; 3])
}

/// Kernel memory in KiB.
struct Memory([i64; 3]);

impl Memory {
    const NAMES: [&'static str; 3] = ["unreclaimable slabs", "vmalloc", "kmalloc caches"];

    /// After what can be freed is freed.
    fn settled() -> Result<Memory> {
        sleep(Duration::from_millis(1500));
        fs::write("/proc/sys/vm/drop_caches", "3")?;
        sleep(Duration::from_millis(500));
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let field = |name: &str| -> Result<i64> {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(name)).context(name.to_owned())?;
            Ok(line.trim().trim_end_matches(" kB").parse()?)
        };
        Ok(Memory([field("SUnreclaim:")?, field("VmallocUsed:")?, kmalloc()?]))
    }

    /// An error where there is more of it now, by more KiB than tolerated.
    fn ensure_back(&self, tolerance: [i64; 3]) -> Result<()> {
        let mut more = Memory::settled()?.above(self);
        // The last grace periods may still be on their way.
        for _ in 0..10 {
            if more.iter().zip(&tolerance).all(|(more, tolerance)| more <= tolerance) {
                break;
            }
            more = Memory::settled()?.above(self);
        }
        for ((what, more), tolerance) in Memory::NAMES.iter().zip(more).zip(tolerance) {
            println!("   {what}: {more:+} KiB, tolerance {tolerance} KiB");
            ensure!(more <= tolerance, "{what} has grown by {more} KiB, more than {tolerance} KiB");
        }
        Ok(())
    }

    fn above(&self, other: &Memory) -> [i64; 3] {
        std::array::from_fn(|index| self.0[index] - other.0[index])
    }
}

/// What the objects of all kmalloc caches take: `name active_objs num_objs objsize` in `/proc/slabinfo`.
fn kmalloc() -> Result<i64> {
    let slabinfo = fs::read_to_string("/proc/slabinfo").context("/proc/slabinfo")?;
    let mut bytes = 0;
    for line in slabinfo.lines().filter(|line| line.starts_with("kmalloc-")) {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        bytes += fields[1].parse::<i64>()? * fields[3].parse::<i64>()?;
    }
    Ok(bytes / 1024)
}

/// One round; says what was done in it. `ours`: the readers read our files, else those that every kernel has.
fn round(time: Duration, ours: bool) -> Result<String> {
    let shared = shared()?;
    let mut fixed = Vec::new();
    for _ in 0..FIXED {
        fixed.push(fresh_set()?);
    }
    for id in &shared.passing {
        id.store(fresh_set()?.id(), Relaxed);
    }
    let mut children = vec![Child::fork(|_| replace_sets(shared))?];
    for seed in 0..64 {
        children.push(Child::fork(|_| take_and_exit(&fixed, shared, seed))?);
    }
    for number in 0..8 {
        children.push(Child::fork(|_| match (ours, number % 2) {
            (true, 0) => read_own(&fixed, shared, number),
            (true, _) => read_table(shared, number),
            (false, _) => read_kernels(shared),
        })?);
    }
    let start = Instant::now();
    while start.elapsed() < time {
        for child in &mut children {
            if let Some(result) = child.recv_within(Duration::from_millis(5)) {
                result?;
            }
        }
    }
    drop(children);
    // Only exits gave back: whatever the churn did, nothing is held any more.
    settle(&fixed)?;
    for set in fixed {
        set.remove()?;
    }
    for id in &shared.passing {
        let _ = SemSet::from_id(id.load(Relaxed)).remove();
    }
    Ok(format!(
        "{} takes and exits, {} sets replaced, {} whole reads in {} s",
        shared.exits.load(Relaxed),
        shared.removals.load(Relaxed),
        shared.reads.load(Relaxed),
        time.as_secs()
    ))
}

/// Waits for the last exits, those of the killed processes' children.
fn settle(fixed: &[SemSet]) -> Result<()> {
    let start = Instant::now();
    loop {
        let mut values = BTreeSet::new();
        for set in fixed {
            values.extend(set.values()?);
        }
        if values.len() == 1 && values.contains(&START) {
            let table = reading::text(proc::TABLE)?;
            ensure!(table == HEADER, "all is given back, and the table still shows {table}");
            return Ok(());
        }
        ensure!(start.elapsed() < Duration::from_secs(20), "all processes are gone and the values are {values:?}");
        sleep(Duration::from_millis(50));
    }
}

fn fresh_set() -> Result<SemSet> {
    let set = SemSet::create(WIDTH, 0o600)?;
    set.set_values(&[START; WIDTH])?;
    Ok(set)
}

/// Removes one passing set after the other, under whoever uses it, and makes a new one.
fn replace_sets(shared: &Shared) -> Result<()> {
    loop {
        for id in &shared.passing {
            SemSet::from_id(id.load(Relaxed)).remove()?;
            id.store(fresh_set()?.id(), Relaxed);
            shared.removals.fetch_add(1, Relaxed);
            sleep(Duration::from_millis(1));
        }
    }
}

/// Forks processes that take from some sets, give to others, and exit; some of them share a list.
fn take_and_exit(fixed: &[SemSet], shared: &Shared, seed: u64) -> Result<()> {
    let mut random = Random::new(1000 + seed);
    loop {
        let count = 1 + random.below(6);
        let first = random.below(1000);
        let flags = if random.below(4) == 0 { libc::CLONE_SYSVSEM } else { 0 };
        let pause = random.below(3) == 0;
        // As often up as down, because what a shared list holds adds up.
        let delta = [-3, 3][random.below(2)];
        Child::with_flags(flags, |_| {
            for number in first..first + count {
                let index = (number % WIDTH) as u16;
                fixed[number % FIXED].op(&[Op::new(index, delta).undo()])?;
                let passing = SemSet::from_id(shared.passing[number % PASSING].load(Relaxed));
                // It may be gone by now, or go while we wait.
                let _ = passing.op(&[Op::new(index, delta).undo().nowait()]);
            }
            if pause {
                sleep(Duration::from_millis(2));
            }
            Ok(())
        })?
        .join()?;
        shared.exits.fetch_add(1, Relaxed);
    }
}

/// Reads its own list, which nobody else changes: the very same bytes every time.
fn read_own(fixed: &[SemSet], shared: &Shared, number: usize) -> Result<()> {
    let mut want = String::new();
    for set in &fixed[number..number + 8] {
        set.op(&[Op::new(1, -5).undo()])?;
        want.push_str(&format!("{} 0 5 0 0\n", set.id()));
    }
    for chunk in CHUNKS.into_iter().cycle() {
        let text = String::from_utf8(reading::whole(proc::OWN, chunk)?)?;
        ensure!(text == want, "reads of {chunk}: {text:?} instead of {want:?}");
        shared.reads.fetch_add(1, Relaxed);
    }
    Ok(())
}

/// Reads the table: ascending rows of the right width, none of them all zero.
fn read_table(shared: &Shared, number: usize) -> Result<()> {
    let mut random = Random::new(number as u64);
    loop {
        let chunk = CHUNKS[random.below(CHUNKS.len())];
        let text = String::from_utf8(reading::whole(proc::TABLE, chunk)?)?;
        let rows = text.strip_prefix(HEADER).context("no header")?;
        let mut last = (-1, -1, -1);
        for line in rows.split_inclusive('\n') {
            let numbers = line.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<i32>, _>>();
            let numbers = numbers.with_context(|| format!("line {line:?}"))?;
            ensure!(numbers.len() == 3 + WIDTH, "line {line:?}");
            let ids = (numbers[0], numbers[1], numbers[2]);
            let adjustments: String = numbers[3..].iter().map(|number| format!(" {number}")).collect();
            let want = format!("{:>10} {:>10} {:>10}{adjustments}\n", ids.0, ids.1, ids.2);
            ensure!(line == want, "line {line:?} instead of {want:?}");
            ensure!(last < ids, "{ids:?} after {last:?}");
            ensure!(ids.1 > 0 && ids.2 > 0 && numbers[3..].iter().any(|&adj| adj != 0), "line {line:?}");
            last = ids;
        }
        // Now and then a reader walks away from a half-read file.
        if random.below(4) == 0 {
            let _ = File::open(proc::TABLE)?.read(&mut [0; 100])?;
        }
        shared.reads.fetch_add(1, Relaxed);
    }
}

/// The control: the kernel's own files, read in the same way.
fn read_kernels(shared: &Shared) -> Result<()> {
    for chunk in CHUNKS.into_iter().cycle() {
        ensure!(!reading::whole("/proc/sysvipc/sem", chunk)?.is_empty(), "process {} reads nothing", getpid());
        shared.reads.fetch_add(1, Relaxed);
    }
    Ok(())
}
