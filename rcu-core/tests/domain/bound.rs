//! The bound on what is deferred and not yet reclaimed, above all with a reader that never leaves.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rcu_core::{Domain, Flavor};

use crate::{SetsWhenDropped, domain_with_bound, wait_until};

const BOUND: usize = 100;
const WRITERS: usize = 4;
const EACH: usize = 500;

/// Counts how many of its copies are left.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[test]
fn writers_wait_for_a_reader_that_does_not_leave() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    let domain = domain_with_bound(BOUND);
    let (entered, leave) = (AtomicBool::new(false), AtomicBool::new(false));
    let finished = AtomicUsize::new(0);
    let most = BOUND + WRITERS - 1;
    thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = domain.read_lock();
            entered.store(true, Ordering::Release);
            wait_until(|| leave.load(Ordering::Acquire));
        });
        let leaves = SetsWhenDropped(&leave);
        wait_until(|| entered.load(Ordering::Acquire));
        for _ in 0..WRITERS {
            scope.spawn(|| {
                for _ in 0..EACH {
                    ALIVE.fetch_add(1, Ordering::Relaxed);
                    let counted = Counted(&ALIVE);
                    domain.defer(move || drop(counted));
                }
                finished.fetch_add(1, Ordering::Relaxed);
            });
        }
        wait_until(|| domain.unreclaimed() >= BOUND);
        let until = Instant::now() + Duration::from_millis(200);
        while Instant::now() < until {
            // The count first: a writer makes its object before it defers it.
            let unreclaimed = domain.unreclaimed();
            assert!((BOUND..=most).contains(&unreclaimed), "{unreclaimed} unreclaimed, and the bound is {BOUND}");
            let alive = ALIVE.load(Ordering::Relaxed);
            assert!((BOUND..=most).contains(&alive), "{alive} in memory, and the bound is {BOUND}");
        }
        assert_eq!(finished.load(Ordering::Relaxed), 0, "a writer went on past the bound");
        drop(leaves);
    });
    assert_eq!(finished.load(Ordering::Relaxed), WRITERS, "a writer was left behind");
    domain.barrier();
    assert_eq!((domain.unreclaimed(), ALIVE.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn it_is_kept_at_full_speed() {
    let domain = domain_with_bound(BOUND);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Acquire) {
                    drop(domain.read_lock());
                }
            });
        }
        let _stops = SetsWhenDropped(&stop);
        thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    for _ in 0..10 * EACH {
                        domain.defer(|| ());
                        let unreclaimed = domain.unreclaimed();
                        assert!(unreclaimed < BOUND + WRITERS, "{unreclaimed} unreclaimed, and the bound is {BOUND}");
                    }
                });
            }
        });
    });
    domain.barrier();
    assert_eq!(domain.unreclaimed(), 0);
}

#[test]
fn a_writer_in_its_own_section_exceeds_it_rather_than_wait_for_itself() {
    let domain = domain_with_bound(BOUND);
    let guard = domain.read_lock();
    (0..2 * BOUND).for_each(|_| domain.defer(|| ()));
    assert_eq!(domain.unreclaimed(), 2 * BOUND);
    drop(guard);
    domain.defer(|| ());
    assert!(domain.unreclaimed() < BOUND, "the first writer that can wait does not help");
}

#[test]
fn a_registered_reader_helps_when_it_is_quiescent() {
    let domain = domain_with_bound(BOUND);
    let mut reader = domain.register();
    for _ in 0..2 * BOUND {
        domain.defer(|| ());
    }
    assert_eq!(domain.unreclaimed(), 2 * BOUND);
    reader.quiescent_state();
    assert!(domain.unreclaimed() < BOUND);
}

#[test]
fn batches_are_reclaimed_without_a_wait() {
    let domain = Domain::new();
    let mut peak = 0;
    for _ in 0..100_000 {
        domain.defer(|| ());
        peak = peak.max(domain.unreclaimed());
    }
    assert!(peak < domain.bound() / 2, "{peak} were unreclaimed where nobody reads");
}

#[test]
fn it_is_settable_and_at_least_one() {
    let domain = Domain::new();
    assert_eq!(domain.bound(), 16_384);
    domain.set_bound(0);
    assert_eq!(domain.bound(), 1);
    for _ in 0..10 {
        domain.defer(|| ());
        assert_eq!(domain.unreclaimed(), 0);
    }
}
