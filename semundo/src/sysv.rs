//! The System V semaphore calls: `semget(2)`, `semop(2)` and `semctl(2)` as safe functions.
//!
//! The one file that makes these calls. Every error is the errno of the call as [`std::io::Error`].
//!
//! ```
//! use semundo::sysv::{Op, TempSet};
//!
//! let set = TempSet::create(2, 0o600)?; // removed when it goes out of scope
//! set.set_values(&[5, 0])?;
//! set.op(&[Op::new(0, -3).undo(), Op::new(1, 1)])?;
//! assert_eq!(set.values()?, [2, 1]); // the exit of this process gives the 3 back
//! # Ok::<(), std::io::Error>(())
//! ```

use std::ffi::{c_int, c_ushort};
use std::io;
use std::mem::MaybeUninit;
use std::ops::Deref;

/// One operation of a [`SemSet::op`] call: the `struct sembuf` of `semop(2)`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Op(libc::sembuf);

impl Op {
    /// Adds `delta` to semaphore `index`; a delta of 0 waits until the semaphore is zero.
    #[must_use]
    pub const fn new(index: u16, delta: i16) -> Op {
        Op(libc::sembuf { sem_num: index, sem_op: delta, sem_flg: 0 })
    }

    /// The kernel takes the operation back when the process exits (`SEM_UNDO`).
    #[must_use]
    pub const fn undo(mut self) -> Op {
        self.0.sem_flg |= libc::SEM_UNDO as i16;
        self
    }

    /// The call fails with `EAGAIN` where it would have to wait (`IPC_NOWAIT`).
    #[must_use]
    pub const fn nowait(mut self) -> Op {
        self.0.sem_flg |= libc::IPC_NOWAIT as i16;
        self
    }
}

impl From<semundo_core::plan::Op> for Op {
    fn from(op: semundo_core::plan::Op) -> Op {
        Op(libc::sembuf { sem_num: op.semaphore(), sem_op: op.amount(), sem_flg: op.flags() })
    }
}

/// What `IPC_STAT` says of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The key that it was made with; 0 (`IPC_PRIVATE`) for none.
    pub key: i32,
    /// Number of semaphores in the set.
    pub nsems: usize,
    /// Permission bits, the lower nine of the mode.
    pub mode: u32,
    /// User id of the owner.
    pub uid: u32,
    /// Group id of the owner.
    pub gid: u32,
}

/// A semaphore set of the caller's IPC namespace, by its id.
///
/// Only a name: the set lives until somebody removes it, and calls on a removed set are `EINVAL` or `EIDRM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SemSet {
    id: c_int,
}

impl SemSet {
    /// Makes a set of `nsems` semaphores without a key (`IPC_PRIVATE`), all zero.
    ///
    /// `mode` is the permission bits. Errors: `EINVAL` (`nsems` zero or above SEMMSL), `ENOSPC` (SEMMNI, SEMMNS), `ENOMEM`.
    pub fn create(nsems: usize, mode: u32) -> io::Result<SemSet> {
        let nsems = c_int::try_from(nsems).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        // SAFETY: semget takes numbers only.
        let id = unsafe { libc::semget(libc::IPC_PRIVATE, nsems, libc::IPC_CREAT | (mode & 0o777) as c_int) };
        check(id).map(|id| SemSet { id })
    }

    /// The set with this id, whether or not there is one.
    #[must_use]
    pub const fn from_id(id: i32) -> SemSet {
        SemSet { id }
    }

    /// The set's id, as `ipcs -s` shows it.
    #[must_use]
    pub const fn id(&self) -> i32 {
        self.id
    }

    /// Does all of `ops` at once or none of them (`semop(2)`); waits where an operation must and has no [`Op::nowait`].
    ///
    /// Errors: `EAGAIN`, `E2BIG` (more than SEMOPM), `EFBIG` (no such semaphore), `ERANGE`, `EACCES`, `EIDRM`, `EINVAL`, `EINTR`.
    pub fn op(&self, ops: &[Op]) -> io::Result<()> {
        // SAFETY: `Op` is a transparent `sembuf`, so `ops` is `ops.len()` of them; the kernel only reads them.
        check(unsafe { libc::semop(self.id, ops.as_ptr().cast_mut().cast(), ops.len()) }).map(drop)
    }

    /// The value of one semaphore (`GETVAL`).
    pub fn get_value(&self, index: u16) -> io::Result<u16> {
        // SAFETY: GETVAL takes no fourth argument.
        check(unsafe { libc::semctl(self.id, index.into(), libc::GETVAL) }).map(|value| value as u16)
    }

    /// How many calls wait for a larger value of a semaphore, and how many for zero (`GETNCNT`, `GETZCNT`).
    pub fn waiters(&self, index: u16) -> io::Result<(u32, u32)> {
        // SAFETY: GETNCNT and GETZCNT take no fourth argument.
        let count = |command| check(unsafe { libc::semctl(self.id, index.into(), command) }).map(|count| count as u32);
        Ok((count(libc::GETNCNT)?, count(libc::GETZCNT)?))
    }

    /// Sets one semaphore and clears every process's adjustment of it (`SETVAL`).
    pub fn set_value(&self, index: u16, value: u16) -> io::Result<()> {
        let value = c_int::from(value);
        // SAFETY: SETVAL's fourth argument is the int of `union semun`, passed by value.
        check(unsafe { libc::semctl(self.id, index.into(), libc::SETVAL, value) }).map(drop)
    }

    /// The values of all semaphores (`GETALL`).
    pub fn values(&self) -> io::Result<Vec<u16>> {
        Ok(self.stat_and_values()?.1)
    }

    /// What [`stat`](Self::stat) and [`values`](Self::values) answer, for less than both of them take.
    pub fn stat_and_values(&self) -> io::Result<(Stat, Vec<u16>)> {
        let stat = self.stat()?;
        let mut values: Vec<c_ushort> = vec![0; stat.nsems];
        // SAFETY: GETALL writes one unsigned short a semaphore, and the number of a set's semaphores never changes. (A set that
        // was removed since has another id, because the id holds a sequence number.)
        check(unsafe { libc::semctl(self.id, 0, libc::GETALL, values.as_mut_ptr()) })?;
        Ok((stat, values))
    }

    /// Sets all semaphores and clears every process's adjustments of the set (`SETALL`).
    ///
    /// `EINVAL` where `values` is not one value a semaphore.
    pub fn set_values(&self, values: &[u16]) -> io::Result<()> {
        if values.len() != self.stat()?.nsems {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // SAFETY: SETALL reads one unsigned short a semaphore, and `values` was just found to have as many.
        check(unsafe { libc::semctl(self.id, 0, libc::SETALL, values.as_ptr()) }).map(drop)
    }

    /// Key, size, mode and owner (`IPC_STAT`).
    pub fn stat(&self) -> io::Result<Stat> {
        let mut ds = MaybeUninit::<libc::semid_ds>::zeroed();
        // SAFETY: IPC_STAT writes one `semid_ds`.
        check(unsafe { libc::semctl(self.id, 0, libc::IPC_STAT, ds.as_mut_ptr()) })?;
        // SAFETY: zeroed, which is a valid `semid_ds`, and then filled by the kernel.
        let ds = unsafe { ds.assume_init() };
        Ok(Stat {
            key: ds.sem_perm.__key,
            nsems: ds.sem_nsems as usize,
            mode: u32::from(ds.sem_perm.mode) & 0o777,
            uid: ds.sem_perm.uid,
            gid: ds.sem_perm.gid,
        })
    }

    /// Sets owner, group and permission bits, the lower nine of the mode (`IPC_SET`).
    pub fn set_permissions(&self, uid: u32, gid: u32, mode: u32) -> io::Result<()> {
        // SAFETY: zeroes are a valid `semid_ds`.
        let mut ds: libc::semid_ds = unsafe { MaybeUninit::zeroed().assume_init() };
        (ds.sem_perm.uid, ds.sem_perm.gid, ds.sem_perm.mode) = (uid, gid, (mode & 0o777) as _);
        // SAFETY: IPC_SET reads one `semid_ds`.
        check(unsafe { libc::semctl(self.id, 0, libc::IPC_SET, &raw mut ds) }).map(drop)
    }

    /// Removes the set with every adjustment of it; who waits in it gets `EIDRM` (`IPC_RMID`).
    pub fn remove(&self) -> io::Result<()> {
        // SAFETY: IPC_RMID takes no fourth argument.
        check(unsafe { libc::semctl(self.id, 0, libc::IPC_RMID) }).map(drop)
    }
}

/// A set that is removed when this goes out of scope.
#[must_use = "the set is removed as soon as this is dropped"]
#[derive(Debug)]
pub struct TempSet(SemSet);

impl TempSet {
    /// As [`SemSet::create`].
    pub fn create(nsems: usize, mode: u32) -> io::Result<TempSet> {
        SemSet::create(nsems, mode).map(TempSet)
    }
}

impl Deref for TempSet {
    type Target = SemSet;

    fn deref(&self) -> &SemSet {
        &self.0
    }
}

impl Drop for TempSet {
    fn drop(&mut self) {
        // Somebody else may have removed it: then there is nothing left to do.
        let _ = self.0.remove();
    }
}

/// The result of a call that answers -1 for an error.
fn check(result: c_int) -> io::Result<c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errno(result: io::Result<()>) -> Option<i32> {
        result.unwrap_err().raw_os_error()
    }

    #[test]
    fn a_call_is_all_or_nothing() {
        let set = TempSet::create(2, 0o600).unwrap();
        set.set_values(&[3, 0]).unwrap();
        assert_eq!(errno(set.op(&[Op::new(0, -1), Op::new(1, -1).nowait()])), Some(libc::EAGAIN));
        assert_eq!(set.values().unwrap(), [3, 0]);
        set.op(&[Op::new(0, -1), Op::new(1, 2)]).unwrap();
        assert_eq!((set.get_value(0).unwrap(), set.get_value(1).unwrap()), (2, 2));
        assert_eq!(errno(set.op(&[Op::new(2, 1)])), Some(libc::EFBIG));
    }

    #[test]
    fn set_values_takes_one_value_a_semaphore() {
        let set = TempSet::create(3, 0o600).unwrap();
        assert_eq!(errno(set.set_values(&[1, 2])), Some(libc::EINVAL));
        set.set_values(&[1, 2, 32767]).unwrap();
        set.set_value(1, 9).unwrap();
        assert_eq!(set.values().unwrap(), [1, 9, 32767]);
        assert_eq!(errno(set.set_value(0, 32768)), Some(libc::ERANGE));
    }

    #[test]
    fn stat_tells_size_and_mode() {
        let set = TempSet::create(7, 0o640).unwrap();
        let stat = set.stat().unwrap();
        assert_eq!((stat.nsems, stat.mode), (7, 0o640));
        set.set_permissions(stat.uid, stat.gid, 0o604).unwrap();
        assert_eq!(set.stat().unwrap(), Stat { mode: 0o604, ..stat });
    }

    #[test]
    fn a_removed_set_is_gone() {
        let set = SemSet::create(1, 0o600).unwrap();
        let temporary = TempSet::create(1, 0o600).unwrap();
        let (id, other) = (temporary.id(), set.id());
        drop(temporary);
        set.remove().unwrap();
        for id in [id, other] {
            assert_eq!(errno(SemSet::from_id(id).op(&[Op::new(0, 1)])), Some(libc::EINVAL));
        }
    }
}
