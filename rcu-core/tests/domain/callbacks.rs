//! What is deferred runs once, after a grace period, whatever it does itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rcu_core::{Domain, Flavor};

use crate::domain_with_bound;

#[test]
fn a_barrier_waits_for_all_threads_callbacks() {
    const EACH: usize = 300;
    for bound in [7, 16_384] {
        let domain = domain_with_bound(bound);
        let ran: Arc<[AtomicUsize]> = (0..4 * EACH).map(|_| AtomicUsize::new(0)).collect();
        thread::scope(|scope| {
            for part in 0..4 {
                let (domain, ran) = (&domain, &ran);
                scope.spawn(move || {
                    for number in part * EACH..(part + 1) * EACH {
                        let ran = Arc::clone(ran);
                        domain.defer(move || {
                            ran[number].fetch_add(1, Ordering::Relaxed);
                        });
                    }
                    domain.barrier();
                    let own = &ran[part * EACH..(part + 1) * EACH];
                    assert!(own.iter().all(|ran| ran.load(Ordering::Relaxed) == 1), "lost, late, or run twice");
                });
            }
        });
        assert_eq!(domain.unreclaimed(), 0);
    }
}

#[test]
fn a_callback_runs_after_the_sections_before_it() {
    let domain = Domain::new();
    let ran = Arc::new(AtomicUsize::new(0));
    let guard = domain.read_lock();
    let runs = Arc::clone(&ran);
    domain.defer(move || {
        runs.fetch_add(1, Ordering::Relaxed);
    });
    thread::scope(|scope| {
        scope.spawn(|| (0..10_000).for_each(|_| domain.defer(|| ()))).join().unwrap();
    });
    assert_eq!(ran.load(Ordering::Relaxed), 0, "reclaimed under a reader");
    drop(guard);
    domain.barrier();
    assert_eq!(ran.load(Ordering::Relaxed), 1);
}

/// Each callback defers the next one, from the bound or far below it.
#[test]
fn callbacks_defer_again() {
    fn generation(domain: &'static Domain, left: usize, ran: &'static AtomicUsize) {
        domain.defer(move || {
            ran.fetch_add(1, Ordering::Relaxed);
            if left > 1 {
                generation(domain, left - 1, ran);
            }
        });
    }
    for bound in [1, 16_384] {
        let domain: &'static Domain = Box::leak(Box::new(domain_with_bound(bound)));
        let ran: &'static AtomicUsize = Box::leak(Box::default());
        generation(domain, 20, ran);
        (0..20).for_each(|_| domain.barrier());
        assert_eq!((ran.load(Ordering::Relaxed), domain.unreclaimed()), (20, 0));
    }
}

#[test]
fn callbacks_read_and_wait_for_grace_periods() {
    let domain: &'static Domain = Box::leak(Box::default());
    let ran: &'static AtomicUsize = Box::leak(Box::default());
    for _ in 0..10 {
        domain.defer(|| {
            drop(domain.read_lock());
            let before = domain.grace_periods();
            domain.synchronize();
            assert!(domain.grace_periods() > before);
            ran.fetch_add(1, Ordering::Relaxed);
        });
    }
    domain.barrier();
    assert_eq!(ran.load(Ordering::Relaxed), 10);
}

#[test]
fn dropping_a_domain_runs_what_was_deferred() {
    let ran = Arc::new(AtomicUsize::new(0));
    let domain = Domain::new();
    for _ in 0..5_000 {
        let ran = Arc::clone(&ran);
        domain.defer(move || {
            ran.fetch_add(1, Ordering::Relaxed);
        });
    }
    drop(domain);
    assert_eq!((ran.load(Ordering::Relaxed), Arc::strong_count(&ran)), (5_000, 1));
}
