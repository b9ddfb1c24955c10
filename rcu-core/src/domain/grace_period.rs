//! Grace periods: numbered, shared by all who wait at the same time, and polled by who does not want to wait.
//!
//! A grace period is one number more, one barrier on all threads, and one look at every reader's slot. Numbers never repeat (48 bits at
//! one a microsecond last nine years), so a single pass does; there is no phase to flip twice.

use core::ptr::NonNull;
#[cfg(not(loom))]
use std::time::{Duration, Instant};

use crate::domain::barrier::Strategy;
use crate::domain::registry::Registry;
use crate::domain::slot::{Id, Slot, section_of};
#[cfg(not(loom))]
use crate::domain::stall::Stall;
use crate::domain::stall::StallHook;
use crate::sync::{AtomicU64, Condvar, Mutex, Ordering, lock, thread_token, wait};

/// The grace periods and the readers of one domain.
///
/// # Invariants
///
/// What `newest` leads to is `section_of(state.started)` and written under the lock of `state`.
pub(crate) struct GracePeriods {
    own: Line<AtomicU64>,
    registry: Registry,
    pub(crate) strategy: Strategy,
    state: Mutex<State>,
    changed: Condvar,
}

/// Keeps what readers load apart from what updaters write.
#[repr(align(128))]
struct Line<T>(T);

/// The newest word of the process-wide domain, at an address that its readers know.
#[cfg(all(feature = "membarrier", not(loom)))]
static OF_PROCESS: Line<AtomicU64> = Line(AtomicU64::new(section_of(0)));

#[cfg(all(feature = "membarrier", not(loom)))]
#[inline]
pub(crate) fn of_process() -> &'static AtomicU64 {
    &OF_PROCESS.0
}

pub(crate) struct State {
    started: u64,
    /// Every section that began before the grace period of this number has ended.
    completed: u64,
    /// The thread that sees a grace period through, for all who wait.
    driver: Option<usize>,
    pub(crate) stall: StallHook,
}

/// A grace period that was started and can be asked whether it has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(u64);

impl GracePeriods {
    pub(crate) fn new(domain: Id, strategy: Strategy, stall: StallHook) -> Self {
        Self {
            own: Line(AtomicU64::new(section_of(0))),
            registry: Registry::new(domain),
            strategy,
            state: Mutex::new(State { started: 0, completed: 0, driver: None, stall }),
            changed: Condvar::new(),
        }
    }

    /// The word of a section that begins now.
    fn newest(&self) -> &AtomicU64 {
        #[cfg(all(feature = "membarrier", not(loom)))]
        if self.registry.domain == crate::domain::MEMBARRIER_ID {
            return of_process();
        }
        &self.own.0
    }

    /// Claims a slot for the calling thread, which releases it.
    pub(crate) fn claim(&self) -> &Slot {
        // SAFETY: the registry is a field of `self`, as `newest` is if it is no static, and `self` does not move: see `Core`.
        unsafe { self.registry.claim(NonNull::from(self.newest()), self.strategy == Strategy::Fence) }
    }

    /// Whether the slot is a reader's of this domain.
    #[inline]
    pub(crate) fn owns(&self, slot: &Slot) -> bool {
        slot.domain() == self.registry.domain
    }

    /// Whether the calling thread is in a section of this domain.
    pub(crate) fn in_section(&self) -> bool {
        let me = thread_token();
        self.registry.slots().any(|slot| slot.is_entered_by(me))
    }

    /// Starts a grace period and does not wait for it.
    pub(crate) fn start(&self) -> Number {
        let number = self.begin(&mut lock(&self.state));
        self.strategy.heavy();
        number
    }

    /// Whether a grace period that was started has passed.
    pub(crate) fn poll(&self, number: Number) -> bool {
        if lock(&self.state).completed >= number.0 {
            return true;
        }
        let passed = !self.registry.slots().any(|slot| holds_back(slot, number));
        if passed {
            self.complete(number);
        }
        passed
    }

    /// Waits for a grace period that starts after the call: one of its own, or one that another caller sees through.
    pub(crate) fn synchronize(&self) {
        assert!(!self.in_section(), "synchronize() inside a read-side critical section of the same thread");
        let me = thread_token();
        let mut state = lock(&self.state);
        assert!(state.driver != Some(me), "synchronize() inside a stall hook, which it would wait for");
        // The newest one may have looked at the readers before what the caller unlinked; the next one has not begun.
        let wanted = state.started + 1;
        while state.completed < wanted {
            if state.driver.is_some() {
                state = wait(&self.changed, state);
                continue;
            }
            state.driver = Some(me);
            let number = self.begin(&mut state);
            let stall = state.stall;
            drop(state);
            let driving = Driving(self);
            self.strategy.heavy();
            self.wait_for_readers(number, stall);
            self.complete(number);
            drop(driving);
            state = lock(&self.state);
        }
    }

    /// How many grace periods have completed or are behind one that has.
    pub(crate) fn completed(&self) -> u64 {
        lock(&self.state).completed
    }

    pub(crate) fn state(&self) -> crate::sync::MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn begin(&self, state: &mut State) -> Number {
        state.started += 1;
        // INVARIANT: under the lock. Release pairs with the Acquire of a reader that begins under this number.
        self.newest().store(section_of(state.started), Ordering::Release);
        Number(state.started)
    }

    fn complete(&self, number: Number) {
        let mut state = lock(&self.state);
        state.completed = state.completed.max(number.0);
    }

    fn wait_for_readers(&self, number: Number, stall: StallHook) {
        for slot in self.registry.slots() {
            let mut patience = Patience::new(stall);
            while holds_back(slot, number) {
                patience.wait(slot);
            }
        }
    }

    /// In the child of a fork, where the calling thread alone lives on; `state` was locked before the fork.
    #[cfg(not(loom))]
    pub(crate) fn after_fork(&self, state: &mut State) {
        let me = thread_token();
        self.registry.slots().for_each(|slot| slot.after_fork(me, crate::domain::stall::tid()));
        state.driver = state.driver.filter(|driver| *driver == me);
    }
}

fn holds_back(slot: &Slot, number: Number) -> bool {
    cfg!(not(rcu_core_without_waiting)) && slot.holds_back(number.0)
}

/// Ends the driver's part, also when a stall hook panics.
struct Driving<'a>(&'a GracePeriods);

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).driver = None;
        self.0.changed.notify_all();
    }
}

/// Waits longer and longer: a section is most often some hundred nanoseconds, unless its thread was preempted.
///
/// It does not yield: a thread that always has something to do would keep the processor for its whole time slice.
#[cfg(not(loom))]
struct Patience {
    rounds: u32,
    since: Option<Instant>,
    told: u32,
    stall: StallHook,
}

#[cfg(not(loom))]
impl Patience {
    /// Some 25 microseconds.
    const SPINS: u32 = 2_000;
    const SHORTEST_SLEEP: Duration = Duration::from_micros(20);
    const LONGEST_SLEEP: Duration = Duration::from_millis(1);

    fn new(stall: StallHook) -> Self {
        Self { rounds: 0, since: None, told: 0, stall }
    }

    fn wait(&mut self, slot: &Slot) {
        self.rounds = self.rounds.saturating_add(1);
        let Some(sleeps) = self.rounds.checked_sub(Self::SPINS) else { return core::hint::spin_loop() };
        let waited = self.since.get_or_insert_with(Instant::now).elapsed();
        std::thread::sleep(Self::SHORTEST_SLEEP.saturating_mul(sleeps / 4 + 1).min(Self::LONGEST_SLEEP));
        if waited >= self.stall.after.saturating_mul(self.told + 1) {
            self.told = self.told.saturating_add(1);
            (self.stall.hook)(&Stall::of(slot.tid(), waited));
        }
    }
}

/// In a model time does not pass: the other threads run.
#[cfg(loom)]
struct Patience;

#[cfg(loom)]
impl Patience {
    fn new(_stall: StallHook) -> Self {
        Self
    }

    fn wait(&mut self, _slot: &Slot) {
        loom::thread::yield_now();
    }
}
