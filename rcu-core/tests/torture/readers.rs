//! Readers: nested and delayed, through handles and quiescent states, and on threads that come and go.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rcu_core::Domain;

use crate::signals::Interruptible;
use crate::stage::{Random, Stage, Tortured};

/// Sections that a thread enters without having registered by hand.
pub fn sections<F: Tortured>(stage: &'static Stage<F>, number: usize) {
    let mut random = Random::new(number);
    section(stage, &mut random);
    let _interruptible = Interruptible::new();
    while stage.goes_on() {
        section(stage, &mut random);
    }
}

/// One section, and sometimes others in it, which do not end in order.
pub fn section<F: Tortured>(stage: &Stage<F>, random: &mut Random) {
    let outer = stage.flavor.read_lock();
    let first = stage.current();
    random.delay();
    if random.below(4) == 0 {
        let inner = stage.flavor.read_lock();
        let second = stage.current();
        random.delay();
        first.look(&stage.seen);
        if random.below(2) == 0 {
            drop(outer);
            random.delay();
            first.look(&stage.seen);
            second.look(&stage.seen);
            drop(inner);
            return;
        }
        second.look(&stage.seen);
        drop(inner);
        second.look(&stage.seen);
        random.delay();
    }
    first.look(&stage.seen);
    drop(outer);
}

pub fn handle<F: Tortured>(stage: &'static Stage<F>, domain: &'static Domain) {
    let mut random = Random::new(10);
    section(stage, &mut random);
    let _interruptible = Interruptible::new();
    while stage.goes_on() {
        let mut reader = domain.handle();
        for _ in 0..random.below(1_000) {
            let guard = reader.read_lock();
            let held = stage.current();
            random.delay();
            held.look(&stage.seen);
            drop(guard);
        }
    }
}

pub fn qsbr<F: Tortured>(stage: &'static Stage<F>, domain: &'static Domain) {
    let mut random = Random::new(20);
    section(stage, &mut random);
    let _interruptible = Interruptible::new();
    while stage.goes_on() {
        let mut reader = domain.register();
        for _ in 0..random.below(1_000) {
            let guard = reader.read_lock();
            let held = stage.current();
            random.delay();
            if random.below(8) == 0 {
                section(stage, &mut random);
            }
            held.look(&stage.seen);
            let _ = guard;
            match random.below(100) {
                0 => reader.synchronize(),
                1 => reader.offline(|| thread::sleep(Duration::from_micros(100))),
                2..=50 => reader.quiescent_state(),
                _ => {}
            }
        }
    }
}

/// Threads that register, read a little in one way or another, and end.
pub fn threads_that_come_and_go<F: Tortured>(stage: &'static Stage<F>) {
    let mut seed = 30;
    while stage.goes_on() {
        thread::scope(|scope| {
            for _ in 0..4 {
                seed += 1;
                scope.spawn(move || a_short_life(stage, seed));
            }
        });
    }
}

fn a_short_life<F: Tortured>(stage: &'static Stage<F>, seed: usize) {
    let mut random = Random::new(seed);
    for _ in 0..random.below(20) {
        section(stage, &mut random);
    }
    if let Some(domain) = stage.domain {
        let (mut handle, reader) = (domain.handle(), domain.register());
        let guard = handle.read_lock();
        let held = stage.current();
        random.delay();
        held.look(&stage.seen);
        drop(guard);
        // Online since before the element was found.
        random.delay();
        held.look(&stage.seen);
        drop(reader);
    }
    stage.seen.threads.fetch_add(1, Ordering::Relaxed);
}
