//! The stage of one flavor: what is published, who reads and writes it, and what they saw.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{array, env, io, thread};

use rcu_core::{Domain, Flavor};

use crate::element::{Element, PIPE_LEN};
use crate::forks::IN_CHILD;
use crate::{forks, readers, signals, writers};

/// More than all writers together hold in their hands.
const ELEMENTS: usize = 500;

/// The torturers of one flavor share two processors already.
static ALONE: Mutex<()> = Mutex::new(());

pub trait Tortured: Flavor + Copy + Send + Sync + 'static {}
impl<F: Flavor + Copy + Send + Sync + 'static> Tortured for F {}

pub struct Stage<F: Tortured> {
    pub flavor: F,
    /// What more the flavor can do: polled grace periods, handles, QSBR readers, signals, forks.
    pub domain: Option<&'static Domain>,
    current: AtomicPtr<Element<F>>,
    pool: Mutex<Vec<&'static Element<F>>>,
    stop: AtomicBool,
    pub seen: Seen,
}

/// What happened.
#[derive(Default)]
pub struct Seen {
    /// How many elements were seen at each age by the end of their sections.
    ages: [AtomicU64; PIPE_LEN + 1],
    /// How many were seen whose payload was written meanwhile.
    torn: AtomicU64,
    pub replaced: AtomicU64,
    pub threads: AtomicU64,
    pub signals: AtomicU64,
    pub forks: AtomicU64,
    /// Forks whose child did not come to its end.
    pub lost_children: AtomicU64,
}

pub fn torture<F: Tortured>(name: &str, flavor: F, domain: Option<&'static Domain>) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let stage = Stage::new(flavor, domain);
    let until = Instant::now() + seconds();
    thread::scope(|scope| {
        for number in 0..2 {
            scope.spawn(move || readers::sections(stage, number));
            scope.spawn(move || writers::writer(stage, number));
            scope.spawn(move || writers::fake_writer(stage, number));
        }
        scope.spawn(|| readers::threads_that_come_and_go(stage));
        if let Some(domain) = domain {
            scope.spawn(|| readers::handle(stage, domain));
            scope.spawn(|| readers::qsbr(stage, domain));
            scope.spawn(|| signals::interrupt_readers(stage));
            scope.spawn(|| forks::fork_often(stage));
        }
        while Instant::now() < until && stage.seen.bad() == 0 {
            thread::sleep(Duration::from_millis(20));
        }
        stage.stop.store(true, Ordering::Relaxed);
    });
    stage.clear_away();
    stage.report(name);
}

fn seconds() -> Duration {
    let seconds =
        env::var("RCU_TORTURE_SECONDS").map(|seconds| seconds.parse().expect("RCU_TORTURE_SECONDS is a number"));
    Duration::from_secs_f64(seconds.unwrap_or(0.5))
}

impl<F: Tortured> Stage<F> {
    fn new(flavor: F, domain: Option<&'static Domain>) -> &'static Self {
        let stage: &'static Self = Box::leak(Box::new(Self {
            flavor,
            domain,
            current: AtomicPtr::default(),
            pool: Mutex::default(),
            stop: AtomicBool::new(false),
            seen: Seen::default(),
        }));
        let elements: Vec<_> = (0..ELEMENTS).map(|_| Element::new(stage)).collect();
        stage.pool.lock().unwrap().extend(elements.leak().iter());
        assert!(stage.replace().is_none());
        stage
    }

    pub fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// The element that is published now. Only inside a section, and to be looked at before its end.
    pub fn current(&self) -> Held<F> {
        // SAFETY: something is always published, and elements live for ever.
        let element = unsafe { &*self.current.load(Ordering::Acquire) };
        Held { element, life: element.life() }
    }

    /// Publishes an element from the pool, if one is left, and takes what was published before.
    pub fn replace(&self) -> Option<&'static Element<F>> {
        let new = self.pool.lock().unwrap().pop()?;
        new.renew();
        let old = self.current.swap(std::ptr::from_ref(new).cast_mut(), Ordering::AcqRel);
        self.seen.replaced.fetch_add(1, Ordering::Relaxed);
        // SAFETY: null for the first time, or an element, which live for ever.
        let old: &'static Element<F> = unsafe { old.as_ref() }?;
        old.grow_older();
        Some(old)
    }

    /// Puts an element back into the pool; not in a forked child, where a thread that is gone may have locked it.
    pub fn give_back(&self, element: &'static Element<F>) {
        if !IN_CHILD.load(Ordering::Relaxed) {
            self.pool.lock().unwrap().push(element);
        }
    }

    /// Every element must come back to the pool in the end, but for the one that is published.
    fn clear_away(&self) {
        for _ in 0..PIPE_LEN {
            self.flavor.barrier();
        }
        let mut pool: Vec<_> = self.pool.lock().unwrap().iter().map(|element| std::ptr::from_ref(*element)).collect();
        pool.sort();
        pool.dedup();
        assert_eq!(pool.len(), ELEMENTS - 1, "callbacks were lost, or ran twice");
    }

    fn report(&self, name: &str) {
        let seen = &self.seen;
        let ages: [u64; PIPE_LEN + 1] = array::from_fn(|age| seen.ages[age].load(Ordering::Relaxed));
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (replaced, threads) = (count(&seen.replaced), count(&seen.threads));
        let (signals, forks) = (count(&seen.signals), count(&seen.forks));
        let mut report =
            format!("{name}: ages {ages:?}, {replaced} replaced, {threads} threads, {signals} signals, {forks} forks");
        if let Some(domain) = self.domain {
            report += &format!(", {} grace periods", domain.grace_periods());
        }
        // Not `println!`, which the test harness keeps to itself.
        io::stdout().write_all(format!("{report}\n").as_bytes()).unwrap();
        assert_eq!(seen.bad(), 0, "reclaimed under a reader: {report}");
        assert_eq!(count(&seen.lost_children), 0, "a forked child failed: {report}");
        assert!(ages[0] > 0 && ages[1] > 0 && replaced > 1 && threads > 0, "nothing was tortured: {report}");
        assert!(self.domain.is_none() || signals > 0 && forks > 0, "nothing was interrupted: {report}");
    }
}

/// An element that a section holds, and in which of its lives.
pub struct Held<F: Tortured> {
    element: &'static Element<F>,
    life: u64,
}

impl<F: Tortured> Held<F> {
    /// What a section sees of its element; the same as ever, unless RCU fails.
    pub fn look(&self, seen: &Seen) {
        let age = self.element.age();
        seen.ages[age.min(PIPE_LEN)].fetch_add(1, Ordering::Relaxed);
        // An old one is not touched any more than is needed to tell.
        if self.element.life() != self.life || age < 2 && !self.element.is_whole() {
            seen.torn.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Seen {
    /// How many sections held what a grace period had passed over.
    pub fn bad(&self) -> u64 {
        let old = self.ages[2..].iter().map(|seen| seen.load(Ordering::Relaxed)).sum::<u64>();
        old + self.torn.load(Ordering::Relaxed)
    }
}

/// Small random numbers, quick and the same in each run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: usize) -> Self {
        Self(seed as u64 + 1)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Most often nothing or little, sometimes a turn of the scheduler, rarely a sleep.
    pub fn delay(&mut self) {
        match self.below(200) {
            0 => thread::sleep(Duration::from_micros(self.below(1_500))),
            1..=4 => thread::yield_now(),
            5..=60 => (0..self.below(2_000)).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
    }
}
