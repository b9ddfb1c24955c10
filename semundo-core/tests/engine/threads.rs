//! Many threads at once, over each flavor: nothing is lost, nobody sleeps for ever, and what is to be undone balances what was done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use rcu_core::flavor::epoch::Epoch;
use rcu_core::flavor::membarrier::Membarrier;
use rcu_core::flavor::qsbr::Qsbr;
use rcu_core::{Domain, Flavor};
use semundo_core::engine::{Credentials, Engine, SemBuf};
use seqfile_core::Errno;

use crate::{Ending, NOWAIT, UNDO, nowait, op, undo};

const THREADS: i32 = 4;

const fn rounds(n: u32) -> u32 {
    if cfg!(miri) { n / 100 + 1 } else { n }
}

/// A small generator, so that every run is the same one (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Threads do whatever they can with `SEM_UNDO`; then each value and all adjustments to it make up the value of the beginning, and
/// when all have exited that is back.
fn undo_balances(flavor: impl Flavor + Clone + Send + Sync + 'static) {
    const NSEMS: u64 = 3;
    // So many that no exit takes a value below 0, where it would be capped.
    const BEGIN: u16 = 12_000;
    let engine = Engine::new(flavor);
    let process = engine.process(Credentials::root(), 100).unwrap();
    let semid = process.semget(0, NSEMS as i32, 0o600).unwrap();
    process.setall(semid, &[BEGIN; NSEMS as usize]).unwrap();
    let quiet = Barrier::new(THREADS as usize + 1);
    thread::scope(|scope| {
        for pid in 1..=THREADS {
            let (process, quiet) = (process.fork(pid).unwrap(), &quiet);
            scope.spawn(move || {
                let mut random = Random(pid as u64);
                for _ in 0..rounds(2000) {
                    let ops: Vec<SemBuf> = (0..1 + random.below(3))
                        .map(|_| SemBuf::new(random.below(NSEMS) as u16, random.below(5) as i16 - 2, UNDO | NOWAIT))
                        .collect();
                    process.semop(semid, &ops).or_else(again).unwrap();
                }
                quiet.wait();
                quiet.wait();
            });
        }
        quiet.wait();
        let mut balance: Vec<i64> = process.getall(semid).unwrap().into_iter().map(i64::from).collect();
        let table = std::io::read_to_string(engine.open_table()).unwrap();
        for line in table.lines().skip(1) {
            let numbers: Vec<i64> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
            balance.iter_mut().zip(&numbers[3..]).for_each(|(value, adjustment)| *value += adjustment);
        }
        quiet.wait();
        assert_eq!(balance, [i64::from(BEGIN); NSEMS as usize]);
    });
    assert_eq!(process.getall(semid).unwrap(), [BEGIN; NSEMS as usize]);
}

/// A semaphore as a lock, by calls that sleep; now and then a process dies with the lock.
fn mutual_exclusion(flavor: impl Flavor + Clone + Send + Sync + 'static) {
    let engine = Engine::new(flavor);
    let process = engine.process(Credentials::root(), 100).unwrap();
    let semid = process.semget(0, 1, 0o600).unwrap();
    process.setval(semid, 0, 1).unwrap();
    let inside = AtomicU64::new(0);
    thread::scope(|scope| {
        for pid in 1..=THREADS {
            let (parent, inside) = (process.fork(pid).unwrap(), &inside);
            scope.spawn(move || {
                for round in 0..rounds(300) {
                    let child = parent.fork(pid + 1000).unwrap();
                    child.semop(semid, &[undo(0, -1)]).unwrap();
                    // Not one step: another inside would be lost.
                    let seen = inside.load(Ordering::Relaxed);
                    thread::yield_now();
                    inside.store(seen + 1, Ordering::Relaxed);
                    if round % 3 != 0 {
                        child.semop(semid, &[undo(0, 1)]).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(inside.into_inner(), u64::from(rounds(300)) * THREADS as u64);
    assert_eq!((process.getval(semid, 0), process.getncnt(semid, 0)), (Ok(1), Ok(0)));
}

/// Calls on one semaphore beside calls on several: each locks what it must.
fn simple_beside_complex(flavor: impl Flavor + Clone + Send + Sync + 'static) {
    adds_up(flavor, false);
}

/// The same while somebody sleeps on each semaphore, so that all calls look at the queues.
fn simple_beside_complex_and_sleepers(flavor: impl Flavor + Clone + Send + Sync + 'static) {
    adds_up(flavor, true);
}

fn adds_up(flavor: impl Flavor + Clone + Send + Sync + 'static, sleepers: bool) {
    let engine = Engine::new(flavor);
    let process = engine.process(Credentials::root(), 100).unwrap();
    let semid = process.semget(0, 2, 0o600).unwrap();
    let asleep = [0, 1].map(|num| sleepers.then(|| process.submit(semid, &[op(num, -i16::MAX)]).unwrap().unwrap()));
    let rounds = rounds(4000);
    thread::scope(|scope| {
        for pid in 1..=THREADS {
            let process = process.fork(pid).unwrap();
            scope.spawn(move || {
                for round in 0..rounds {
                    // Few enough that the set is unlocked between them: it takes ten calls.
                    if pid == 1 && round % 10 == 0 {
                        process.semop(semid, &[op(0, 1), op(1, 1)]).unwrap();
                    } else {
                        process.semop(semid, &[op(0, 1)]).unwrap();
                        process.semop(semid, &[op(1, 1)]).unwrap();
                    }
                }
            });
        }
    });
    let values = process.getall(semid).unwrap();
    assert_eq!(values, [rounds as u16 * THREADS as u16; 2]);
    assert!(asleep.iter().flatten().all(|sleeping| sleeping.result().is_none()));
}

fn again(errno: Errno) -> Result<(), Errno> {
    if errno == Errno::EAGAIN { Ok(()) } else { Err(errno) }
}

/// What is moved in one call is never seen half moved.
fn calls_are_atomic(flavor: impl Flavor + Clone + Send + Sync + 'static) {
    let engine = Engine::new(flavor);
    let process = engine.process(Credentials::root(), 100).unwrap();
    let semid = process.semget(0, 3, 0o600).unwrap();
    process.setall(semid, &[10, 10, 10]).unwrap();
    let ending = Ending::default();
    thread::scope(|scope| {
        let movers: Vec<_> = (1..=THREADS)
            .map(|pid| {
                let process = process.fork(pid).unwrap();
                scope.spawn(move || {
                    let mut random = Random(pid as u64);
                    for _ in 0..rounds(500) {
                        let from = random.below(3) as u16;
                        let to = (from + 1 + random.below(2) as u16) % 3;
                        process.semop(semid, &[nowait(from, -1), nowait(to, 1)]).or_else(again).unwrap();
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !ending.has_come() {
                assert_eq!(process.getall(semid).unwrap().iter().sum::<u16>(), 30);
                thread::yield_now();
            }
        });
        let _ending = ending.at_drop();
        movers.into_iter().for_each(|mover| mover.join().unwrap());
    });
}

/// All who sleep learn that the set is gone.
fn removal_wakes_threads(flavor: impl Flavor + Clone + Send + Sync + 'static) {
    let engine = Engine::new(flavor);
    let process = engine.process(Credentials::root(), 100).unwrap();
    for _ in 0..rounds(20) {
        let semid = process.semget(0, 2, 0o600).unwrap();
        thread::scope(|scope| {
            for pid in 1..=THREADS {
                let process = process.fork(pid).unwrap();
                scope.spawn(move || {
                    let ops = [undo(0, -1), undo(1, -1)];
                    let result = process.semop(semid, &ops[..1 + pid as usize % 2]);
                    assert!(matches!(result, Err(Errno::EIDRM | Errno::EINVAL)), "{result:?}");
                });
            }
            while process.getncnt(semid, 0).unwrap() < THREADS / 2 {
                thread::yield_now();
            }
            process.rmid(semid).unwrap();
        });
    }
}

macro_rules! over_each_flavor {
    ($($test:ident)*) => {
        over_each_flavor!(epoch, Epoch, $($test)*);
        over_each_flavor!(membarrier, Membarrier, $($test)*);
        over_each_flavor!(qsbr, Qsbr, $($test)*);
        over_each_flavor!(domain, Arc::new(Domain::new()), $($test)*);
    };
    ($name:ident, $flavor:expr, $($test:ident)*) => {
        mod $name {
            #[allow(clippy::wildcard_imports)]
            use super::*;

            $(#[test]
            fn $test() {
                super::$test($flavor);
            })*
        }
    };
}

over_each_flavor! { undo_balances mutual_exclusion simple_beside_complex simple_beside_complex_and_sleepers calls_are_atomic
removal_wakes_threads }

#[test]
fn a_time_is_over() {
    let (_engine, process, semid) = crate::engine(&[0, 0]);
    let timeout = std::time::Duration::from_millis(3);
    for ops in [&[op(0, -1)][..], &[op(0, -1), op(1, 1)]] {
        let begun = std::time::Instant::now();
        assert_eq!(process.semtimedop(semid, ops, Some(timeout.into())), Err(Errno::EAGAIN));
        assert!(begun.elapsed() >= timeout);
        assert_eq!(process.getncnt(semid, 0), Ok(0));
    }
    // One that is woken in time, by whom it sees sleep.
    thread::scope(|scope| {
        let long = std::time::Duration::from_secs(3600);
        let sleeper = process.fork(2).unwrap();
        let sleeps = scope.spawn(move || sleeper.semtimedop(semid, &[op(0, -1)], Some(long.into())));
        while process.getncnt(semid, 0).unwrap() == 0 {
            thread::yield_now();
        }
        process.semop(semid, &[op(0, 1)]).unwrap();
        assert_eq!(sleeps.join().unwrap(), Ok(()));
    });
}

#[test]
fn an_interrupt_wakes_a_thread() {
    let (_engine, process, semid) = crate::engine(&[0]);
    thread::scope(|scope| {
        let sleeps = scope.spawn(|| process.semop(semid, &[op(0, -1)]));
        while process.getncnt(semid, 0).unwrap() == 0 {
            thread::yield_now();
        }
        process.interrupt();
        assert_eq!(sleeps.join().unwrap(), Err(Errno::EINTR));
    });
}
