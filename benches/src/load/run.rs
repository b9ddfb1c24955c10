//! One run of a scenario: threads, each on a core of its own as far as there are cores, for a given time.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use super::figures::Figures;
use super::memory;
use super::scenario::Scenario;
use super::writer::Tally;
use crate::clock;

/// How often memory is looked at in a run.
const MEMORY_SAMPLES: u32 = 8;

/// Who keeps semaphores for writers and shows undo lists to readers.
pub trait Subject: Sync {
    /// A process with so many sets, and an adjustment in each.
    fn writer(&self, sets: usize, churn: bool) -> Box<dyn Hammer + '_>;

    /// Makes the calling thread a reader, which it stops to be at the drop.
    fn reader(&self, read_size: usize) -> Box<dyn Lister + '_>;

    /// How often a reader found a lock of an undo list taken and had to wait; 0 where its way has no lock.
    fn reader_waits(&self) -> u64;
}

/// A [`writer`](super::writer::Writer) of a subject.
pub trait Hammer: Send {
    /// The process, as readers name it.
    fn pid(&self) -> i32;

    /// As [`Writer::work`](super::writer::Writer::work).
    fn work(&mut self, done: &dyn Fn() -> bool) -> Tally;

    /// As [`Writer::sets`](super::writer::Writer::sets).
    fn sets(&self) -> Vec<i32>;

    /// As [`Writer::is_balanced`](super::writer::Writer::is_balanced).
    fn is_balanced(&mut self) -> bool;
}

/// A reader of a subject.
pub trait Lister {
    /// Reads the undo list of a process from its beginning to its end, and returns how many entries came.
    fn list(&mut self, pid: i32) -> usize;
}

/// What a reader did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listed {
    /// Entries that came.
    pub entries: u64,
    /// The time that this took.
    pub wall: Duration,
    /// How often the thread slept: its voluntary context switches (`getrusage(2)`).
    pub sleeps: u64,
}

/// Runs a scenario once.
///
/// # Panics
///
/// Where an undo list or a semaphore is not as it must be at the end.
pub fn run(start: fn() -> Box<dyn Subject>, scenario: &Scenario, duration: Duration) -> Figures {
    let memory_before = memory::held();
    let subject = start();
    let mut writers: Vec<_> = (0..scenario.writers).map(|_| subject.writer(scenario.sets, scenario.churn)).collect();
    let pids: Vec<_> = writers.iter().map(|writer| writer.pid()).collect();
    let (ready, stop) = (Barrier::new(scenario.writers + scenario.readers + 1), AtomicBool::new(false));
    let mut memory_peak = memory::held();
    let (tallies, listed) = thread::scope(|scope| {
        let (subject, pids, ready, stop) = (&*subject, &pids, &ready, &stop);
        let at_work = |writer: usize, hammer: &mut Box<dyn Hammer + '_>| {
            pin(writer);
            ready.wait();
            hammer.work(&|| stop.load(Ordering::Relaxed))
        };
        let writing: Vec<_> =
            writers.iter_mut().enumerate().map(|(at, hammer)| scope.spawn(move || at_work(at, hammer))).collect();
        let reading: Vec<_> = (0..scenario.readers)
            .map(|reader| {
                scope.spawn(move || {
                    pin(scenario.writers + reader);
                    let mut lister = subject.reader(scenario.read_size);
                    ready.wait();
                    listing(pids, stop, &mut |pid| lister.list(pid))
                })
            })
            .collect();
        ready.wait();
        for _ in 0..MEMORY_SAMPLES {
            thread::sleep(duration / MEMORY_SAMPLES);
            memory_peak = memory_peak.max(memory::held());
        }
        stop.store(true, Ordering::Relaxed);
        let tallies: Vec<_> = writing.into_iter().map(|thread| thread.join().expect("a writer works")).collect();
        let listed: Vec<_> = reading.into_iter().map(|thread| thread.join().expect("a reader reads")).collect();
        (tallies, listed)
    });
    let waits = subject.reader_waits();
    let mut last = subject.reader(scenario.read_size);
    for writer in &mut writers {
        assert!(writer.is_balanced(), "an adjustment or a value was lost: {scenario:?}");
        assert_eq!(last.list(writer.pid()), writer.sets().len(), "the list is not whole: {scenario:?}");
    }
    Figures::of(&tallies, &listed).with_memory(memory_peak.saturating_sub(memory_before)).with_waits(waits)
}

/// Lists one process after the other until `stop`.
pub(super) fn listing(pids: &[i32], stop: &AtomicBool, list: &mut dyn FnMut(i32) -> usize) -> Listed {
    let (start, sleeps) = (Instant::now(), sleeps_of_thread());
    let mut entries = 0;
    for pid in pids.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        entries += list(*pid) as u64;
    }
    Listed { entries, wall: start.elapsed(), sleeps: sleeps_of_thread() - sleeps }
}

/// Keeps the calling thread on the core of its number.
pub(super) fn pin(number: usize) {
    if let Some(core) = core(number) {
        clock::pin(core);
    }
}

fn core(number: usize) -> Option<usize> {
    let cores = clock::cores();
    cores.get(number % cores.len().max(1)).copied()
}

fn sleeps_of_thread() -> u64 {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("Linux has it since 2.6.26");
    usage.voluntary_context_switches() as u64
}
