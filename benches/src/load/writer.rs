//! A writer: takes and gives, in batches, every other of which is timed call by call.
//!
//! Throughput is that of the batches that are not timed, so that reading the clock does not count. A batch within which
//! the thread was preempted (an involuntary context switch, `getrusage(2)`) has no part in the latencies: what other threads of the
//! core took is not what the calls took. Waiting for a lock is not preemption, and counts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use nix::sys::resource::{UsageWho, getrusage};
use quanta::Clock;

use super::calls::Calls;
use crate::clock;

/// The adjustment that each set has while nothing is taken, so that it is listed at any time; the value is its opposite.
pub const RESTING: i16 = -2;

/// Takes and gives of a batch.
const PAIRS: u32 = 256;

/// Takes and gives on a set before it is the next one's turn. No multiple of two batches, so that the first of them are timed as often as
/// others.
const PAIRS_PER_SET: u32 = 640;

/// With churn, one set is made and the oldest removed every so many pairs.
const PAIRS_PER_CHURN: u32 = 32;

/// With churn, one process is made and exits every so many pairs.
const PAIRS_PER_EXIT: u32 = 1024;

/// Latencies are told up to this many nanoseconds, in three digits.
const LATENCY_MAX: u64 = 10_000_000_000;

/// One process with its sets.
#[derive(Debug)]
pub struct Writer<C> {
    calls: C,
    sets: VecDeque<i32>,
    turn: usize,
    churn: bool,
    pairs: u32,
}

/// What a writer did.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Semops of the batches that were not timed.
    pub semops: u64,
    /// The time that those batches took.
    pub wall: Duration,
    /// The CPU time of the thread in those batches.
    pub cpu: Duration,
    /// Nanoseconds of each semop of the timed batches that were not preempted.
    pub latency: Histogram<u64>,
    /// Timed batches.
    pub timed: u64,
    /// Those of them that were preempted.
    pub preempted: u64,
}

impl Default for Tally {
    fn default() -> Self {
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX, 3).expect("the bounds are right");
        Self { semops: 0, wall: Duration::ZERO, cpu: Duration::ZERO, latency, timed: 0, preempted: 0 }
    }
}

impl<C: Calls> Writer<C> {
    /// Makes `sets` sets and an adjustment in each.
    pub fn new(calls: C, sets: usize, churn: bool) -> Self {
        let mut writer = Self { calls, sets: VecDeque::with_capacity(sets + 1), turn: 0, churn, pairs: 0 };
        (0..sets).for_each(|_| writer.add_set(&mut Untimed));
        writer
    }

    /// Works until `done`, which is asked between batches.
    pub fn work(&mut self, done: impl Fn() -> bool) -> Tally {
        let clock = Clock::new();
        let mut tally = Tally::default();
        let mut timed = Timed { clock, nanos: Vec::with_capacity(4 * PAIRS as usize) };
        self.batch(&mut Untimed);
        while !done() {
            let (start, cpu) = (Instant::now(), clock::thread_nanos());
            self.batch(&mut Untimed);
            tally.cpu += Duration::from_nanos(clock::thread_nanos() - cpu);
            tally.wall += start.elapsed();
            tally.semops += u64::from(2 * PAIRS);

            let before = preemptions();
            self.batch(&mut timed);
            let preempted = preemptions() != before;
            tally.timed += 1;
            tally.preempted += u64::from(preempted);
            for nanos in timed.nanos.drain(..).filter(|_| !preempted) {
                tally.latency.saturating_record(nanos);
            }
        }
        tally
    }

    /// The identifiers of the sets that it has now, which are as many as at first.
    pub fn sets(&self) -> impl Iterator<Item = i32> {
        self.sets.iter().copied()
    }

    /// Whether nothing was lost: each semaphore's value is the opposite of its resting adjustment.
    pub fn is_balanced(&mut self) -> bool {
        self.sets.iter().all(|semid| self.calls.value(*semid) == -i32::from(RESTING))
    }

    fn batch<T: Timer>(&mut self, timer: &mut T) {
        for _ in 0..PAIRS / PAIRS_PER_CHURN {
            let semid = self.sets[self.turn];
            for _ in 0..PAIRS_PER_CHURN {
                timer.time(|| self.calls.semop(semid, -1));
                timer.time(|| self.calls.semop(semid, 1));
            }
            self.pairs = self.pairs.wrapping_add(PAIRS_PER_CHURN);
            if self.pairs.is_multiple_of(PAIRS_PER_SET) {
                self.turn = (self.turn + 1) % self.sets.len();
            }
            if self.churn {
                self.churn(timer);
            }
        }
    }

    fn churn<T: Timer>(&mut self, timer: &mut T) {
        self.add_set(timer);
        let oldest = self.sets.pop_front().expect("one was added just now");
        self.calls.remove(oldest);
        if self.pairs.is_multiple_of(PAIRS_PER_EXIT) {
            self.calls.take_and_exit(self.sets[self.turn]);
        }
    }

    fn add_set<T: Timer>(&mut self, timer: &mut T) {
        let semid = self.calls.create();
        timer.time(|| self.calls.semop(semid, -RESTING));
        self.sets.push_back(semid);
    }
}

impl<C> Writer<C> {
    /// The calls that it makes.
    pub fn calls(&self) -> &C {
        &self.calls
    }
}

/// The involuntary context switches of this thread so far.
fn preemptions() -> i64 {
    getrusage(UsageWho::RUSAGE_THREAD).expect("Linux has it since 2.6.26").involuntary_context_switches()
}

trait Timer {
    fn time(&mut self, semop: impl FnOnce());
}

struct Untimed;

impl Timer for Untimed {
    #[inline(always)]
    fn time(&mut self, semop: impl FnOnce()) {
        semop();
    }
}

struct Timed {
    clock: Clock,
    nanos: Vec<u64>,
}

impl Timer for Timed {
    #[inline(always)]
    fn time(&mut self, semop: impl FnOnce()) {
        let start = self.clock.raw();
        semop();
        let end = self.clock.raw();
        self.nanos.push(self.clock.delta_as_nanos(start, end));
    }
}
