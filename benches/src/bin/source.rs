//! Measures the group `source` and prints a JSON line a figure: reading the undo lists of live processes by BPF. Takes root.
//!
//! `source SEMUNDO` also times the command of that path.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use benches::harness::{Measurement, RUNS};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use semundo::source::bpf::Bpf;
use semundo::sysv::{Op, SemSet, TempSet};
use semundo::{Select, Source};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// This program, as a process whose list is read, or that hammers.
const HOLD: &str = "hold";
const HAMMER: &str = "hammer";

/// How long a run of the hammering pair is.
const HAMMERING: Duration = Duration::from_millis(400);

/// The pause between two readings at 100 a second.
const PERIOD: Duration = Duration::from_millis(10);

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [HOLD, sets] => hold(sets.parse()?),
        [HAMMER, semid, semaphore] => hammer(semid.parse()?, semaphore.parse()?),
        [semundo] => measure(semundo),
        _ => Err("source SEMUNDO".into()),
    }
}

fn measure(semundo: &str) -> Result<()> {
    // In an IPC namespace of our own there are no other sets to be read.
    // SAFETY: no other thread's state is changed: this process has one thread.
    unsafe { unshare_unsafe(UnshareFlags::NEWIPC) }?;
    let bpf = Bpf::load()?;
    for (case, sets) in [("show-1", 1), ("show-100", 100), ("show-10000", 10_000), ("show-32000", 32_000)] {
        eprintln!("{case}");
        show(&bpf, case, sets)?;
    }
    eprintln!("process-start");
    process_start(semundo)?;
    eprintln!("semop-pair");
    semop_pair(&bpf)
}

fn report(case: &'static str, engine: &'static str, unit: &'static str, mut runs: Vec<f64>) {
    runs.sort_by(f64::total_cmp);
    println!("{}", Measurement { group: "source", case, engine, threads: 1, unit, runs }.json());
}

/// A process whose list has one entry in each of so many sets of one semaphore, which are removed at its end.
struct Holder {
    process: Child,
    /// The id of its first set.
    semid: i32,
}

impl Holder {
    fn new(sets: usize) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args([HOLD, &sets.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line)?;
        Ok(Self { process, semid: line.trim().parse()? })
    }

    fn pid(&self) -> i32 {
        self.process.id() as i32
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().expect("it is our child");
    }
}

/// Makes sets, has an adjustment in each, and waits for the end of the input.
fn hold(sets: usize) -> Result<()> {
    let sets = (0..sets).map(|_| TempSet::create(1, 0o600)).collect::<io::Result<Vec<_>>>()?;
    sets.iter().try_for_each(|set| set.op(&[Op::new(0, 1).undo()]))?;
    println!("{}", sets[0].id());
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// A whole reading of the one process.
fn show(bpf: &Bpf, case: &'static str, sets: usize) -> Result<()> {
    let holder = Holder::new(sets)?;
    let select = Select::Pids(vec![holder.pid()]);
    let reads = (20_000 / sets).clamp(5, 500) as u32;
    let mut runs = Vec::new();
    for _ in 0..=RUNS {
        let start = Instant::now();
        for _ in 0..reads {
            let lists = bpf.read(&select)?;
            assert_eq!(lists[0].adjustments.len(), sets);
        }
        runs.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(reads));
    }
    runs.remove(0);
    report(case, "bpf", "us", runs);
    Ok(())
}

/// From the start of the command until its output is read.
fn process_start(semundo: &str) -> Result<()> {
    let holder = Holder::new(1)?;
    let mut runs = Vec::new();
    for _ in 0..=RUNS {
        let start = Instant::now();
        let output = Command::new(semundo).args(["show", "--source", "bpf", &holder.pid().to_string()]).output()?;
        runs.push(start.elapsed().as_secs_f64() * 1e3);
        assert_eq!(String::from_utf8(output.stdout)?, format!("{} -1\n", holder.semid));
    }
    runs.remove(0);
    report("process-start", "bpf", "ms", runs);
    Ok(())
}

/// Two processes that take and give a semaphore each of one set with SEM_UNDO, alone and while they are read; the two take turns.
fn semop_pair(bpf: &Bpf) -> Result<()> {
    let (mut alone, mut read) = (Vec::new(), Vec::new());
    for _ in 0..=RUNS {
        alone.push(operations(None)?);
        read.push(operations(Some(bpf))?);
    }
    alone.remove(0);
    read.remove(0);
    report("semop-pair", "alone", "ops/s", alone);
    report("semop-pair", "reader-100hz", "ops/s", read);
    Ok(())
}

/// How many operations a second the two do.
fn operations(reader: Option<&Bpf>) -> Result<f64> {
    let set = TempSet::create(2, 0o600)?;
    set.set_values(&[1, 1])?;
    let hammer = |semaphore: &str| {
        let mut command = Command::new(env::current_exe()?);
        command.args([HAMMER, &set.id().to_string(), semaphore]).stdout(Stdio::piped()).spawn()
    };
    let pair = [hammer("0")?, hammer("1")?];
    let pids: Vec<i32> = pair.iter().map(|process| process.id() as i32).collect();
    let (start, mut readings) = (Instant::now(), 0);
    while start.elapsed() < HAMMERING {
        if let Some(bpf) = reader {
            bpf.read(&Select::Pids(pids.clone()))?;
        }
        readings += 1;
        thread::sleep((start + PERIOD * readings).saturating_duration_since(Instant::now()));
    }
    let mut operations = 0.0;
    for process in pair {
        let output = process.wait_with_output()?;
        operations += String::from_utf8(output.stdout)?.trim().parse::<f64>()?;
    }
    Ok(operations / HAMMERING.as_secs_f64())
}

/// Takes and gives for [`HAMMERING`], and tells how often.
fn hammer(semid: i32, semaphore: u16) -> Result<()> {
    let set = SemSet::from_id(semid);
    let (start, mut operations) = (Instant::now(), 0_u64);
    while start.elapsed() < HAMMERING {
        for _ in 0..100 {
            set.op(&[Op::new(semaphore, -1).undo()])?;
            set.op(&[Op::new(semaphore, 1).undo()])?;
        }
        operations += 200;
    }
    println!("{operations}");
    Ok(())
}
