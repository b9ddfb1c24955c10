//! What waits for a grace period before it runs: a queue that its callers work off themselves, bounded in length.
//!
//! Pushing is lock-free. Every so often a caller looks whether the batch that was set aside has had its grace period, runs it, and sets
//! the next one aside; it does not wait. At the bound it waits: for a grace period, and for whoever works the queue off already.

use core::ptr::{NonNull, null_mut};

use crate::flavor::{Callback, RcuHead};
use crate::sync::{AtomicPtr, AtomicUsize, Condvar, Mutex, Ordering, lock, thread_token, wait, yield_now};

/// How many callbacks may wait, unless the domain says otherwise.
pub(crate) const BOUND: usize = 16_384;
/// A grace period is started for at least so many callbacks, unless the bound is near.
const BATCH: usize = 1_024;

/// The grace periods that a queue waits for.
pub(crate) trait Polled {
    /// A grace period that was started.
    type Cookie: Clone;

    fn start(&self) -> Self::Cookie;
    fn poll(&self, cookie: &Self::Cookie) -> bool;
    fn synchronize(&self);
    /// Whether the calling thread is in a section, so that it cannot wait for a grace period.
    fn in_section(&self) -> bool;
}

/// The queue.
///
/// # Invariants
///
/// - `newest` and `State::aside` lead over heads that were pushed, each once, and that have not run.
/// - Only the thread that `State::worker` names takes heads out.
pub(crate) struct Callbacks<C> {
    newest: AtomicPtr<RcuHead>,
    unreclaimed: AtomicUsize,
    bound: AtomicUsize,
    state: Mutex<State<C>>,
    changed: Condvar,
}

pub(crate) struct State<C> {
    worker: Option<usize>,
    /// What waits for a grace period, and for which one if it was started already.
    aside: Batch,
    cookie: Option<C>,
}

impl<C: Clone> Callbacks<C> {
    pub(crate) fn new() -> Self {
        Self {
            newest: AtomicPtr::new(null_mut()),
            unreclaimed: AtomicUsize::new(0),
            bound: AtomicUsize::new(BOUND),
            state: Mutex::new(State { worker: None, aside: Batch::EMPTY, cookie: None }),
            changed: Condvar::new(),
        }
    }

    /// How many callbacks wait or are being run.
    pub(crate) fn unreclaimed(&self) -> usize {
        self.unreclaimed.load(Ordering::Relaxed)
    }

    pub(crate) fn bound(&self) -> usize {
        self.bound.load(Ordering::Relaxed)
    }

    pub(crate) fn set_bound(&self, bound: usize) {
        self.bound.store(bound.max(1), Ordering::Relaxed);
        // Whoever waits for its turn looks at the bound again; under the lock, so that nobody is just about to wait.
        let _state = lock(&self.state);
        self.changed.notify_all();
    }

    /// Whether the next [`call`](Callbacks::call) must wait.
    pub(crate) fn is_full(&self) -> bool {
        self.unreclaimed() >= self.bound()
    }

    /// Queues a callback, and does a part of the work on the queue.
    ///
    /// # Safety
    ///
    /// As [`Flavor::call`](crate::Flavor::call), where `rcu` are the flavor's grace periods.
    pub(crate) unsafe fn call(&self, rcu: &impl Polled<Cookie = C>, head: NonNull<RcuHead>, callback: Callback) {
        let unreclaimed = self.unreclaimed.fetch_add(1, Ordering::Relaxed) + 1;
        // SAFETY: the head is this queue's alone (contract).
        unsafe { self.push(head, callback) };
        let bound = self.bound();
        if unreclaimed >= bound {
            self.help(rcu);
        } else if unreclaimed % BATCH.min(bound.div_ceil(4)) == 0 {
            self.advance(rcu);
        }
    }

    /// Waits until the queue is below its bound, working on it. Does not wait in a section or in a callback: it would wait for itself.
    #[cold]
    pub(crate) fn help(&self, rcu: &impl Polled<Cookie = C>) {
        if rcu.in_section() {
            return self.advance(rcu);
        }
        while self.is_full() {
            let Some(turn) = self.wait_for_turn(|| self.is_full()) else { return };
            if !turn.flush(rcu) {
                // What fills the queue was counted by its writers, which are about to push it.
                yield_now();
            }
        }
    }

    /// Runs all callbacks that were queued before the call, and waits for those that another thread is running.
    pub(crate) fn barrier(&self, rcu: &impl Polled<Cookie = C>) {
        assert!(!rcu.in_section(), "barrier() inside a read-side critical section of the same thread");
        let turn = self.wait_for_turn(|| true).expect("barrier() inside a callback, which it would wait for");
        turn.flush(rcu);
    }

    /// Runs all callbacks at once.
    ///
    /// # Safety
    ///
    /// There is no reader, nor will there be one.
    #[cfg(any(feature = "membarrier", feature = "qsbr"))]
    pub(crate) unsafe fn run_without_readers(&self) {
        loop {
            let turn = self.wait_for_turn(|| true).expect("nobody else uses the queue");
            if !turn.set_all_aside() {
                return;
            }
            turn.run(turn.take_aside());
        }
    }

    /// Runs the batch that was set aside if its grace period has passed, and sets the next one aside. Does not wait.
    fn advance(&self, rcu: &impl Polled<Cookie = C>) {
        let Ok(mut state) = self.state.try_lock() else { return };
        if state.worker.is_some() {
            return;
        }
        state.worker = Some(thread_token());
        let (cookie, waits) = (state.cookie.clone(), !state.aside.is_empty());
        drop(state);
        let turn = Turn { queue: self };
        let due = match cookie {
            Some(cookie) if !rcu.poll(&cookie) => return,
            // The batch has lost its grace period to a fork, and gets another one.
            None if waits => Batch::EMPTY,
            _ => turn.set_next_aside(),
        };
        let cookie = rcu.start();
        lock(&self.state).cookie = Some(cookie);
        turn.run(due);
    }

    /// Becomes the worker, after the one that is it now; not when `needed` does not hold any more, or for a worker's own callback.
    fn wait_for_turn(&self, needed: impl Fn() -> bool) -> Option<Turn<'_, C>> {
        let me = thread_token();
        let mut state = lock(&self.state);
        while needed() && state.worker != Some(me) {
            if state.worker.is_none() {
                state.worker = Some(me);
                return Some(Turn { queue: self });
            }
            state = wait(&self.changed, state);
        }
        None
    }

    /// # Safety
    ///
    /// As [`call`](Callbacks::call).
    unsafe fn push(&self, head: NonNull<RcuHead>, callback: Callback) {
        // SAFETY: the head is valid and this queue's alone (contract).
        unsafe { head.as_ref().set_callback(callback) };
        let mut next = self.newest.load(Ordering::Relaxed);
        loop {
            // SAFETY: as above, since it is not linked yet.
            unsafe { head.as_ref().set_next(next) };
            // Release hands over the head, and with it all that came before the call.
            match self.newest.compare_exchange_weak(next, head.as_ptr(), Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(newer) => next = newer,
            }
        }
    }

    /// The short lock, for who must keep it over a fork.
    #[cfg(all(not(loom), any(feature = "membarrier", feature = "qsbr")))]
    pub(crate) fn state(&self) -> crate::sync::MutexGuard<'_, State<C>> {
        lock(&self.state)
    }

    /// In the child of a fork, where the calling thread alone lives on; `state` was locked before the fork.
    ///
    /// What another thread was running is lost to the child.
    #[cfg(all(not(loom), any(feature = "membarrier", feature = "qsbr")))]
    pub(crate) fn after_fork(&self, state: &mut State<C>) {
        if state.worker == Some(thread_token()) {
            return;
        }
        state.worker = None;
        state.cookie = None;
        let newest = Batch(self.newest.load(Ordering::Relaxed));
        self.unreclaimed.store(newest.heads().count() + state.aside.heads().count(), Ordering::Relaxed);
    }
}

/// The right to take heads out, until it is dropped.
struct Turn<'a, C> {
    queue: &'a Callbacks<C>,
}

impl<C: Clone> Turn<'_, C> {
    /// Waits for a grace period and runs all that was queued before; false where nothing was.
    fn flush(self, rcu: &impl Polled<Cookie = C>) -> bool {
        if !self.set_all_aside() {
            return false;
        }
        rcu.synchronize();
        self.run(self.take_aside());
        true
    }

    /// Takes what was set aside before, and sets aside all that was queued since.
    fn set_next_aside(&self) -> Batch {
        let mut state = lock(&self.queue.state);
        state.cookie = None;
        let next = self.take_newest();
        core::mem::replace(&mut state.aside, next)
    }

    /// Sets aside all that was queued since as well; whether there is anything. What waits stays in the queue's own hands, so that a
    /// fork does not lose it.
    fn set_all_aside(&self) -> bool {
        let mut state = lock(&self.queue.state);
        state.cookie = None;
        let older = state.aside.take();
        state.aside = self.take_newest().followed_by(older);
        !state.aside.is_empty()
    }

    fn take_aside(&self) -> Batch {
        lock(&self.queue.state).aside.take()
    }

    fn take_newest(&self) -> Batch {
        // Acquire pairs with the Release of `push`.
        Batch(self.queue.newest.swap(null_mut(), Ordering::Acquire))
    }

    fn run(&self, due: Batch) {
        let mut ran = 0;
        for head in due.heads() {
            // SAFETY: the head was pushed with a callback, runs this once (invariant of `Callbacks`), and its grace period has passed.
            unsafe { RcuHead::run(head) };
            ran += 1;
        }
        self.queue.unreclaimed.fetch_sub(ran, Ordering::Relaxed);
    }
}

impl<C> Drop for Turn<'_, C> {
    fn drop(&mut self) {
        lock(&self.queue.state).worker = None;
        self.queue.changed.notify_all();
    }
}

/// Heads that are linked to one another, the newest first.
struct Batch(*mut RcuHead);

// SAFETY: heads may be used on any thread (contract of `Flavor::call`).
unsafe impl Send for Batch {}

impl Batch {
    const EMPTY: Self = Self(null_mut());

    fn is_empty(&self) -> bool {
        self.0.is_null()
    }

    fn take(&mut self) -> Self {
        core::mem::replace(self, Self::EMPTY)
    }

    /// The heads; each is left before it is given out.
    fn heads(&self) -> impl Iterator<Item = NonNull<RcuHead>> {
        let mut at = self.0;
        core::iter::from_fn(move || {
            let head = NonNull::new(at)?;
            // SAFETY: heads of a batch are valid (invariant of `Callbacks`).
            at = unsafe { head.as_ref().next() };
            Some(head)
        })
    }

    fn followed_by(self, older: Self) -> Self {
        match self.heads().last() {
            None => older,
            Some(last) => {
                // SAFETY: the last head is valid and this batch's alone.
                unsafe { last.as_ref().set_next(older.0) };
                self
            }
        }
    }
}
