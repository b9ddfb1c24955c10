//! What all processes of an engine share, the kernel's `struct ipc_namespace`: sets, identifiers, limits, processes.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};

use lock_api::Mutex;
use rcu_core::{Flavor, RcuCell, RcuPtr};
use seqfile_core::Errno;

use super::abi::Limits;
use super::credentials::Credentials;
use super::ids::Ids;
use super::index::Index;
use super::parking::Parking;
use super::queue::Waiter;
use super::set::Set;
use super::storage::{UndoStorage, place_of};
use super::undo::Undo;
use crate::types::SemId;

/// A process as others see it.
pub(super) struct State<F: Flavor, P: Parking, L> {
    pub pid: i32,
    pub credentials: RcuCell<Credentials, F>,
    /// Made when it is first needed (`get_undo_list`).
    pub undo: RcuPtr<Arc<Undo<P, L>>, F>,
    /// Its calls that sleep.
    pub sleeping: Mutex<P::RawMutex, Vec<Asleep<P, L>>>,
}

/// A call that sleeps, and the set that it sleeps on.
pub(super) type Asleep<P, L> = (Arc<Set<P, L>>, Arc<Waiter<P>>);

/// What an engine is: the kernel's `struct ipc_namespace`.
pub(super) struct Namespace<F: Flavor, P: Parking, L> {
    pub flavor: F,
    pub limits: LimitCells,
    /// Taken to make and to remove sets, never inside a section.
    pub ids: Mutex<P::RawMutex, Ids<P, L>>,
    pub sets: Index<Set<P, L>, F>,
    pub processes: Index<State<F, P, L>, F>,
    /// Where in `processes` each one is, by pid.
    pids: Mutex<P::RawMutex, Pids>,
}

#[derive(Default)]
struct Pids {
    places: BTreeMap<i32, usize>,
    free: Vec<usize>,
}

impl<F, P, L> Namespace<F, P, L>
where
    F: Flavor + Clone + Send + Sync + 'static,
    P: Parking,
    L: UndoStorage<F>,
{
    pub(super) fn new(flavor: F, limits: Limits) -> Self {
        Self {
            limits: LimitCells::new(limits),
            ids: Mutex::new(Ids::new()),
            sets: Index::new(flavor.clone()),
            processes: Index::new(flavor.clone()),
            pids: Mutex::new(Pids::default()),
            flavor,
        }
    }

    /// The set of an identifier (`ipc/util.c: ipc_obtain_object_check`).
    #[inline]
    pub(super) fn set<'g>(&'g self, semid: SemId, section: &'g F::Guard<'_>) -> Result<&'g Arc<Set<P, L>>, Errno> {
        if semid < 0 {
            return Err(Errno::EINVAL);
        }
        self.sets.get(place_of(semid), section).filter(|set| set.id == semid).ok_or(Errno::EINVAL)
    }

    /// The same, to be kept beyond the section.
    pub(super) fn keep_set(&self, semid: SemId) -> Result<Arc<Set<P, L>>, Errno> {
        let section = self.flavor.read_lock();
        self.set(semid, &section).cloned()
    }

    /// A new process.
    pub(super) fn enter(
        &self,
        pid: i32,
        credentials: Credentials,
        undo: Option<Arc<Undo<P, L>>>,
    ) -> Result<Arc<State<F, P, L>>, Errno> {
        if pid <= 0 {
            return Err(Errno::EINVAL);
        }
        let state = Arc::new(State {
            pid,
            credentials: RcuCell::new(self.flavor.clone(), credentials),
            undo: RcuPtr::new(self.flavor.clone(), undo),
            sleeping: Mutex::new(Vec::new()),
        });
        let mut pids = self.pids.lock();
        if pids.places.contains_key(&pid) {
            return Err(Errno::EEXIST);
        }
        let place = pids.free.pop().unwrap_or(pids.places.len());
        pids.places.insert(pid, place);
        self.processes.set(place, Some(Arc::clone(&state)), |_| true);
        Ok(state)
    }

    pub(super) fn process(&self, pid: i32) -> Option<Arc<State<F, P, L>>> {
        let pids = self.pids.lock();
        let place = *pids.places.get(&pid)?;
        let section = self.flavor.read_lock();
        self.processes.get(place, &section).cloned()
    }

    /// Takes a process out.
    pub(super) fn leave(&self, pid: i32) {
        let mut pids = self.pids.lock();
        if let Some(place) = pids.places.remove(&pid) {
            self.processes.set(place, None, |_| true);
            pids.free.push(place);
        }
    }
}

/// The limits, which may be changed at any time.
pub(super) struct LimitCells {
    semmsl: AtomicI32,
    semmns: AtomicI32,
    semopm: AtomicI32,
    semmni: AtomicI32,
}

impl LimitCells {
    const fn new(limits: Limits) -> Self {
        Self {
            semmsl: AtomicI32::new(limits.semmsl),
            semmns: AtomicI32::new(limits.semmns),
            semopm: AtomicI32::new(limits.semopm),
            semmni: AtomicI32::new(limits.semmni),
        }
    }

    pub(super) fn get(&self) -> Limits {
        Limits {
            semmsl: self.semmsl.load(Ordering::Relaxed),
            semmns: self.semmns.load(Ordering::Relaxed),
            semopm: self.semopm(),
            semmni: self.semmni.load(Ordering::Relaxed),
        }
    }

    #[inline]
    pub(super) fn semopm(&self) -> i32 {
        self.semopm.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, limits: Limits) {
        self.semmsl.store(limits.semmsl, Ordering::Relaxed);
        self.semmns.store(limits.semmns, Ordering::Relaxed);
        self.semopm.store(limits.semopm, Ordering::Relaxed);
        self.semmni.store(limits.semmni, Ordering::Relaxed);
    }
}
