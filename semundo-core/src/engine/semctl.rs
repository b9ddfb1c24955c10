//! `semctl(2)`, a function a command (`ipc/sem.c: semctl_stat, semctl_info, semctl_setval, semctl_main, semctl_down, freeary`).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::sync::atomic::Ordering;

use rcu_core::Flavor;
use seqfile_core::Errno;

use super::abi::{IPCMNI, IpcPerm, IpcSet, Limits, SEMAEM, SEMVMX, SemInfo, SemidDs};
use super::credentials::{S_IRUGO, S_IWUGO};
use super::parking::Parking;
use super::process::Process;
use super::queue::Woken;
use super::set::{Locked, Set};
use super::storage::{UndoStorage, place_of};
use crate::types::SemId;

/// `include/uapi/linux/sem.h: SEMUSZ`
const SEMUSZ: i32 = 20;

impl<F, P, L> Process<F, P, L>
where
    F: Flavor + Clone + Send + Sync + 'static,
    P: Parking,
    L: UndoStorage<F>,
{
    /// One semaphore's value: `semctl(GETVAL)`.
    ///
    /// # Errors
    ///
    /// `EINVAL`: no such set, or it has no such semaphore. `EACCES`: no read permission. `EIDRM`: the set was removed just now.
    pub fn getval(&self, semid: SemId, semnum: i32) -> Result<i32, Errno> {
        self.get(semid, semnum, |locked, num| locked.set.sems[num].value.load(Ordering::Relaxed))
    }

    /// Who changed a semaphore last: `semctl(GETPID)`; 0 for nobody.
    ///
    /// # Errors
    ///
    /// As [`getval`](Self::getval).
    pub fn getpid(&self, semid: SemId, semnum: i32) -> Result<i32, Errno> {
        self.get(semid, semnum, |locked, num| locked.set.sems[num].pid.load(Ordering::Relaxed))
    }

    /// How many calls sleep until a semaphore is larger: `semctl(GETNCNT)`.
    ///
    /// # Errors
    ///
    /// As [`getval`](Self::getval).
    pub fn getncnt(&self, semid: SemId, semnum: i32) -> Result<i32, Errno> {
        self.get(semid, semnum, |locked, num| locked.count(num, false) as i32)
    }

    /// How many calls sleep until a semaphore is 0: `semctl(GETZCNT)`.
    ///
    /// # Errors
    ///
    /// As [`getval`](Self::getval).
    pub fn getzcnt(&self, semid: SemId, semnum: i32) -> Result<i32, Errno> {
        self.get(semid, semnum, |locked, num| locked.count(num, true) as i32)
    }

    /// All values of a set: `semctl(GETALL)`.
    ///
    /// # Errors
    ///
    /// As [`getval`](Self::getval).
    pub fn getall(&self, semid: SemId) -> Result<Vec<u16>, Errno> {
        let set = self.allowed(semid, S_IRUGO)?;
        let _locked = lock_valid(&set)?;
        Ok(set.sems.iter().map(|sem| sem.value.load(Ordering::Relaxed) as u16).collect())
    }

    /// Sets one value: `semctl(SETVAL)`. What anybody had to undo to that semaphore is forgotten.
    ///
    /// # Errors
    ///
    /// `ERANGE`: not in 0..=[`SEMVMX`]. As [`getval`](Self::getval), but for alter permission.
    pub fn setval(&self, semid: SemId, semnum: i32, value: i32) -> Result<(), Errno> {
        if semid < 0 {
            return Err(Errno::EINVAL);
        }
        if !(0..=SEMVMX).contains(&value) {
            return Err(Errno::ERANGE);
        }
        let set = self.space.keep_set(semid)?;
        let num = usize::try_from(semnum).ok().filter(|num| *num < set.sems.len()).ok_or(Errno::EINVAL)?;
        self.check(&set, S_IWUGO)?;
        let mut woken = Woken::new();
        let mut locked = lock_valid(&set)?;
        for (entry, _) in locked.shared().into_iter().flat_map(|shared| &shared.undo) {
            entry.adjustments()[num].store(0, Ordering::Relaxed);
        }
        self.put(&set, num, value);
        locked.changed(&mut woken);
        drop(locked);
        woken.wake();
        Ok(())
    }

    /// Sets all values: `semctl(SETALL)`. What anybody had to undo to the set is forgotten. There is a value for each semaphore.
    ///
    /// # Errors
    ///
    /// `ERANGE`: a value above [`SEMVMX`]. `EFAULT`: fewer values than semaphores. As [`getval`](Self::getval), but for alter permission.
    pub fn setall(&self, semid: SemId, values: &[u16]) -> Result<(), Errno> {
        let set = self.allowed(semid, S_IWUGO)?;
        let values = values.get(..set.sems.len()).ok_or(Errno::EFAULT)?;
        if values.iter().any(|value| i32::from(*value) > SEMVMX) {
            return Err(Errno::ERANGE);
        }
        let mut woken = Woken::new();
        let mut locked = lock_valid(&set)?;
        for (num, value) in values.iter().enumerate() {
            self.put(&set, num, i32::from(*value));
        }
        for (entry, _) in locked.shared().into_iter().flat_map(|shared| &shared.undo) {
            entry.adjustments().iter().for_each(|adjustment| adjustment.store(0, Ordering::Relaxed));
        }
        locked.changed(&mut woken);
        drop(locked);
        woken.wake();
        Ok(())
    }

    /// What there is to know of a set: `semctl(IPC_STAT)`.
    ///
    /// # Errors
    ///
    /// As [`getval`](Self::getval).
    pub fn stat(&self, semid: SemId) -> Result<SemidDs, Errno> {
        let set = self.allowed(semid, S_IRUGO)?;
        let _locked = lock_valid(&set)?;
        Ok(describe(&set))
    }

    /// The same for the set at a place, with its identifier: `semctl(SEM_STAT)`. [`sem_info`](Self::sem_info) tells the highest place.
    ///
    /// # Errors
    ///
    /// As [`getval`](Self::getval).
    pub fn sem_stat(&self, place: i32) -> Result<(SemId, SemidDs), Errno> {
        let set = self.at(place)?;
        self.check(&set, S_IRUGO)?;
        let _locked = lock_valid(&set)?;
        Ok((set.id, describe(&set)))
    }

    /// The same without any permission: `semctl(SEM_STAT_ANY)`.
    ///
    /// # Errors
    ///
    /// As [`getval`](Self::getval), but for `EACCES`.
    pub fn sem_stat_any(&self, place: i32) -> Result<(SemId, SemidDs), Errno> {
        let set = self.at(place)?;
        let _locked = lock_valid(&set)?;
        Ok((set.id, describe(&set)))
    }

    /// Changes the owner and the permissions: `semctl(IPC_SET)`.
    ///
    /// # Errors
    ///
    /// `EINVAL`: no such set, or an id is -1. `EPERM`: neither owner nor creator, and no `CAP_SYS_ADMIN`.
    pub fn ipc_set(&self, semid: SemId, new: IpcSet) -> Result<(), Errno> {
        let _ids = self.space.ids.lock();
        let set = self.owned(semid)?;
        let _locked = set.lock();
        if new.uid == u32::MAX || new.gid == u32::MAX {
            return Err(Errno::EINVAL);
        }
        set.uid.store(new.uid, Ordering::Relaxed);
        set.gid.store(new.gid, Ordering::Relaxed);
        set.mode.store(new.mode & 0o777, Ordering::Relaxed);
        set.ctime.store(P::seconds(), Ordering::Relaxed);
        Ok(())
    }

    /// Removes a set: `semctl(IPC_RMID)`. Calls that sleep on it end with `EIDRM`; what anybody had to undo to it is forgotten.
    ///
    /// # Errors
    ///
    /// As [`ipc_set`](Self::ipc_set).
    pub fn rmid(&self, semid: SemId) -> Result<(), Errno> {
        let mut ids = self.space.ids.lock();
        let set = self.owned(semid)?;
        let mut woken = Woken::new();
        let mut locked = set.lock();
        let entries = locked.shared().map(|shared| mem::take(&mut shared.undo)).unwrap_or_default();
        entries.iter().for_each(|(entry, _)| entry.set_removed());
        locked.take_all().into_iter().for_each(|waiter| woken.finish(waiter, Err(Errno::EIDRM)));
        set.deleted.store(true, Ordering::Relaxed);
        drop(locked);
        ids.remove(&set);
        self.space.sets.set(place_of(semid), None, |_| true);
        drop(ids);
        woken.wake();
        entries.iter().filter_map(|(_, list)| list.upgrade()).for_each(|list| list.note_removal::<F>());
        Ok(())
    }

    /// The limits: `semctl(IPC_INFO)`. With them, the highest place at which there is a set, or 0.
    #[must_use]
    pub fn ipc_info(&self) -> (i32, SemInfo) {
        let ids = self.space.ids.lock();
        (ids.max_place().unwrap_or(0), limits(self.space.limits.get()))
    }

    /// The limits, and how many sets and semaphores there are: `semctl(SEM_INFO)`. With them, the highest place at which there is a set, or 0.
    #[must_use]
    pub fn sem_info(&self) -> (i32, SemInfo) {
        let ids = self.space.ids.lock();
        let limits = limits(self.space.limits.get());
        (ids.max_place().unwrap_or(0), SemInfo { semusz: ids.in_use(), semaem: ids.used_sems as i32, ..limits })
    }

    fn get(
        &self,
        semid: SemId,
        semnum: i32,
        read: impl FnOnce(&mut Locked<'_, P, L>, usize) -> i32,
    ) -> Result<i32, Errno> {
        let set = self.allowed(semid, S_IRUGO)?;
        let num = usize::try_from(semnum).ok().filter(|num| *num < set.sems.len()).ok_or(Errno::EINVAL)?;
        // One semaphore is enough: while calls of many operations sleep, that locks the set.
        let mut locked = set.lock_sem(num);
        if set.is_deleted() { Err(Errno::EIDRM) } else { Ok(read(&mut locked, num)) }
    }

    fn put(&self, set: &Set<P, L>, num: usize, value: i32) {
        set.sems[num].value.store(value, Ordering::Relaxed);
        set.sems[num].pid.store(self.state.pid, Ordering::Relaxed);
    }

    /// The set of an identifier, if it grants what is wanted.
    fn allowed(&self, semid: SemId, wanted: i32) -> Result<Arc<Set<P, L>>, Errno> {
        let set = self.space.keep_set(semid)?;
        self.check(&set, wanted)?;
        Ok(set)
    }

    fn check(&self, set: &Set<P, L>, wanted: i32) -> Result<(), Errno> {
        let section = self.state.credentials.read();
        let allowed = set.permissions().allow(self.state.credentials.borrow(&section), wanted);
        if allowed { Ok(()) } else { Err(Errno::EACCES) }
    }

    /// The set of an identifier, if it is the caller's to change (`ipc/util.c: ipcctl_obtain_check`).
    fn owned(&self, semid: SemId) -> Result<Arc<Set<P, L>>, Errno> {
        let set = self.space.keep_set(semid)?;
        let section = self.state.credentials.read();
        let owned = set.permissions().owned_by(self.state.credentials.borrow(&section));
        if owned { Ok(set) } else { Err(Errno::EPERM) }
    }

    /// The set at a place; an identifier has its place in its lowest bits.
    fn at(&self, place: i32) -> Result<Arc<Set<P, L>>, Errno> {
        if place < 0 {
            return Err(Errno::EINVAL);
        }
        let section = self.space.flavor.read_lock();
        self.space.sets.get(place_of(place & (IPCMNI - 1)), &section).cloned().ok_or(Errno::EINVAL)
    }
}

/// Locks a set that is not removed.
fn lock_valid<P: Parking, L>(set: &Set<P, L>) -> Result<Locked<'_, P, L>, Errno> {
    let locked = set.lock();
    if set.is_deleted() { Err(Errno::EIDRM) } else { Ok(locked) }
}

fn describe<P: Parking, L>(set: &Set<P, L>) -> SemidDs {
    let permissions = set.permissions();
    SemidDs {
        sem_perm: IpcPerm {
            key: set.key,
            uid: permissions.uid,
            gid: permissions.gid,
            cuid: permissions.cuid,
            cgid: permissions.cgid,
            mode: permissions.mode,
            seq: set.seq,
        },
        sem_otime: set.otime(),
        sem_ctime: set.ctime.load(Ordering::Relaxed),
        sem_nsems: set.sems.len() as u64,
    }
}

fn limits(limits: Limits) -> SemInfo {
    let unused = Limits::default();
    SemInfo {
        semmap: unused.semmns,
        semmni: limits.semmni,
        semmns: limits.semmns,
        semmnu: unused.semmns,
        semmsl: limits.semmsl,
        semopm: limits.semopm,
        semume: unused.semopm,
        semusz: SEMUSZ,
        semvmx: SEMVMX,
        semaem: SEMAEM,
    }
}
