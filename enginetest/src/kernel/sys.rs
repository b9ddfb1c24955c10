//! The system calls themselves, raw: the C library's `semctl` changes commands, and its `fork` does more than that.

use std::ffi::{c_int, c_long};
use std::io;
use std::mem::{MaybeUninit, zeroed};

use crate::program::{Op, Timeout};
use crate::trace::{Errno, Info, Stat};

/// The bits of an identifier that are the set's index (`ipc/util.h: IPCMNI_IDX_MASK`).
pub(super) const INDEX: i32 = 0x7fff;

type Result<T> = std::result::Result<T, Errno>;

/// `semget(2)`.
pub(super) fn semget(key: i32, nsems: i32, flags: i32) -> Result<i32> {
    // SAFETY: it takes numbers only.
    check(unsafe { libc::syscall(libc::SYS_semget, key, nsems, flags) })
}

/// `semop(2)`, `semtimedop(2)`.
pub(super) fn semop(semid: i32, ops: &[Op], timeout: Timeout) -> Result<i32> {
    let flags = |op: &Op| {
        let flag = |set: bool, flag: c_int| if set { flag } else { 0 };
        (flag(op.nowait, libc::IPC_NOWAIT) | flag(op.undo, libc::SEM_UNDO)) as i16
    };
    let sembuf = |op: &Op| libc::sembuf { sem_num: op.semaphore, sem_op: op.delta, sem_flg: flags(op) };
    let mut ops: Vec<_> = ops.iter().map(sembuf).collect();
    let (sec, nsec) = match timeout {
        Timeout::None => {
            // SAFETY: the kernel reads `ops.len()` operations.
            return check(unsafe { libc::syscall(libc::SYS_semop, semid, ops.as_mut_ptr(), ops.len()) });
        }
        Timeout::Long => (1_000_000, 0),
        Timeout::Short => (0, 1_000_000),
        Timeout::Zero => (0, 0),
        Timeout::Invalid(sec, nsec) => (sec, nsec),
    };
    let timeout = libc::timespec { tv_sec: sec, tv_nsec: nsec };
    // SAFETY: the kernel reads `ops.len()` operations and one time.
    check(unsafe { libc::syscall(libc::SYS_semtimedop, semid, ops.as_mut_ptr(), ops.len(), &timeout) })
}

/// A command of `semctl(2)` that reads and writes no memory.
pub(super) fn semctl(semid: i32, semaphore: i32, command: c_int, number: i32) -> Result<i32> {
    assert!(
        [libc::IPC_RMID, libc::GETVAL, libc::SETVAL, libc::GETPID, libc::GETNCNT, libc::GETZCNT].contains(&command)
    );
    // SAFETY: these commands take the fourth argument for a number, or do not look at it.
    check(unsafe { libc::syscall(libc::SYS_semctl, semid, semaphore, command, number) })
}

/// `IPC_STAT`, `SEM_STAT`, `SEM_STAT_ANY`.
pub(super) fn stat(semid: i32, semaphore: i32, command: c_int) -> Result<(i32, Stat)> {
    assert!([libc::IPC_STAT, libc::SEM_STAT, libc::SEM_STAT_ANY].contains(&command));
    let mut set = MaybeUninit::<libc::semid_ds>::zeroed();
    // SAFETY: these commands write one `semid_ds`.
    let returned = check(unsafe { libc::syscall(libc::SYS_semctl, semid, semaphore, command, set.as_mut_ptr()) })?;
    // SAFETY: zeroed, which is a valid `semid_ds`, and then written by the kernel.
    let set = unsafe { set.assume_init() };
    let stat = Stat {
        key: set.sem_perm.__key,
        uid: set.sem_perm.uid,
        gid: set.sem_perm.gid,
        cuid: set.sem_perm.cuid,
        cgid: set.sem_perm.cgid,
        mode: set.sem_perm.mode.into(),
        seq: set.sem_perm.__seq.into(),
        nsems: set.sem_nsems,
        operated: set.sem_otime != 0,
        changed: set.sem_ctime != 0,
    };
    Ok((returned, stat))
}

/// `IPC_SET`.
pub(super) fn set(semid: i32, semaphore: i32, uid: u32, gid: u32, mode: u16) -> Result<i32> {
    // SAFETY: a `semid_ds` is numbers, for which zero is valid.
    let mut set: libc::semid_ds = unsafe { zeroed() };
    (set.sem_perm.uid, set.sem_perm.gid, set.sem_perm.mode) = (uid, gid, mode);
    // SAFETY: the kernel reads one `semid_ds`.
    check(unsafe { libc::syscall(libc::SYS_semctl, semid, semaphore, libc::IPC_SET, &set) })
}

/// `GETALL`.
pub(super) fn values(semid: i32, semaphore: i32) -> Result<Vec<u16>> {
    let mut values = vec![0; size(semid)];
    // SAFETY: the kernel writes one number a semaphore of the set, if there is one, and nobody else makes or removes sets meanwhile.
    check(unsafe { libc::syscall(libc::SYS_semctl, semid, semaphore, libc::GETALL, values.as_mut_ptr()) })?;
    Ok(values)
}

/// `SETALL`.
pub(super) fn set_values(semid: i32, semaphore: i32, values: &[u16]) -> Result<i32> {
    let mut values = values.to_vec();
    values.resize(size(semid).max(values.len()), 0);
    // SAFETY: the kernel reads one number a semaphore of the set, if there is one, and nobody else makes or removes sets meanwhile.
    check(unsafe { libc::syscall(libc::SYS_semctl, semid, semaphore, libc::SETALL, values.as_ptr()) })
}

/// How many semaphores the set at an identifier's index has; 0 where there is none.
fn size(semid: i32) -> usize {
    stat(semid & INDEX, 0, libc::SEM_STAT_ANY).map_or(0, |(_, stat)| stat.nsems as usize)
}

/// `IPC_INFO`, `SEM_INFO`.
pub(super) fn info(semid: i32, semaphore: i32, command: c_int) -> Result<(i32, Info)> {
    assert!([libc::IPC_INFO, libc::SEM_INFO].contains(&command));
    let mut info = MaybeUninit::<libc::seminfo>::zeroed();
    // SAFETY: these commands write one `seminfo`.
    let returned = check(unsafe { libc::syscall(libc::SYS_semctl, semid, semaphore, command, info.as_mut_ptr()) })?;
    // SAFETY: zeroed, which is a valid `seminfo`, and then written by the kernel.
    let info = unsafe { info.assume_init() };
    let info = Info {
        semmap: info.semmap,
        semmni: info.semmni,
        semmns: info.semmns,
        semmnu: info.semmnu,
        semmsl: info.semmsl,
        semopm: info.semopm,
        semume: info.semume,
        semusz: info.semusz,
        semvmx: info.semvmx,
        semaem: info.semaem,
    };
    Ok((returned, info))
}

/// A child, a copy of this process with its memory: 0 there, here its number. More flags than `SIGCHLD` may be asked for.
pub(super) fn clone(flags: c_int) -> io::Result<i32> {
    // SAFETY: without CLONE_VM and a stack it is a fork; the process has one thread, so the child lacks nobody who holds a lock.
    match unsafe { libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0) } {
        -1 => Err(io::Error::last_os_error()),
        pid => Ok(pid as i32),
    }
}

/// Gives the kernel back what the allocator holds without need: a fork has to go through all of it.
pub(super) fn trim() {
    // SAFETY: it may be called at any time.
    unsafe { libc::malloc_trim(0) };
}

/// Ends the process without what the C library does at its end for the one that it is a copy of.
pub(super) fn exit(status: c_int) -> ! {
    // SAFETY: it takes a number, and does not return.
    unsafe { libc::_exit(status) }
}

fn check(returned: c_long) -> Result<i32> {
    match returned {
        -1 => Err(Errno(io::Error::last_os_error().raw_os_error().expect("the call failed"))),
        returned => Ok(returned as i32),
    }
}
