//! Writers, which replace what is published and let it grow old in every way that a grace period can be had; and those that only ask for
//! grace periods.

use std::thread;

use crate::element::Element;
use crate::stage::{Random, Stage, Tortured};

pub fn writer<F: Tortured>(stage: &'static Stage<F>, number: usize) {
    let mut random = Random::new(100 + number);
    // What this thread removed and sees through itself: `rcu_torture_pipe_update()`.
    let mut removed: Vec<&'static Element<F>> = Vec::new();
    while stage.goes_on() {
        random.delay();
        let old = stage.replace();
        match (old, random.below(3)) {
            (Some(old), 0) => {
                old.grow_old();
                // Waits for callbacks, and is no grace period.
                if random.below(8) == 0 {
                    stage.flavor.barrier();
                }
            }
            (old, _) => {
                removed.extend(old);
                a_grace_period(stage, &mut random);
                grow_older(stage, &mut removed);
            }
        }
    }
    while !removed.is_empty() {
        stage.flavor.synchronize();
        grow_older(stage, &mut removed);
    }
}

fn grow_older<F: Tortured>(stage: &Stage<F>, removed: &mut Vec<&'static Element<F>>) {
    removed.retain(|element| {
        let old = element.grow_older();
        if old {
            stage.give_back(element);
        }
        !old
    });
}

fn a_grace_period<F: Tortured>(stage: &Stage<F>, random: &mut Random) {
    match (stage.domain, random.below(2)) {
        (Some(domain), 0) => {
            let cookie = domain.start_poll();
            while !domain.poll(&cookie) {
                thread::yield_now();
            }
        }
        _ => stage.flavor.synchronize(),
    }
}

/// `rcu_torture_fakewriter()`: more who want grace periods at the same time.
pub fn fake_writer<F: Tortured>(stage: &'static Stage<F>, number: usize) {
    let mut random = Random::new(200 + number);
    while stage.goes_on() {
        random.delay();
        match random.below(8) {
            0 => stage.flavor.barrier(),
            1..=3 => stage.flavor.defer(|| ()),
            _ => a_grace_period(stage, &mut random),
        }
    }
}
