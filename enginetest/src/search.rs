//! Many programs on both, by several hosts at once, and the failing one made as short as it gets.

use std::num::NonZero;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::compare::{self, Difference};
use crate::generate::programs;
use crate::kernel::{Kernel, NotRoot};
use crate::program::Program;
use crate::trace::{Outcome, Trace};

/// How many steps a program has at most.
const STEPS: usize = 20;

/// How many attempts are made to shorten a program, and for how long.
const SHORTENING: (u32, Duration) = (3000, Duration::from_secs(120));

/// Which programs are run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What they are made from: the same ones each time.
    pub seed: u64,
    /// The number of the first.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// No new one is begun after that.
    pub deadline: Option<Instant>,
}

/// What was run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Programs.
    pub programs: u64,
    /// Calls.
    pub calls: u64,
    /// Calls that slept.
    pub slept: u64,
    /// Calls that were woken by others.
    pub woken: u64,
    /// Calls after which there was something to be undone.
    pub undo: u64,
    /// Calls that failed.
    pub failed: u64,
}

impl Seen {
    fn add(&mut self, trace: &Trace) {
        self.programs += 1;
        for event in &trace.events {
            self.calls += 1;
            self.woken += event.woken.len() as u64;
            self.undo += u64::from(event.world.undo.as_ref().is_some_and(|undo| !undo.is_empty()));
            match event.outcome {
                Outcome::Asleep => self.slept += 1,
                Outcome::Answered(Err(_)) => self.failed += 1,
                Outcome::Answered(Ok(_)) => {}
            }
        }
    }
}

/// A program on which the engine is not as the kernel.
#[derive(Debug)]
pub struct Found {
    /// Its number.
    pub number: u64,
    /// As short as it was made.
    pub program: Program,
    /// What differs.
    pub difference: Difference,
}

/// How a search ended.
#[derive(Debug)]
pub enum Ended {
    /// All are the same.
    Same {
        /// What was run.
        seen: Seen,
        /// Why undo lists were not read, but seen by the ends of processes only.
        no_undo: Option<String>,
    },
    /// One is not.
    Different(Box<Found>),
    /// Nothing can be run here: it takes root.
    NotRoot,
}

/// Runs programs until one differs. `host` is the program for [`Kernel::start`]; `progress` is told from time to time.
pub fn search(host: &Path, plan: Plan, progress: impl Fn(Seen) + Sync) -> Result<Ended> {
    let jobs = thread::available_parallelism().map_or(2, NonZero::get);
    let mut kernels = Vec::new();
    for _ in 0..jobs {
        match Kernel::start(host)? {
            Ok(kernel) => kernels.push(kernel),
            Err(NotRoot) => return Ok(Ended::NotRoot),
        }
    }
    let no_undo = kernels.iter().find_map(Kernel::no_undo).map(ToOwned::to_owned);
    let (next, stop) = (AtomicU64::new(plan.first), AtomicBool::new(false));
    let seen = Mutex::new(Seen::default());
    let work = |mut kernel: Kernel| -> Result<Option<Found>> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let over = plan.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if over || number - plan.first >= plan.count || stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let ran = run(plan.seed, number, &mut kernel, &seen, &progress);
            if !matches!(ran, Ok(None)) {
                stop.store(true, Ordering::Relaxed);
                return ran;
            }
        }
    };
    let found = thread::scope(|scope| {
        let threads: Vec<_> = kernels.into_iter().map(|kernel| scope.spawn(|| work(kernel))).collect();
        let ended: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("a search does not panic")).collect();
        ended.into_iter().collect::<Result<Vec<_>>>()
    })?;
    let seen = *seen.lock().expect("nobody panics with it");
    Ok(match found.into_iter().flatten().min_by_key(|found| found.number) {
        Some(found) => Ended::Different(Box::new(found)),
        None => Ended::Same { seen, no_undo },
    })
}

/// Makes and runs one; what it was shortened to where it differs.
fn run(
    seed: u64,
    number: u64,
    kernel: &mut Kernel,
    seen: &Mutex<Seen>,
    progress: &impl Fn(Seen),
) -> Result<Option<Found>> {
    let mut tree = programs(STEPS).new_tree(&mut runner(seed, number)).expect("nothing is rejected");
    let program = tree.current();
    let in_program = || format!("seed {seed}, program {number}: {program:?}");
    let mut difference = match compare::run(&program, kernel).with_context(in_program)? {
        Ok(trace) => {
            let seen = {
                let mut seen = seen.lock().expect("nobody panics with it");
                seen.add(&trace);
                *seen
            };
            progress(seen);
            return Ok(None);
        }
        Err(difference) => difference,
    };
    let mut shortest = program.clone();
    let (attempts, time) = SHORTENING;
    let deadline = Instant::now() + time;
    let mut simpler = tree.simplify();
    for _ in 0..attempts {
        if !simpler || Instant::now() >= deadline {
            break;
        }
        let program = tree.current();
        simpler = match compare::run(&program, kernel)? {
            Err(still) => {
                (shortest, difference) = (program, still);
                tree.simplify()
            }
            Ok(_) => tree.complicate(),
        };
    }
    Ok(Some(Found { number, program: shortest, difference }))
}

/// The source of one program's numbers, which does not depend on those of others.
fn runner(seed: u64, number: u64) -> TestRunner {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    // An odd factor, so that neighbours have nothing in common, and never all zeros, which the generator does not take.
    bytes[8..].copy_from_slice(&(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_le_bytes());
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::XorShift, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(seed: u64, number: u64) -> Program {
        programs(STEPS).new_tree(&mut runner(seed, number)).unwrap().current()
    }

    #[test]
    fn a_seed_gives_the_same_programs() {
        for number in 0..100 {
            assert_eq!(program(1, number), program(1, number));
        }
        assert_ne!(program(1, 0), program(2, 0));
        assert_ne!(program(1, 0), program(1, 1));
    }
}
