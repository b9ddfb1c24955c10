//! The read side: empty sections and walks, alone and beside a writer.

use std::env;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::engine::{Reader, SECTIONS, Subject, WALKS};
use crate::engines;
use crate::harness::{Measurement, interleave};
use crate::node::{NODES, SUM};

/// Replacements a second.
pub const RATE: f64 = 100_000.0;

/// What of the rate the writer must reach.
const REACHED: f64 = 0.95;

/// How long the writer sleeps between its bursts: a little where it has a core of its own, else so long that its interrupts do not count.
const NAPS: [Duration; 2] = [Duration::from_micros(50), Duration::from_micros(500)];

/// What readers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Empty sections.
    Section,
    /// Walks.
    Walk,
    /// Walks beside a writer.
    WalkWithWriter,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Section => "empty-section",
            Self::Walk => "walk-100",
            Self::WalkWithWriter => "walk-100-writer",
        }
    }

    /// How much CPU time a run takes at least. With a writer longer, so that its bursts are many.
    fn at_least(self) -> Duration {
        Duration::from_millis(if self == Self::WalkWithWriter { 40 } else { 20 })
    }

    /// What a run's number of iterations is a multiple of.
    fn unit(self) -> u64 {
        if self == Self::Section { SECTIONS } else { WALKS }
    }

    /// Does it `count` times and answers how many nanoseconds of CPU time that took.
    pub fn time(self, reader: &mut dyn Reader, count: u64) -> u64 {
        let start = clock::thread_nanos();
        let sum = match self {
            Self::Section => {
                reader.sections(count);
                None
            }
            Self::Walk | Self::WalkWithWriter => Some(reader.walks(count)),
        };
        let nanos = clock::thread_nanos() - start;
        // Beside a writer a walk may miss a node, or meet its copy too.
        assert!(self != Self::Walk || sum == Some(SUM.wrapping_mul(count)), "a walk of {NODES} nodes went astray");
        nanos
    }
}

/// Measures one kind of reading with one and with two readers.
///
/// Every run is a process of its own: an engine's nodes then lie as every other engine's do, however much memory another one has churned.
pub(super) fn measure(work: Work, out: &mut dyn FnMut(Measurement)) {
    for threads in [1, 2] {
        let mut engines: Vec<_> = engines::all().into_iter().map(|engine| (engine, ())).collect();
        let key = (work.name(), threads, "ns");
        let all = interleave(key, &mut engines, |engine, ()| {
            let mut child = Command::new(env::current_exe().expect("the program knows where it is"));
            let (engine, threads) = (engine.name, threads.to_string());
            child.args([RUN_ONE, work.name(), engine, &threads]).stderr(Stdio::inherit());
            let answer = child.output().expect("the program can be run once more");
            assert!(answer.status.success(), "a run of {engine} failed: {}", answer.status);
            String::from_utf8_lossy(&answer.stdout).trim().parse().ok()
        });
        all.into_iter().for_each(&mut *out);
    }
}

/// The first argument that makes the program do one run: case, engine and threads follow.
pub const RUN_ONE: &str = "--run-one";

/// Does one run of a case of reading; none where the names are wrong or the writer was too slow.
pub fn run_one(case: &str, engine: &str, threads: usize) -> Option<f64> {
    let work = [Work::Section, Work::Walk, Work::WalkWithWriter].into_iter().find(|work| work.name() == case)?;
    let engine = engines::all().into_iter().find(|known| known.name == engine)?;
    let subject = (engine.start)();
    let count = calibrate(work, &*subject);
    run(work, &*subject, threads, count)
}

/// How many iterations take the time that a run shall take.
fn calibrate(work: Work, subject: &dyn Subject) -> u64 {
    let mut reader = subject.reader();
    let mut count = work.unit();
    loop {
        let nanos = work.time(&mut *reader, count).max(1);
        let wanted = work.at_least().as_nanos() as u64;
        if nanos >= wanted / 4 {
            let count = count * wanted / nanos * 11 / 10;
            return count.next_multiple_of(work.unit());
        }
        count *= 2;
    }
}

/// One run: the mean nanoseconds of an iteration over the readers.
fn run(work: Work, subject: &dyn Subject, threads: usize, count: u64) -> Option<f64> {
    let cores = clock::cores();
    let core = |thread: usize| cores.get(thread % cores.len().max(1)).copied();
    let own_core = (threads < cores.len()).then(|| core(threads)).flatten();
    let ready = &Barrier::new(threads);
    let read = &|thread: usize| {
        if let Some(core) = core(thread) {
            clock::pin(core);
        }
        let mut reader = subject.reader();
        // The caches and the flavor's thread-local state are warm before the clock runs.
        work.time(&mut *reader, work.unit());
        ready.wait();
        work.time(&mut *reader, count)
    };
    let readers = || {
        thread::scope(|scope| {
            let readers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || read(thread))).collect();
            readers.into_iter().map(|reader| reader.join().expect("no reader panics")).sum::<u64>()
        })
    };
    let (nanos, reached) =
        if work == Work::WalkWithWriter { beside_writer(subject, own_core, readers) } else { (readers(), 1.0) };
    (reached >= REACHED).then(|| nanos as f64 / (count * threads as u64) as f64)
}

/// Does `work` while a writer, on a core of its own if there is one, replaces nodes at the rate; says too what of the rate it reached.
pub fn beside_writer<R>(subject: &dyn Subject, core: Option<usize>, work: impl FnOnce() -> R) -> (R, f64) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (begun, begins) = std::sync::mpsc::channel();
        let writer = scope.spawn({
            let stop = &stop;
            move || write(subject, core, stop, || begun.send(()).expect("the harness waits"))
        });
        begins.recv().expect("the writer says that it began");
        let result = work();
        stop.store(true, Ordering::Relaxed);
        (result, writer.join().expect("no writer panics"))
    })
}

/// Replaces at the rate, in bursts, until it is told to stop; answers what of the rate it reached.
fn write(subject: &dyn Subject, core: Option<usize>, stop: &AtomicBool, begun: impl FnOnce()) -> f64 {
    if let Some(core) = core {
        clock::pin(core);
    }
    let mut writer = subject.writer();
    let start = Instant::now();
    let mut done = 0_u64;
    begun();
    while !stop.load(Ordering::Relaxed) {
        let due = (start.elapsed().as_secs_f64() * RATE) as u64;
        while done < due && !stop.load(Ordering::Relaxed) {
            writer.replace();
            done += 1;
        }
        thread::sleep(NAPS[usize::from(core.is_none())]);
    }
    done as f64 / (start.elapsed().as_secs_f64() * RATE)
}
