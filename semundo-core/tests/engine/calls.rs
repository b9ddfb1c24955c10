//! Arguments, errors and permissions of the calls.

use rcu_core::flavor::epoch::Epoch;
use semundo_core::engine::{
    Credentials, Engine, IPC_CREAT, IPC_EXCL, IPC_PRIVATE, IpcSet, Limits, SEMVMX, ThreadEngine, Timespec,
};
use seqfile_core::Errno;

use crate::{engine, nowait, op, undo};

#[test]
fn semget_finds_makes_and_refuses() {
    let engine = Engine::new(Epoch);
    let process = engine.process(Credentials::root(), 1).unwrap();
    assert_eq!(process.semget(7, 1, 0o600), Err(Errno::ENOENT));
    assert_eq!(process.semget(7, 0, IPC_CREAT | 0o600), Err(Errno::EINVAL), "a new set has semaphores");
    assert_eq!(process.semget(7, -1, IPC_CREAT), Err(Errno::EINVAL));
    assert_eq!(process.semget(7, 32001, IPC_CREAT), Err(Errno::EINVAL));
    let semid = process.semget(7, 3, IPC_CREAT | IPC_EXCL | 0o600).unwrap();
    assert_eq!(process.semget(7, 3, IPC_CREAT | IPC_EXCL | 0o600), Err(Errno::EEXIST));
    assert_eq!(process.semget(7, 3, IPC_EXCL), Ok(semid), "IPC_EXCL means nothing alone");
    assert_eq!(process.semget(7, 0, 0), Ok(semid));
    assert_eq!(process.semget(7, 4, 0), Err(Errno::EINVAL), "it has three");
    assert_ne!(process.semget(IPC_PRIVATE, 1, 0o600), process.semget(IPC_PRIVATE, 1, 0o600));
    process.rmid(semid).unwrap();
    assert_eq!(process.semget(7, 0, 0), Err(Errno::ENOENT));
    assert_ne!(process.semget(7, 3, IPC_CREAT), Ok(semid), "a new identifier");
}

#[test]
fn limits_bind_from_when_they_are_set() {
    let limits = Limits { semmsl: 4, semmns: 6, semopm: 2, semmni: 2 };
    let engine = ThreadEngine::<Epoch>::with_limits(Epoch, limits);
    assert_eq!(engine.limits(), limits);
    let process = engine.process(Credentials::root(), 1).unwrap();
    assert_eq!(process.semget(0, 5, 0o600), Err(Errno::EINVAL));
    let semid = process.semget(0, 4, 0o600).unwrap();
    assert_eq!(process.semget(0, 3, 0o600), Err(Errno::ENOSPC), "seven semaphores");
    process.semget(0, 2, 0o600).unwrap();
    engine.set_limits(Limits { semmns: 100, ..limits });
    assert_eq!(process.semget(0, 1, 0o600), Err(Errno::ENOSPC), "three sets");
    assert_eq!(process.semop(semid, &[op(0, 1); 3]), Err(Errno::E2BIG));
    assert_eq!(process.semop(-1, &[op(0, 1); 3]), Err(Errno::E2BIG), "before all else");
    assert_eq!(process.semop(semid, &[op(0, 1); 2]), Ok(()));
    let (_, info) = process.sem_info();
    assert_eq!((info.semmsl, info.semmns, info.semopm, info.semmni), (4, 100, 2, 2));
    assert_eq!((info.semusz, info.semaem), (2, 6), "sets and semaphores");
    assert_eq!(process.ipc_info().1.semaem, SEMVMX);
}

#[test]
fn semop_refuses_in_the_kernels_order() {
    let (_engine, process, semid) = engine(&[1, 2]);
    let invalid = Some(Timespec { tv_sec: 0, tv_nsec: 1_000_000_000 });
    let negative = Some(Timespec { tv_sec: -1, tv_nsec: 0 });
    for (semid, ops, timeout, error) in [
        (semid, &[][..], None, Errno::EINVAL),
        (-1, &[op(0, 1)], None, Errno::EINVAL),
        (semid + 1, &[op(0, 1)], None, Errno::EINVAL),
        (semid + 32768, &[op(0, 1)], None, Errno::EINVAL),
        (semid, &[op(0, 1); 501], None, Errno::E2BIG),
        (semid, &[op(0, 1)], invalid, Errno::EINVAL),
        (semid, &[op(0, 1)], negative, Errno::EINVAL),
        (semid, &[op(0, 1), op(2, 1)], None, Errno::EFBIG),
        (semid, &[nowait(0, -2)], None, Errno::EAGAIN),
        (semid, &[nowait(0, 0)], None, Errno::EAGAIN),
        (semid, &[op(0, i16::MAX)], None, Errno::ERANGE),
        (semid, &[op(1, 1), nowait(0, -2)], None, Errno::EAGAIN),
        (semid, &[nowait(1, 1), op(0, i16::MAX)], None, Errno::ERANGE),
        (semid, &[op(0, -2)], Some(Timespec::default()), Errno::EAGAIN),
    ] {
        assert_eq!(process.semtimedop(semid, ops, timeout), Err(error), "{semid} {ops:?} {timeout:?}");
        assert_eq!(process.getall(process.sem_stat(0).unwrap().0).unwrap(), [1, 2], "nothing changed");
    }
}

#[test]
fn semctl_refuses_in_the_kernels_order() {
    let (_engine, process, semid) = engine(&[1, 2]);
    assert_eq!(process.setval(-1, 0, 40000), Err(Errno::EINVAL));
    assert_eq!(process.setval(semid + 1, 5, 40000), Err(Errno::ERANGE), "the value is looked at first");
    assert_eq!(process.setval(semid, 5, -1), Err(Errno::ERANGE));
    assert_eq!(process.setval(semid + 1, 5, 1), Err(Errno::EINVAL));
    assert_eq!(process.setval(semid, 2, 1), Err(Errno::EINVAL));
    assert_eq!(process.setval(semid, -1, 1), Err(Errno::EINVAL));
    assert_eq!(process.setall(semid, &[0, 32768]), Err(Errno::ERANGE));
    assert_eq!(process.setall(semid, &[0]), Err(Errno::EFAULT));
    assert_eq!(process.getval(semid, 2), Err(Errno::EINVAL));
    assert_eq!(process.getncnt(semid, -1), Err(Errno::EINVAL));
    assert_eq!(process.sem_stat(1), Err(Errno::EINVAL));
    assert_eq!(process.sem_stat(-1), Err(Errno::EINVAL));
    assert_eq!(process.ipc_set(semid, IpcSet { uid: u32::MAX, gid: 0, mode: 0 }), Err(Errno::EINVAL));
    assert_eq!(process.rmid(semid + 1), Err(Errno::EINVAL));
    assert_eq!(process.getall(semid).unwrap(), [1, 2], "nothing changed");
    process.rmid(semid).unwrap();
    assert_eq!(process.rmid(semid), Err(Errno::EINVAL));
    assert_eq!(process.getval(semid, 0), Err(Errno::EINVAL));
}

#[test]
fn stat_tells_what_was_done() {
    let (_engine, process, semid) = engine(&[0, 0, 0]);
    let made = process.stat(semid).unwrap();
    assert_eq!((made.sem_otime, made.sem_nsems, made.sem_perm.mode), (0, 3, 0o600));
    assert!(made.sem_ctime > 1_700_000_000, "seconds since 1970");
    assert_eq!([0, 1, 2].map(|num| process.getpid(semid, num).unwrap()), [1, 1, 1], "by SETALL");
    let other = process.fork(2).unwrap();
    other.semop(semid, &[op(1, 3), op(1, -3), op(2, 0)]).unwrap();
    assert_eq!([0, 1, 2].map(|num| process.getpid(semid, num).unwrap()), [1, 2, 2]);
    assert!(process.stat(semid).unwrap().sem_otime > 1_700_000_000);
    process.ipc_set(semid, IpcSet { uid: 5, gid: 6, mode: 0o7777 }).unwrap();
    let (id, set) = process.sem_stat(0).unwrap();
    assert_eq!((id, set.sem_perm.uid, set.sem_perm.gid, set.sem_perm.mode), (semid, 5, 6, 0o777));
    assert_eq!((set.sem_perm.cuid, set.sem_perm.cgid), (0, 0), "who made it stays");
}

/// `ipc/util.c: ipcperms`, once more: the class of the caller decides alone.
fn allowed(class: usize, mode: u32, write: bool) -> bool {
    let bits = [mode >> 6, mode >> 3, mode][class];
    bits & if write { 2 } else { 4 } != 0
}

#[test]
fn permissions_are_those_of_the_callers_class() {
    let engine = Engine::new(Epoch);
    let root = engine.process(Credentials::root(), 1).unwrap();
    let semid = root.semget(9, 1, IPC_CREAT | 0o600).unwrap();
    // The set is user 10's, group 20's.
    let callers = [
        (0, Credentials::user(10, 99)),
        (1, Credentials::user(11, 20)),
        (1, Credentials { groups: vec![3, 20], ..Credentials::user(11, 99) }),
        (1, Credentials::user(11, 0)),
        (2, Credentials::user(11, 99)),
    ];
    for mode in (0..0o1000).step_by(7) {
        root.ipc_set(semid, IpcSet { uid: 10, gid: 20, mode }).unwrap();
        for (class, credentials) in &callers {
            let process = root.fork(2).unwrap();
            process.set_credentials(credentials.clone());
            let result = |write| if allowed(*class, mode, write) { Ok(()) } else { Err(Errno::EACCES) };
            let what = format!("{mode:o} {credentials:?}");
            assert_eq!(process.semop(semid, &[op(0, 1)]), result(true), "{what}");
            assert_eq!(process.semop(semid, &[nowait(0, 1), undo(0, -1)]), result(true), "{what}");
            assert_eq!(process.setval(semid, 0, 0), result(true), "{what}");
            assert_eq!(process.setall(semid, &[0]), result(true), "{what}");
            root.setval(semid, 0, 0).unwrap();
            assert_eq!(process.semop(semid, &[op(0, 0)]), result(false), "waiting for zero reads: {what}");
            assert_eq!(process.getval(semid, 0).map(drop), result(false), "{what}");
            assert_eq!(process.getall(semid).map(drop), result(false), "{what}");
            assert_eq!(process.stat(semid).map(drop), result(false), "{what}");
            assert_eq!(process.sem_stat(0).map(drop), result(false), "{what}");
            assert_eq!(process.sem_stat_any(0).map(|(id, _)| id), Ok(semid), "{what}");
            let both = allowed(*class, mode, false) && allowed(*class, mode, true);
            assert_eq!(process.semget(9, 0, 0o600).is_ok(), both, "{what}");
            assert_eq!(process.semget(9, 0, 0o060).is_ok(), both, "{what}");
            assert_eq!(process.semget(9, 0, 0), Ok(semid), "{what}");
        }
    }
}

#[test]
fn capabilities_open_what_permissions_close() {
    let engine = Engine::new(Epoch);
    let root = engine.process(Credentials::root(), 1).unwrap();
    let semid = root.semget(0, 1, 0).unwrap();
    let process = root.fork(2).unwrap();
    process.set_credentials(Credentials { ipc_owner: true, ..Credentials::user(5, 5) });
    assert_eq!(process.semop(semid, &[op(0, 1)]), Ok(()));
    assert_eq!(process.rmid(semid), Err(Errno::EPERM));
    assert_eq!(process.ipc_set(semid, IpcSet { uid: u32::MAX, gid: 0, mode: 0 }), Err(Errno::EPERM));
    process.set_credentials(Credentials { sys_admin: true, ..Credentials::user(5, 5) });
    assert_eq!(process.semop(semid, &[op(0, 1)]), Err(Errno::EACCES));
    assert_eq!(process.ipc_set(semid, IpcSet { uid: 5, gid: 5, mode: 0o600 }), Ok(()));
    process.set_credentials(Credentials::user(5, 5));
    assert_eq!(process.semop(semid, &[op(0, 1)]), Ok(()));
    assert_eq!(process.rmid(semid), Ok(()), "the owner's");
    let semid = process.semget(0, 1, 0o600).unwrap();
    root.ipc_set(semid, IpcSet { uid: 6, gid: 6, mode: 0 }).unwrap();
    assert_eq!(process.rmid(semid), Ok(()), "the creator's");
}

#[test]
fn processes_have_numbers_of_their_own() {
    let engine = Engine::new(Epoch);
    let process = engine.process(Credentials::user(1, 2), 7).unwrap();
    assert_eq!(engine.process(Credentials::root(), 7).err(), Some(Errno::EEXIST));
    assert_eq!(engine.process(Credentials::root(), 0).err(), Some(Errno::EINVAL));
    assert_eq!(process.fork(7).err(), Some(Errno::EEXIST));
    assert_eq!(process.clone_sysvsem(7).err(), Some(Errno::EEXIST));
    let child = process.fork(8).unwrap();
    assert_eq!((child.pid(), child.credentials()), (8, Credentials::user(1, 2)));
    child.exit();
    assert!(engine.process(Credentials::root(), 8).is_ok(), "numbers come again");
    assert_eq!(engine.open_semundo(9).err(), Some(Errno::ESRCH));
}
