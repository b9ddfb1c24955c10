//! Waiting for readers: `synchronize` by one thread, and by eight at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::engine::{Engine, Subject, WALKS};
use crate::engines;
use crate::harness::{Measurement, interleave};

/// How many call at once.
const CALLERS: usize = 8;

/// How long calls are repeated in a run.
const AT_LEAST: Duration = Duration::from_millis(20);

/// How many calls a run makes at most and at least.
const CALLS: std::ops::Range<u32> = 3..20_000;

fn subjects() -> Vec<(Engine, Box<dyn Subject>)> {
    let able = engines::all().into_iter().filter(|engine| engine.skills.synchronize);
    able.map(|engine| (engine, (engine.start)())).collect()
}

/// Measures the time of a call with no, one and two readers.
pub(super) fn latency(out: &mut dyn FnMut(Measurement)) {
    for readers in 0..=2 {
        let all = interleave(("synchronize", readers, "ns"), &mut subjects(), |_, subject| {
            Some(beside_readers(&**subject, readers, || alone(&**subject)))
        });
        all.into_iter().for_each(&mut *out);
    }
}

/// The mean nanoseconds of a call by this thread.
fn alone(subject: &dyn Subject) -> f64 {
    let (start, mut calls) = (Instant::now(), 0);
    while calls < CALLS.start || (calls < CALLS.end && start.elapsed() < AT_LEAST) {
        subject.synchronize();
        calls += 1;
    }
    start.elapsed().as_nanos() as f64 / f64::from(calls)
}

/// Does `work` on this thread while `readers` others walk the list, each on a core of its own.
pub(super) fn beside_readers<R>(subject: &dyn Subject, readers: usize, work: impl FnOnce() -> R) -> R {
    let (ready, stop) = (Barrier::new(readers + 1), AtomicBool::new(false));
    let cores = clock::cores();
    thread::scope(|scope| {
        for thread in 0..readers {
            let (ready, stop, cores) = (&ready, &stop, &cores);
            scope.spawn(move || {
                if let Some(core) = cores.get(thread % cores.len().max(1)) {
                    clock::pin(*core);
                }
                let mut reader = subject.reader();
                reader.walks(WALKS);
                ready.wait();
                while !stop.load(Ordering::Relaxed) {
                    reader.walks(WALKS);
                }
            });
        }
        ready.wait();
        let result = work();
        stop.store(true, Ordering::Relaxed);
        result
    })
}

/// Measures what eight callers at once wait for: counted, and in time.
pub(super) fn together(out: &mut dyn FnMut(Measurement)) {
    let mut counting: Vec<_> =
        subjects().into_iter().filter(|(_, subject)| subject.grace_periods().is_some()).collect();
    let counted =
        interleave(("synchronize-8", CALLERS, "grace periods"), &mut counting, |_, subject| count(&**subject));
    let timed =
        interleave(("synchronize-8-time", CALLERS, "calls"), &mut subjects(), |_, subject| Some(time(&**subject)));
    counted.into_iter().chain(timed).for_each(&mut *out);
}

/// The mean number of grace periods that a round of callers takes, of 20 rounds.
///
/// A reader that stays in a section until all of them have called makes the calls be at once, on however few cores: without
/// it, a thread may be back before the next is scheduled.
fn count(subject: &dyn Subject) -> Option<f64> {
    const ROUNDS: u32 = 20;
    let before = subject.grace_periods()?;
    for _ in 0..ROUNDS {
        let (called, reading, leave) = (AtomicUsize::new(0), Barrier::new(2), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                subject.hold(&mut || {
                    reading.wait();
                    while !leave.load(Ordering::Acquire) {
                        thread::sleep(Duration::from_micros(50));
                    }
                });
            });
            reading.wait();
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    called.fetch_add(1, Ordering::Relaxed);
                    subject.synchronize();
                });
            }
            while called.load(Ordering::Relaxed) < CALLERS {
                thread::yield_now();
            }
            // Time for the last one to get from its mark into the call.
            thread::sleep(Duration::from_millis(1));
            leave.store(true, Ordering::Release);
        });
    }
    Some((subject.grace_periods()? - before) as f64 / f64::from(ROUNDS))
}

/// The time in which each of the callers, all of them calling again and again, gets one call done, over the time of a call by
/// one thread that calls alone.
fn time(subject: &dyn Subject) -> f64 {
    let alone = alone(subject);
    let calls = ((AT_LEAST.as_nanos() as f64 / alone / CALLERS as f64) as u32).clamp(CALLS.start, CALLS.end);
    let ready = Barrier::new(CALLERS + 1);
    let nanos = thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                ready.wait();
                (0..calls).for_each(|_| subject.synchronize());
            });
        }
        ready.wait();
        Instant::now()
    })
    .elapsed()
    .as_nanos();
    nanos as f64 / f64::from(calls) / alone
}
