//! A semaphore set and its locks (`ipc/sem.c: struct sem_array, sem_lock, sem_unlock`).
//!
//! A call with one operation locks the one semaphore, so that calls on other semaphores of the set go on beside it. Whatever concerns more
//! than one semaphore locks the set, and says so in `global`, which makes the former lock the set too.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, Ordering};

use lock_api::{Mutex, MutexGuard};

use super::abi::SemBuf;
use super::credentials::Permissions;
use super::parking::Parking;
use super::queue::{Waiter, Woken, apply, check};
use super::storage::SemUndo;
use super::undo::Undo;
use crate::types::SemId;

/// How many locks of the whole set it takes until single semaphores are locked again (`USE_GLOBAL_LOCK_HYSTERESIS`).
const HYSTERESIS: u32 = 10;

/// Callers that sleep, the one that came first in front.
pub(super) type Queue<P> = VecDeque<Arc<Waiter<P>>>;

/// One semaphore: the kernel's `struct sem`. Apart from its neighbours, since others write those.
///
/// The numbers change only under `queues`, or under the set's `shared` while `global` is not 0.
#[repr(align(128))]
pub(super) struct Sem<P: Parking> {
    pub value: AtomicI32,
    pub pid: AtomicI32,
    pub otime: AtomicI64,
    pub queues: Mutex<P::RawMutex, Queues<P>>,
}

/// Who sleeps on one semaphore alone.
pub(super) struct Queues<P: Parking> {
    pub alter: Queue<P>,
    pub zero: Queue<P>,
}

/// What concerns the whole set.
pub(super) struct Shared<P: Parking, L> {
    /// Calls that alter the set: all of them, in the order of their coming, while one of many operations sleeps.
    pub alter: Queue<P>,
    /// Calls of many operations that alter nothing.
    pub zero: Queue<P>,
    /// How many calls of many operations sleep.
    pub complex: usize,
    /// The undo entries of the set, each with the list that it is in.
    pub undo: Vec<Listed<P, L>>,
}

/// An undo entry, and the list that it is in.
pub(super) type Listed<P, L> = (Arc<SemUndo>, Weak<Undo<P, L>>);

/// A semaphore set: the kernel's `struct sem_array`.
pub(super) struct Set<P: Parking, L> {
    pub id: SemId,
    pub key: i32,
    pub seq: u32,
    pub cuid: u32,
    pub cgid: u32,
    pub uid: AtomicU32,
    pub gid: AtomicU32,
    pub mode: AtomicU32,
    pub ctime: AtomicI64,
    pub deleted: AtomicBool,
    global: AtomicU32,
    pub shared: Mutex<P::RawMutex, Shared<P, L>>,
    pub sems: Box<[Sem<P>]>,
}

impl<P: Parking, L> Set<P, L> {
    pub(super) fn new(id: SemId, seq: u32, key: i32, nsems: usize, permissions: Permissions) -> Self {
        let sem = || Sem {
            value: AtomicI32::new(0),
            pid: AtomicI32::new(0),
            otime: AtomicI64::new(0),
            queues: Mutex::new(Queues { alter: Queue::new(), zero: Queue::new() }),
        };
        Self {
            id,
            key,
            seq,
            cuid: permissions.cuid,
            cgid: permissions.cgid,
            uid: AtomicU32::new(permissions.uid),
            gid: AtomicU32::new(permissions.gid),
            mode: AtomicU32::new(permissions.mode),
            ctime: AtomicI64::new(P::seconds()),
            deleted: AtomicBool::new(false),
            global: AtomicU32::new(0),
            shared: Mutex::new(Shared { alter: Queue::new(), zero: Queue::new(), complex: 0, undo: Vec::new() }),
            sems: (0..nsems).map(|_| sem()).collect(),
        }
    }

    #[inline]
    pub(super) fn permissions(&self) -> Permissions {
        Permissions {
            uid: self.uid.load(Ordering::Relaxed),
            gid: self.gid.load(Ordering::Relaxed),
            cuid: self.cuid,
            cgid: self.cgid,
            mode: self.mode.load(Ordering::Relaxed),
        }
    }

    #[inline]
    pub(super) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Relaxed)
    }

    /// `ipc/sem.c: get_semotime`
    pub(super) fn otime(&self) -> i64 {
        self.sems.iter().map(|sem| sem.otime.load(Ordering::Relaxed)).max().unwrap_or_default()
    }

    /// Locks the whole set (`ipc/sem.c: sem_lock` with `nsops != 1`, `complexmode_enter`).
    pub(super) fn lock(&self) -> Locked<'_, P, L> {
        let shared = self.shared.lock();
        let was = self.global.load(Ordering::Relaxed);
        self.global.store(HYSTERESIS, Ordering::Relaxed);
        if was == 0 {
            // Those who locked a semaphore before they could see that: wait until they are done. Whoever locks it later sees it.
            self.sems.iter().for_each(|sem| drop(sem.queues.lock()));
        }
        Locked { set: self, held: Held::Set(shared) }
    }

    /// Locks what a call with one operation needs (`ipc/sem.c: sem_lock` with `nsops == 1`).
    #[inline]
    pub(super) fn lock_sem(&self, num: usize) -> Locked<'_, P, L> {
        if self.global.load(Ordering::Relaxed) == 0 {
            let queues = self.sems[num].queues.lock();
            // Acquire: what was done under the set's lock is seen (`SEM_BARRIER_1`).
            if self.global.load(Ordering::Acquire) == 0 {
                return Locked { set: self, held: Held::Sem(num, queues) };
            }
        }
        self.lock_sem_slow(num)
    }

    /// Changes one semaphore, unless anything is in the way: a lock of the whole set, a caller that sleeps on it, or that the operation
    /// cannot be done. Answers whether it did.
    #[inline]
    pub(super) fn change_idle(&self, op: SemBuf, undo: Option<&SemUndo>, pid: i32) -> bool {
        let sem = &self.sems[usize::from(op.sem_num)];
        if self.global.load(Ordering::Relaxed) != 0 {
            return false;
        }
        let queues = sem.queues.lock();
        // As in `lock_sem`; it may have been removed before the lock, or the entry's set before this one was made.
        let valid = self.global.load(Ordering::Acquire) == 0 && !self.is_deleted();
        let idle = queues.alter.is_empty() && queues.zero.is_empty();
        let valid = valid && !undo.is_some_and(SemUndo::is_removed);
        let can = valid && idle && check(sem.value.load(Ordering::Relaxed), op, undo).is_ok();
        if can {
            apply(self, op, undo);
            sem.pid.store(pid, Ordering::Relaxed);
            sem.otime.store(P::seconds(), Ordering::Relaxed);
        }
        can
    }

    /// Locks what a call needs, by whether it has one operation, and on which semaphore.
    #[inline]
    pub(super) fn lock_for(&self, simple: bool, num: usize) -> Locked<'_, P, L> {
        if simple { self.lock_sem(num) } else { self.lock() }
    }

    #[cold]
    fn lock_sem_slow(&self, num: usize) -> Locked<'_, P, L> {
        let shared = self.shared.lock();
        if self.global.load(Ordering::Relaxed) == 0 {
            // It cannot become another under the set's lock.
            return Locked { set: self, held: Held::Sem(num, self.sems[num].queues.lock()) };
        }
        Locked { set: self, held: Held::Set(shared) }
    }
}

impl<P: Parking, L> Shared<P, L> {
    /// Notes an undo entry of the set.
    pub(super) fn remember(&mut self, entry: &Arc<SemUndo>, list: &Arc<Undo<P, L>>) {
        entry.place.store(self.undo.len(), Ordering::Relaxed);
        self.undo.push((Arc::clone(entry), Arc::downgrade(list)));
    }
}

/// A set of which one semaphore, or all, are locked.
pub(super) struct Locked<'s, P: Parking, L> {
    pub set: &'s Set<P, L>,
    held: Held<'s, P, L>,
}

enum Held<'s, P: Parking, L> {
    Sem(usize, MutexGuard<'s, P::RawMutex, Queues<P>>),
    Set(MutexGuard<'s, P::RawMutex, Shared<P, L>>),
}

impl<P: Parking, L> Locked<'_, P, L> {
    /// What concerns the whole set, where that is locked.
    #[inline]
    pub(super) fn shared(&mut self) -> Option<&mut Shared<P, L>> {
        match &mut self.held {
            Held::Sem(..) => None,
            Held::Set(shared) => Some(shared),
        }
    }

    /// Who sleeps on one semaphore: the locked one, or any where the set is.
    #[inline]
    pub(super) fn with_queues<R>(&mut self, num: usize, then: impl FnOnce(&mut Queues<P>) -> R) -> R {
        match &mut self.held {
            Held::Sem(locked, queues) => {
                debug_assert_eq!(*locked, num);
                then(queues)
            }
            Held::Set(_) => then(&mut self.set.sems[num].queues.lock()),
        }
    }
}

/// What needs the whole set locked.
impl<P: Parking, L> Locked<'_, P, L> {
    /// Forgets an undo entry of the set.
    pub(super) fn forget(&mut self, entry: &SemUndo) {
        let Some(shared) = self.shared() else { return };
        let place = entry.place.load(Ordering::Relaxed);
        shared.undo.swap_remove(place);
        if let Some((moved, _)) = shared.undo.get(place) {
            moved.place.store(place, Ordering::Relaxed);
        }
    }

    /// Takes all that sleep out of their queues.
    pub(super) fn take_all(&mut self) -> Vec<Arc<Waiter<P>>> {
        let mut all = Vec::new();
        if let Some(shared) = self.shared() {
            all.extend(shared.zero.drain(..));
            all.extend(shared.alter.drain(..));
            shared.complex = 0;
        }
        for sem in &self.set.sems {
            let mut queues = sem.queues.lock();
            all.extend(queues.zero.drain(..));
            all.extend(queues.alter.drain(..));
        }
        all
    }

    /// After values were set: notes the time and ends what can end.
    pub(super) fn changed(&mut self, woken: &mut Woken<P>) {
        self.set.ctime.store(P::seconds(), Ordering::Relaxed);
        self.update(None, false, woken);
    }
}

impl<P: Parking, L> Drop for Locked<'_, P, L> {
    /// `ipc/sem.c: sem_unlock`
    #[inline]
    fn drop(&mut self) {
        let Held::Set(shared) = &mut self.held else { return };
        if shared.complex != 0 {
            return;
        }
        // Back to the semaphores' own queues (`unmerge_queues`).
        for waiter in shared.alter.drain(..) {
            self.set.sems[waiter.first()].queues.lock().alter.push_back(waiter);
        }
        // Not before that is done (`complexmode_tryleave`).
        let global = self.set.global.load(Ordering::Relaxed);
        self.set.global.store(global - 1, Ordering::Release);
    }
}
