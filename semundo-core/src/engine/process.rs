//! Processes: what they inherit, what they share, and what their end does (`ipc/sem.c: copy_semundo, exit_sem`).

use alloc::sync::Arc;
use core::fmt;
use core::mem;
use core::sync::atomic::Ordering;

use rcu_core::Flavor;
use seqfile_core::Errno;

use super::abi::SEMVMX;
use super::credentials::Credentials;
use super::namespace::{Namespace, State};
use super::parking::Parking;
use super::queue::Woken;
use super::storage::{SemUndo, UndoStorage};
use super::undo::Undo;

/// A process of an [`Engine`](super::Engine): what the calls are made on. Any number of threads may call at once.
///
/// Its drop is its exit.
pub struct Process<F, P, L>
where
    F: Flavor + Clone + Send + Sync + 'static,
    P: Parking,
    L: UndoStorage<F>,
{
    pub(super) space: Arc<Namespace<F, P, L>>,
    pub(super) state: Arc<State<F, P, L>>,
}

impl<F, P, L> Process<F, P, L>
where
    F: Flavor + Clone + Send + Sync + 'static,
    P: Parking,
    L: UndoStorage<F>,
{
    /// Its number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.state.pid
    }

    /// What its permissions are decided by.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        let section = self.state.credentials.read();
        self.state.credentials.borrow(&section).clone()
    }

    /// Changes them (`setuid(2)`, `setgroups(2)`, `capset(2)`).
    pub fn set_credentials(&self, credentials: Credentials) {
        self.state.credentials.set(credentials);
    }

    /// A child with the same credentials and no undo list (`fork(2)`).
    ///
    /// # Errors
    ///
    /// `EEXIST`: there is a process `pid`. `EINVAL`: a pid is positive.
    pub fn fork(&self, pid: i32) -> Result<Self, Errno> {
        let state = self.space.enter(pid, self.credentials(), None)?;
        Ok(Self { space: Arc::clone(&self.space), state })
    }

    /// A child that shares the undo list (`clone(2)` with `CLONE_SYSVSEM`): what it undoes is undone when the last sharer exits.
    ///
    /// # Errors
    ///
    /// As [`fork`](Self::fork).
    pub fn clone_sysvsem(&self, pid: i32) -> Result<Self, Errno> {
        let undo = self.undo_list();
        let state = self.space.enter(pid, self.credentials(), Some(Arc::clone(&undo)))?;
        undo.share(pid);
        Ok(Self { space: Arc::clone(&self.space), state })
    }

    /// Leaves the undo list, as exit does, and begins a new one (`unshare(2)` with `CLONE_SYSVSEM`).
    ///
    /// Calls of this process that sleep end with `EINTR`.
    pub fn unshare_sysvsem(&mut self) {
        self.exit_sem();
    }

    /// Becomes another program (`execve(2)`): the undo list stays.
    ///
    /// Calls of this process that sleep end with `EINTR`, as the threads do that are in them.
    pub fn exec(&mut self) {
        self.interrupt();
    }

    /// Ends the process: what it has to undo is undone (`ipc/sem.c: exit_sem`), unless others share its undo list.
    ///
    /// Calls of it that sleep end with `EINTR`.
    pub fn exit(self) {
        drop(self);
    }

    /// Ends all calls of it that sleep with `EINTR`, as a signal does (`signal(7)`).
    pub fn interrupt(&self) {
        let sleeping = mem::take(&mut *self.state.sleeping.lock());
        for (set, waiter) in sleeping {
            let mut woken = Woken::new();
            let mut locked = set.lock_for(waiter.is_simple(), waiter.first());
            if waiter.result().is_none() {
                locked.dequeue(&waiter);
                woken.finish(waiter, Err(Errno::EINTR));
            }
            drop(locked);
            woken.wake();
        }
    }

    /// The undo list, made if there is none (`get_undo_list`).
    pub(super) fn undo_list(&self) -> Arc<Undo<P, L>> {
        loop {
            let section = self.state.undo.read();
            if let Some(undo) = self.state.undo.dereference(&section) {
                return Arc::clone(undo);
            }
            drop(section);
            let new = || Arc::new(Undo::new(L::new(&self.space.flavor), self.state.pid));
            drop(self.state.undo.update(|undo| Some(undo.map_or_else(new, Arc::clone))));
        }
    }

    fn exit_sem(&self) {
        self.interrupt();
        let section = self.state.undo.read();
        let undo = self.state.undo.dereference(&section).cloned();
        drop(section);
        drop(self.state.undo.replace(None));
        let Some(undo) = undo.filter(|undo| undo.leave(self.state.pid)) else { return };
        undo.in_exit_order::<F>().iter().for_each(|entry| self.undo(entry));
    }

    /// Gives back what one entry says.
    fn undo(&self, entry: &SemUndo) {
        let Ok(set) = self.space.keep_set(entry.semid()) else { return };
        let mut woken = Woken::new();
        let mut locked = set.lock();
        // Its set may have been removed meanwhile, and this be another one.
        if set.is_deleted() || entry.is_removed() {
            return;
        }
        locked.forget(entry);
        entry.set_removed();
        for (sem, adjustment) in set.sems.iter().zip(entry.adjustments()) {
            let adjustment = i32::from(adjustment.load(Ordering::Relaxed));
            if adjustment != 0 {
                // Linux caps the value, at both ends.
                let value = (sem.value.load(Ordering::Relaxed) + adjustment).clamp(0, SEMVMX);
                sem.value.store(value, Ordering::Relaxed);
                sem.pid.store(self.state.pid, Ordering::Relaxed);
            }
        }
        locked.update(None, true, &mut woken);
        drop(locked);
        woken.wake();
    }
}

impl<F, P, L> Drop for Process<F, P, L>
where
    F: Flavor + Clone + Send + Sync + 'static,
    P: Parking,
    L: UndoStorage<F>,
{
    fn drop(&mut self) {
        self.exit_sem();
        self.space.leave(self.state.pid);
    }
}

impl<F, P, L> fmt::Debug for Process<F, P, L>
where
    F: Flavor + Clone + Send + Sync + 'static,
    P: Parking,
    L: UndoStorage<F>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("pid", &self.state.pid).finish_non_exhaustive()
    }
}
