//! `semget(2)` (`ipc/sem.c: newary, sem_more_checks`, `ipc/util.c: ipcget`).

use alloc::sync::Arc;

use rcu_core::Flavor;
use seqfile_core::Errno;

use super::abi::{IPC_CREAT, IPC_EXCL, IPC_PRIVATE};
use super::credentials::Permissions;
use super::ids::Ids;
use super::parking::Parking;
use super::process::Process;
use super::set::Set;
use super::storage::{UndoStorage, place_of};
use crate::types::SemId;

impl<F, P, L> Process<F, P, L>
where
    F: Flavor + Clone + Send + Sync + 'static,
    P: Parking,
    L: UndoStorage<F>,
{
    /// Finds the set of a key, or makes it: `semget(2)`. `flags` are [`IPC_CREAT`], [`IPC_EXCL`] and permissions.
    ///
    /// # Errors
    ///
    /// `EINVAL`: `nsems` is negative, above the limit, more than the set has, or 0 for a new set. `ENOENT`: there is none. `EEXIST`: there is
    /// one. `EACCES`: it does not grant the permissions. `ENOSPC`: the limit on sets or on all semaphores.
    pub fn semget(&self, key: i32, nsems: i32, flags: i32) -> Result<SemId, Errno> {
        let limits = self.space.limits.get();
        let credentials = self.credentials();
        if nsems < 0 || nsems > limits.semmsl {
            return Err(Errno::EINVAL);
        }
        let mut ids = self.space.ids.lock();
        if key == IPC_PRIVATE {
            return self.new_set(&mut ids, key, nsems, flags);
        }
        let Some(set) = ids.by_key(key) else {
            if flags & IPC_CREAT == 0 {
                return Err(Errno::ENOENT);
            }
            return self.new_set(&mut ids, key, nsems, flags);
        };
        if flags & IPC_CREAT != 0 && flags & IPC_EXCL != 0 {
            return Err(Errno::EEXIST);
        }
        if nsems as usize > set.sems.len() {
            return Err(Errno::EINVAL);
        }
        if !set.permissions().allow(&credentials, flags) {
            return Err(Errno::EACCES);
        }
        Ok(set.id)
    }

    fn new_set(&self, ids: &mut Ids<P, L>, key: i32, nsems: i32, flags: i32) -> Result<SemId, Errno> {
        let limits = self.space.limits.get();
        let who = self.credentials();
        if nsems == 0 {
            return Err(Errno::EINVAL);
        }
        if ids.used_sems + i64::from(nsems) > i64::from(limits.semmns) {
            return Err(Errno::ENOSPC);
        }
        let (semid, seq) = ids.allocate(limits.semmni).ok_or(Errno::ENOSPC)?;
        let permissions =
            Permissions { uid: who.uid, gid: who.gid, cuid: who.uid, cgid: who.gid, mode: (flags & 0o777) as u32 };
        let set = Arc::new(Set::new(semid, seq, key, nsems as usize, permissions));
        ids.insert(&set);
        self.space.sets.set(place_of(semid), Some(set), |_| true);
        Ok(semid)
    }
}
