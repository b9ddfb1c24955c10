//! Operations that are done at once or sleep, and what wakes them, as `ipc/sem.c` has it: `perform_atomic_semop`, `update_queue`,
//! `do_smart_update`.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use lock_api::Mutex;
use seqfile_core::Errno;

use super::abi::{IPC_NOWAIT, SEM_UNDO, SEMAEM, SEMVMX, SemBuf};
use super::parking::Parking;
use super::set::{Locked, Set};
use super::storage::SemUndo;

/// What a call asks for, and who calls.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub ops: &'a [SemBuf],
    /// There where one of the operations has `SEM_UNDO`.
    pub undo: Option<&'a SemUndo>,
    pub pid: i32,
    /// Whether one of the operations changes a value.
    pub alter: bool,
    /// Whether two operations may be on one semaphore.
    pub duplicates: bool,
}

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// It cannot be done for the operation of this place.
    Blocked(usize),
    Failed(Errno),
}

const ASLEEP: i32 = -1;
const DONE: i32 = 0;

/// A call that sleeps: the kernel's `struct sem_queue`.
pub(super) struct Waiter<P: Parking> {
    /// How it ended: [`DONE`] or an error number; [`ASLEEP`] as long as it is in a queue.
    status: AtomicI32,
    /// Who waits for that.
    thread: Mutex<P::RawMutex, Option<P::Thread>>,
    ops: Box<[SemBuf]>,
    undo: Option<Arc<SemUndo>>,
    pid: i32,
    pub alter: bool,
    duplicates: bool,
    /// The operation that it sleeps for.
    blocking: AtomicUsize,
}

impl<P: Parking> Waiter<P> {
    pub(super) fn new(call: &Call<'_>, undo: Option<Arc<SemUndo>>, blocking: usize) -> Self {
        Self {
            status: AtomicI32::new(ASLEEP),
            thread: Mutex::new(None),
            ops: call.ops.into(),
            undo,
            pid: call.pid,
            alter: call.alter,
            duplicates: call.duplicates,
            blocking: AtomicUsize::new(blocking),
        }
    }

    fn call(&self) -> Call<'_> {
        Call {
            ops: &self.ops,
            undo: self.undo.as_deref(),
            pid: self.pid,
            alter: self.alter,
            duplicates: self.duplicates,
        }
    }

    /// The semaphore of the first operation.
    pub(super) fn first(&self) -> usize {
        usize::from(self.ops[0].sem_num)
    }

    pub(super) fn is_simple(&self) -> bool {
        self.ops.len() == 1
    }

    /// The operation that it sleeps for.
    pub(super) fn blocking(&self) -> SemBuf {
        self.ops[self.blocking.load(Ordering::Relaxed)]
    }

    /// How the call ended; `None` as long as it sleeps.
    pub(super) fn result(&self) -> Option<Result<(), Errno>> {
        // Acquire: what was done on its behalf is seen by who it was done for (`SEM_BARRIER_2`).
        match self.status.load(Ordering::Acquire) {
            ASLEEP => None,
            number => Some(Errno::from_raw(number).map_or(Ok(()), Err)),
        }
    }

    /// Says that the calling thread waits for the end. It looks at the [`result`](Self::result) before it sleeps.
    pub(super) fn watch(&self) {
        *self.thread.lock() = Some(P::current());
    }

    /// Wakes who waits for the end, which has come. One that begins to wait later sees the end.
    fn wake(&self) {
        self.thread.lock().iter().for_each(P::unpark);
    }

    /// Ends the call, which is in no queue any more.
    pub(super) fn finish(&self, result: Result<(), Errno>) {
        self.status.store(result.err().map_or(DONE, Errno::get), Ordering::Release);
    }
}

/// Those whose calls have ended, to be woken when the locks are given back (`wake_up_q`).
pub(super) struct Woken<P: Parking>(Vec<Arc<Waiter<P>>>);

impl<P: Parking> Woken<P> {
    #[inline]
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn finish(&mut self, waiter: Arc<Waiter<P>>, result: Result<(), Errno>) {
        waiter.finish(result);
        self.0.push(waiter);
    }

    #[inline]
    pub(super) fn wake(self) {
        self.0.iter().for_each(|waiter| waiter.wake());
    }
}

/// Does a call, or nothing of it (`ipc/sem.c: perform_atomic_semop`). The semaphores are locked.
#[inline]
pub(super) fn perform<P: Parking, L>(set: &Set<P, L>, call: &Call<'_>) -> Outcome {
    if call.duplicates {
        return perform_slow(set, call);
    }
    for (place, op) in call.ops.iter().enumerate() {
        match check(set.sems[usize::from(op.sem_num)].value.load(Ordering::Relaxed), *op, call.undo) {
            Ok(_) => {}
            Err(refused) => return refused.outcome(place, *op),
        }
    }
    for op in call.ops {
        apply(set, *op, call.undo);
        set.sems[usize::from(op.sem_num)].pid.store(call.pid, Ordering::Relaxed);
    }
    Outcome::Done
}

/// The same where an operation may depend on another of the same call: one after the other, and back (`perform_atomic_semop_slow`).
#[cold]
fn perform_slow<P: Parking, L>(set: &Set<P, L>, call: &Call<'_>) -> Outcome {
    for (place, op) in call.ops.iter().enumerate() {
        match check(set.sems[usize::from(op.sem_num)].value.load(Ordering::Relaxed), *op, call.undo) {
            Ok(_) => apply(set, *op, call.undo),
            Err(refused) => {
                for done in call.ops[..place].iter().rev() {
                    revert(set, *done, call.undo);
                }
                return refused.outcome(place, *op);
            }
        }
    }
    for op in call.ops {
        set.sems[usize::from(op.sem_num)].pid.store(call.pid, Ordering::Relaxed);
    }
    Outcome::Done
}

pub(super) enum Refused {
    Blocks,
    OutOfRange,
}

impl Refused {
    fn outcome(self, place: usize, op: SemBuf) -> Outcome {
        match self {
            Self::OutOfRange => Outcome::Failed(Errno::ERANGE),
            // The flag of the operation that blocks decides.
            Self::Blocks if op.sem_flg & IPC_NOWAIT != 0 => Outcome::Failed(Errno::EAGAIN),
            Self::Blocks => Outcome::Blocked(place),
        }
    }
}

/// Whether an operation can be done to a value.
#[inline]
pub(super) fn check(value: i32, op: SemBuf, undo: Option<&SemUndo>) -> Result<(), Refused> {
    let result = value + i32::from(op.sem_op);
    if (op.sem_op == 0 && value != 0) || result < 0 {
        return Err(Refused::Blocks);
    }
    if result > SEMVMX {
        return Err(Refused::OutOfRange);
    }
    if op.sem_flg & SEM_UNDO != 0 {
        let adjustment = undo.map_or(0, |undo| undo.adjustment(op.sem_num)) - i32::from(op.sem_op);
        if !(-SEMAEM - 1..=SEMAEM).contains(&adjustment) {
            return Err(Refused::OutOfRange);
        }
    }
    Ok(())
}

#[inline]
pub(super) fn apply<P: Parking, L>(set: &Set<P, L>, op: SemBuf, undo: Option<&SemUndo>) {
    let value = &set.sems[usize::from(op.sem_num)].value;
    value.store(value.load(Ordering::Relaxed) + i32::from(op.sem_op), Ordering::Relaxed);
    if op.sem_flg & SEM_UNDO != 0 {
        undo.into_iter().for_each(|undo| undo.adjust(op.sem_num, op.sem_op.wrapping_neg()));
    }
}

fn revert<P: Parking, L>(set: &Set<P, L>, op: SemBuf, undo: Option<&SemUndo>) {
    let value = &set.sems[usize::from(op.sem_num)].value;
    value.store(value.load(Ordering::Relaxed) - i32::from(op.sem_op), Ordering::Relaxed);
    if op.sem_flg & SEM_UNDO != 0 {
        undo.into_iter().for_each(|undo| undo.adjust(op.sem_num, op.sem_op));
    }
}

/// A queue of a set.
#[derive(Clone, Copy)]
enum Place {
    /// The set's own.
    Set,
    /// One semaphore's.
    Sem(usize),
}

impl<P: Parking, L> Locked<'_, P, L> {
    /// Puts a call to sleep (`ipc/sem.c: __do_semtimedop`).
    pub(super) fn enqueue(&mut self, waiter: Arc<Waiter<P>>) {
        let set = self.set;
        if waiter.is_simple() {
            match self.shared().filter(|shared| waiter.alter && shared.complex != 0) {
                Some(shared) => shared.alter.push_back(waiter),
                None => self.with_queues(waiter.first(), |queues| {
                    if waiter.alter { &mut queues.alter } else { &mut queues.zero }.push_back(waiter);
                }),
            }
            return;
        }
        let shared = self.shared().expect("the set is locked for many operations");
        if shared.complex == 0 {
            // One queue for all that alter, so that they stay in order; each semaphore's goes in front (`merge_queues`).
            for sem in set.sems.iter().rev() {
                shared.alter.append(&mut sem.queues.lock().alter);
            }
        }
        if waiter.alter { &mut shared.alter } else { &mut shared.zero }.push_back(waiter);
        shared.complex += 1;
    }

    /// Takes a call out of whatever queue it is in (`unlink_queue`).
    pub(super) fn dequeue(&mut self, waiter: &Arc<Waiter<P>>) {
        let take = |queue: &mut super::set::Queue<P>| {
            let place = queue.iter().position(|other| Arc::ptr_eq(other, waiter));
            place.and_then(|place| queue.remove(place)).is_some()
        };
        if let Some(shared) = self.shared() {
            if take(&mut shared.alter) || take(&mut shared.zero) {
                shared.complex -= usize::from(!waiter.is_simple());
                return;
            }
        }
        self.with_queues(waiter.first(), |queues| take(&mut queues.alter) || take(&mut queues.zero));
    }

    /// The call at a place of a queue.
    fn peek(&mut self, alter: bool, queue: Place, at: usize) -> Option<Arc<Waiter<P>>> {
        match queue {
            Place::Set => {
                let shared = self.shared()?;
                if alter { &shared.alter } else { &shared.zero }.get(at).cloned()
            }
            Place::Sem(num) => {
                self.with_queues(num, |queues| if alter { &queues.alter } else { &queues.zero }.get(at).cloned())
            }
        }
    }

    fn take(&mut self, alter: bool, queue: Place, at: usize) {
        match queue {
            Place::Set => {
                let Some(shared) = self.shared() else { return };
                let taken = if alter { &mut shared.alter } else { &mut shared.zero }.remove(at);
                shared.complex -= usize::from(taken.is_some_and(|waiter| !waiter.is_simple()));
            }
            Place::Sem(num) => {
                self.with_queues(num, |queues| if alter { &mut queues.alter } else { &mut queues.zero }.remove(at));
            }
        }
    }

    /// Tries a sleeping call again; what blocks it may be another operation now.
    fn retry(&self, waiter: &Waiter<P>) -> Option<Result<(), Errno>> {
        match perform(self.set, &waiter.call()) {
            Outcome::Done => Some(Ok(())),
            Outcome::Failed(errno) => Some(Err(errno)),
            Outcome::Blocked(place) => {
                waiter.blocking.store(place, Ordering::Relaxed);
                None
            }
        }
    }

    /// Ends what waits for zero in a queue and can end (`wake_const_ops`). Answers whether a call was done.
    fn wake_zero(&mut self, queue: Place, woken: &mut Woken<P>) -> bool {
        let mut done = false;
        let mut at = 0;
        while let Some(waiter) = self.peek(false, queue, at) {
            match self.retry(&waiter) {
                None => at += 1,
                Some(result) => {
                    self.take(false, queue, at);
                    done |= result.is_ok();
                    woken.finish(waiter, result);
                }
            }
        }
        done
    }

    /// After operations, or after unknown ones: ends what waits for a zero that is there (`do_smart_wakeup_zero`).
    fn wake_zeros(&mut self, ops: Option<&[SemBuf]>, woken: &mut Woken<P>) -> bool {
        let set = self.set;
        let mut done = false;
        let mut zero = false;
        let mut look = |this: &mut Self, num: usize| {
            if set.sems[num].value.load(Ordering::Relaxed) == 0 {
                zero = true;
                done |= this.wake_zero(Place::Sem(num), woken);
            }
        };
        match ops {
            Some(ops) => ops.iter().for_each(|op| look(self, usize::from(op.sem_num))),
            None => (0..set.sems.len()).for_each(|num| look(self, num)),
        }
        if zero {
            done |= self.wake_zero(Place::Set, woken);
        }
        done
    }

    /// Ends what sleeps in a queue of altering calls and can end (`update_queue`). Answers whether a call was done.
    fn update_queue(&mut self, queue: Place, woken: &mut Woken<P>) -> bool {
        let set = self.set;
        let mut done = false;
        let mut at = 0;
        while let Some(waiter) = self.peek(true, queue, at) {
            // On one semaphore only decrements sleep, of which none can be done to 0.
            if matches!(queue, Place::Sem(num) if set.sems[num].value.load(Ordering::Relaxed) == 0) {
                break;
            }
            let Some(result) = self.retry(&waiter) else {
                at += 1;
                continue;
            };
            self.take(true, queue, at);
            let mut restart = false;
            if result.is_ok() {
                done = true;
                self.wake_zeros(Some(&waiter.ops), woken);
                // Whether one that was passed over could go on now (`check_restart`).
                restart = !waiter.is_simple() || self.shared().is_some_and(|shared| !shared.alter.is_empty());
            }
            woken.finish(waiter, result);
            if restart {
                at = 0;
            }
        }
        done
    }

    /// After a change: ends what can end, and notes the time of it (`do_smart_update`). `ops` are the operations that were done; `None` where
    /// any semaphore may have changed. `otime` notes the time in any case.
    #[inline]
    pub(super) fn update(&mut self, ops: Option<&[SemBuf]>, mut otime: bool, woken: &mut Woken<P>) {
        otime |= self.wake_zeros(ops, woken);
        if self.shared().is_some_and(|shared| !shared.alter.is_empty()) {
            otime |= self.update_queue(Place::Set, woken);
        } else if let Some(ops) = ops {
            for op in ops.iter().filter(|op| op.sem_op > 0) {
                otime |= self.update_queue(Place::Sem(usize::from(op.sem_num)), woken);
            }
        } else {
            for num in 0..self.set.sems.len() {
                otime |= self.update_queue(Place::Sem(num), woken);
            }
        }
        if otime {
            self.note_time(ops);
        }
    }

    /// `ipc/sem.c: set_semotime`
    #[inline]
    pub(super) fn note_time(&self, ops: Option<&[SemBuf]>) {
        let num = ops.map_or(0, |ops| usize::from(ops[0].sem_num));
        self.set.sems[num].otime.store(P::seconds(), Ordering::Relaxed);
    }

    /// How many sleep for a semaphore to grow, or to become zero (`count_semcnt`).
    pub(super) fn count(&mut self, num: usize, zero: bool) -> usize {
        let simple = self.with_queues(num, |queues| if zero { queues.zero.len() } else { queues.alter.len() });
        let Some(shared) = self.shared() else { return simple };
        let sleeps_on = |waiter: &&Arc<Waiter<P>>| {
            let op = waiter.blocking();
            usize::from(op.sem_num) == num && if zero { op.sem_op == 0 } else { op.sem_op < 0 }
        };
        let complex = shared.alter.iter().filter(sleeps_on).count();
        simple + complex + if zero { shared.zero.iter().filter(sleeps_on).count() } else { 0 }
    }
}
