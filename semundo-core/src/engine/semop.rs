//! `semop(2)` and `semtimedop(2)` (`ipc/sem.c: __do_semtimedop, find_alloc_undo`).

use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt;

use rcu_core::Flavor;
use seqfile_core::Errno;

use super::abi::{SEM_UNDO, SemBuf, Timespec};
use super::credentials::{S_IRUGO, S_IWUGO};
use super::namespace::State;
use super::parking::Parking;
use super::process::Process;
use super::queue::{Call, Outcome, Waiter, Woken, perform};
use super::set::Set;
use super::storage::{SemUndo, UndoStorage};
use crate::types::SemId;

/// What the operations of a call have in common.
struct Shape {
    /// The highest semaphore.
    max: u16,
    undo: bool,
    alter: bool,
    duplicates: bool,
}

impl Shape {
    #[inline]
    fn of(ops: &[SemBuf]) -> Self {
        let mut shape = Self { max: 0, undo: false, alter: false, duplicates: false };
        let mut altered = 0_u64;
        for op in ops {
            // One bit for many semaphores: it may say so where there are no duplicates, which costs time only.
            let bit = 1 << (op.sem_num % 64);
            shape.max = shape.max.max(op.sem_num);
            shape.undo |= op.sem_flg & SEM_UNDO != 0;
            shape.duplicates |= altered & bit != 0;
            if op.sem_op != 0 {
                shape.alter = true;
                altered |= bit;
            }
        }
        shape
    }
}

impl<F, P, L> Process<F, P, L>
where
    F: Flavor + Clone + Send + Sync + 'static,
    P: Parking,
    L: UndoStorage<F>,
{
    /// Does all operations at once, or sleeps until that can be: `semop(2)`.
    ///
    /// # Errors
    ///
    /// `E2BIG`: more operations than the limit. `EINVAL`: none, or there is no such set. `EFBIG`: the set has no such semaphore. `EACCES`: no
    /// permission. `ERANGE`: a value or an adjustment would leave its range. `EAGAIN`: the operation that cannot be done has
    /// [`IPC_NOWAIT`](super::IPC_NOWAIT). `EIDRM`: the set was removed. `EINTR`: [`interrupt`](Process::interrupt).
    #[inline]
    pub fn semop(&self, semid: SemId, ops: &[SemBuf]) -> Result<(), Errno> {
        match self.begin(semid, ops, None)? {
            None => Ok(()),
            Some(sleeping) => sleeping.wait(None),
        }
    }

    /// The same, and sleeps no longer than `timeout`: `semtimedop(2)`.
    ///
    /// # Errors
    ///
    /// As [`semop`](Self::semop), and `EAGAIN` once the time is over. `EINVAL`: the time is invalid.
    pub fn semtimedop(&self, semid: SemId, ops: &[SemBuf], timeout: Option<Timespec>) -> Result<(), Errno> {
        match self.begin(semid, ops, timeout)? {
            None => Ok(()),
            Some(sleeping) => {
                let deadline = timeout.and_then(Timespec::duration).and_then(P::deadline);
                sleeping.wait(deadline)
            }
        }
    }

    /// Begins `semop(2)` and does not sleep: where the call would, it stays in its queue and what stands for it is given. For those who have
    /// another way to wait, and for tests.
    ///
    /// # Errors
    ///
    /// As [`semop`](Self::semop).
    pub fn submit(&self, semid: SemId, ops: &[SemBuf]) -> Result<Option<Sleeping<F, P, L>>, Errno> {
        self.begin(semid, ops, None)
    }

    #[inline]
    fn begin(
        &self,
        semid: SemId,
        ops: &[SemBuf],
        timeout: Option<Timespec>,
    ) -> Result<Option<Sleeping<F, P, L>>, Errno> {
        if ops.len() > self.space.limits.semopm() as usize {
            return Err(Errno::E2BIG);
        }
        if ops.is_empty() || semid < 0 || timeout.is_some_and(|timeout| timeout.duration().is_none()) {
            return Err(Errno::EINVAL);
        }
        if let [op] = ops {
            let section = self.space.flavor.read_lock();
            if self.at_once(semid, *op, &section) {
                return Ok(None);
            }
        }
        let shape = Shape::of(ops);
        loop {
            let section = self.space.flavor.read_lock();
            if !shape.undo {
                return self.attempt(semid, ops, &shape, None, &section);
            }
            if let Some(list) = self.state.undo.dereference(&section) {
                if let Some(found) = list.entries.find(semid, &section) {
                    let entry: &Arc<SemUndo> = found.borrow();
                    list.note_use(entry);
                    return self.attempt(semid, ops, &shape, Some(entry), &section);
                }
            }
            drop(section);
            self.make_undo(semid)?;
        }
    }

    /// Does what most calls are: one operation that changes a semaphore which nobody sleeps on, and can be done. Answers whether it was;
    /// if not, nothing was.
    #[inline]
    fn at_once(&self, semid: SemId, op: SemBuf, section: &F::Guard<'_>) -> bool {
        let Ok(set) = self.space.set(semid, section) else { return false };
        let allowed = || set.permissions().allow(self.state.credentials.borrow(section), S_IWUGO);
        if op.sem_op == 0 || usize::from(op.sem_num) >= set.sems.len() || !allowed() {
            return false;
        }
        if op.sem_flg & SEM_UNDO == 0 {
            return set.change_idle(op, None, self.state.pid);
        }
        let Some(list) = self.state.undo.dereference(section) else { return false };
        let Some(found) = list.entries.find(semid, section) else { return false };
        let entry: &Arc<SemUndo> = found.borrow();
        list.note_use(entry);
        set.change_idle(op, Some(entry), self.state.pid)
    }

    /// Makes the undo entry for a set (`find_alloc_undo`).
    #[cold]
    fn make_undo(&self, semid: SemId) -> Result<(), Errno> {
        let set = self.space.keep_set(semid)?;
        let list = self.undo_list();
        let entry = Arc::new(SemUndo::new(semid, set.sems.len()));
        let section = self.space.flavor.read_lock();
        let mut shared = set.shared.lock();
        if set.is_deleted() {
            return Err(Errno::EIDRM);
        }
        // Another thread of the process may have been faster.
        if list.entries.find(semid, &section).is_none() {
            shared.remember(&entry, &list);
            list.entries.insert(entry);
            list.note_insert();
        }
        Ok(())
    }

    #[inline]
    fn attempt(
        &self,
        semid: SemId,
        ops: &[SemBuf],
        shape: &Shape,
        undo: Option<&Arc<SemUndo>>,
        section: &F::Guard<'_>,
    ) -> Result<Option<Sleeping<F, P, L>>, Errno> {
        let set = self.space.set(semid, section)?;
        if usize::from(shape.max) >= set.sems.len() {
            return Err(Errno::EFBIG);
        }
        let wanted = if shape.alter { S_IWUGO } else { S_IRUGO };
        if !set.permissions().allow(self.state.credentials.borrow(section), wanted) {
            return Err(Errno::EACCES);
        }
        let call = Call {
            ops,
            undo: undo.map(|undo| &**undo),
            pid: self.state.pid,
            alter: shape.alter,
            duplicates: shape.duplicates,
        };
        let mut locked = set.lock_for(ops.len() == 1, usize::from(ops[0].sem_num));
        // The entry may be that of a set which was removed, though there is one with its identifier again.
        if set.is_deleted() || undo.is_some_and(|undo| undo.is_removed()) {
            return Err(Errno::EIDRM);
        }
        match perform(set, &call) {
            Outcome::Done => {
                let mut woken = Woken::new();
                if shape.alter {
                    locked.update(Some(ops), true, &mut woken);
                } else {
                    locked.note_time(Some(ops));
                }
                drop(locked);
                woken.wake();
                Ok(None)
            }
            Outcome::Failed(errno) => Err(errno),
            Outcome::Blocked(place) => {
                let waiter = Arc::new(Waiter::new(&call, undo.cloned(), place));
                // Whoever sees it sleep can interrupt it.
                self.state.sleeping.lock().push((Arc::clone(set), Arc::clone(&waiter)));
                locked.enqueue(Arc::clone(&waiter));
                drop(locked);
                Ok(Some(Sleeping { state: Arc::clone(&self.state), set: Arc::clone(set), waiter }))
            }
        }
    }
}

/// A call that sleeps. Its drop ends it with `EINTR`.
#[must_use = "the call ends when it is dropped"]
pub struct Sleeping<F: Flavor, P: Parking, L> {
    state: Arc<State<F, P, L>>,
    set: Arc<Set<P, L>>,
    waiter: Arc<Waiter<P>>,
}

impl<F: Flavor, P: Parking, L> Sleeping<F, P, L> {
    /// How the call ended; `None` as long as it sleeps.
    #[must_use]
    pub fn result(&self) -> Option<Result<(), Errno>> {
        self.waiter.result()
    }

    /// Sleeps until the call ends, or until the deadline, which ends it with `EAGAIN`.
    ///
    /// # Errors
    ///
    /// As [`semop`](Process::semop).
    pub fn wait(self, deadline: Option<P::Deadline>) -> Result<(), Errno> {
        self.waiter.watch();
        loop {
            if let Some(result) = self.waiter.result() {
                return result;
            }
            if P::park(deadline) {
                return self.end(Errno::EAGAIN);
            }
        }
    }

    /// Ends the call as a timeout does, with `EAGAIN`, unless it has ended.
    ///
    /// # Errors
    ///
    /// How it ended.
    pub fn time_out(self) -> Result<(), Errno> {
        self.end(Errno::EAGAIN)
    }

    /// Ends the call with an error, unless it has ended, and answers how.
    fn end(&self, errno: Errno) -> Result<(), Errno> {
        let mut locked = self.set.lock_for(self.waiter.is_simple(), self.waiter.first());
        self.waiter.result().unwrap_or_else(|| {
            locked.dequeue(&self.waiter);
            self.waiter.finish(Err(errno));
            Err(errno)
        })
    }
}

impl<F: Flavor, P: Parking, L> Drop for Sleeping<F, P, L> {
    fn drop(&mut self) {
        if self.waiter.result().is_none() {
            // How it ended is nobody's interest any more.
            let _ = self.end(Errno::EINTR);
        }
        self.state.sleeping.lock().retain(|(_, waiter)| !Arc::ptr_eq(waiter, &self.waiter));
    }
}

impl<F: Flavor, P: Parking, L> fmt::Debug for Sleeping<F, P, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleeping").field("result", &self.waiter.result()).finish_non_exhaustive()
    }
}
