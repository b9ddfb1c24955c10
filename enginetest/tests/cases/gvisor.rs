//! The cases of gVisor's `test/syscalls/linux/semaphore.cc`. Its random one is `tests/random.rs`; its namespaces are those of all cases here.

use enginetest::program::{Call, Command, Limits, Timeout};
use libc::{EACCES, EAGAIN, EEXIST, EFBIG, EIDRM, EINTR, EINVAL, ENOENT, ENOSPC};
use libc::{IPC_CREAT, IPC_EXCL, IPC_PRIVATE};

use crate::table::Returns::{Error, Number, Process, Stat, Used, Values};
use crate::table::{Case, Row, drop_ipc_owner, fork, get, nowait, op, semctl, semop, semtimedop, simple, value};

/// A set of its own with that many semaphores.
fn private(nsems: i32) -> Row {
    get(1, IPC_PRIVATE, nsems, IPC_CREAT | 0o600)
}

/// Others that wait for a semaphore of a set whose permissions were not enough to look at first.
fn waiting(name: &'static str, delta: i16, then: Vec<Row>) -> Case {
    let count = || if delta == 0 { Command::GetZeroers } else { Command::GetGrowers };
    let mut rows = vec![
        drop_ipc_owner(1),
        get(1, IPC_PRIVATE, 1, IPC_CREAT | 0o200),
        semctl(1, 0, 0, count()).fails(EACCES),
        semctl(1, 0, 0, Command::Set { uid: 0, gid: 0, mode: 0o600 }),
        semctl(1, 0, 0, Command::SetValue(if delta == 0 { 1 } else { 0 })),
        semctl(1, 0, 0, count()),
    ];
    rows.extend((2..=5).map(|process| semop(process, 0, &[op(0, delta)]).sleeps()));
    rows.push(semctl(1, 0, 0, count()).returns(Number(4)));
    rows.extend(then);
    Case::new(name, 5, rows)
}

/// All of them woken.
fn wake_all(row: Row, returns: fn() -> crate::table::Returns) -> Row {
    (2..=5).fold(row, |row, process| row.wakes(process, returns()))
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new(
            "SemGet",
            1,
            vec![
                get(1, 1, 10, IPC_CREAT),
                get(1, 1, 10, IPC_CREAT),
                get(1, 1, 9, IPC_CREAT),
                get(1, 1, 11, IPC_CREAT).fails(EINVAL),
                get(1, 1, -1, IPC_CREAT).fails(EINVAL),
                get(1, 1, 10, IPC_CREAT | IPC_EXCL).fails(EEXIST),
                get(1, 2, 1, 0).fails(ENOENT),
                get(1, 2, 0, IPC_CREAT).fails(EINVAL),
                get(1, IPC_PRIVATE, 1, 0).returns(Number(1)),
                get(1, IPC_PRIVATE, 1, 0).returns(Number(2)),
            ],
        ),
        Case {
            limits: Some(Limits { semmsl: 32_000, semmns: 1_024_000_000, semopm: 500, semmni: 2 }),
            ..Case::new(
                "SemGetSystemLimits",
                1,
                vec![
                    get(1, IPC_PRIVATE, 32_001, 0).fails(EINVAL),
                    get(1, IPC_PRIVATE, 1, 0),
                    get(1, IPC_PRIVATE, 1, 0).returns(Number(1)),
                    get(1, IPC_PRIVATE, 1, 0).fails(ENOSPC),
                ],
            )
        },
    ];
    for (name, timeout) in [("SemOpSingleNoBlock", Timeout::None), ("SemTimedOpSingleNoBlock", Timeout::Long)] {
        let call = |semid, ops: &[_]| semtimedop(1, semid, ops, timeout);
        cases.push(Case::new(
            name,
            1,
            vec![
                private(1),
                call(0, &[op(0, 1)]),
                call(0, &[op(0, -1)]),
                call(0, &[op(0, 0)]),
                call(1, &[op(0, 0)]).fails(EINVAL),
                call(0, &[op(1, 0)]).fails(EFBIG),
                call(0, &[]).fails(EINVAL),
            ],
        ));
    }
    cases.extend([
        Case::new(
            "SemOpMultiNoBlock",
            1,
            vec![
                private(4),
                semop(1, 0, &[op(0, 10), op(1, 2), op(2, 3), op(0, -5), op(2, 2)]),
                semctl(1, 0, 0, Command::GetAll).returns(Values(vec![5, 2, 5, 0])),
                semop(1, 0, &[op(0, 5), op(1, -2), op(2, -3), op(0, -10), op(2, -2)]),
                semctl(1, 0, 0, Command::GetAll).returns(Values(vec![0; 4])),
            ],
        ),
        Case::new(
            "SemOpBlock",
            2,
            vec![private(1), semop(1, 0, &[op(0, -1)]).sleeps(), semop(2, 0, &[op(0, 1)]).wakes(1, Number(0))],
        ),
        Case::new("SemTimedOpBlock", 1, vec![private(1), semtimedop(1, 0, &[op(0, -1)], Timeout::Short).fails(EAGAIN)]),
        Case::new(
            "SemOpNoBlock",
            1,
            vec![
                private(1),
                semop(1, 0, &[nowait(0, -1)]).fails(EAGAIN),
                semop(1, 0, &[nowait(0, 1)]),
                semop(1, 0, &[nowait(0, 0)]).fails(EAGAIN),
            ],
        ),
        Case::new(
            "SemOpRemoveWithWaiter",
            2,
            vec![
                private(2),
                semop(2, 0, &[op(0, -1)]).sleeps(),
                semctl(1, 0, 0, Command::Remove).wakes(2, Error(EIDRM)),
            ],
        ),
        Case::new(
            "SemOpBestFitExecution",
            3,
            vec![
                private(1),
                semop(2, 0, &[op(0, -2)]).sleeps(),
                semop(1, 0, &[op(0, 1)]),
                semop(1, 0, &[op(0, -1)]),
                semop(3, 0, &[op(0, -1)]).sleeps(),
                semop(1, 0, &[op(0, 1)]).wakes(3, Number(0)),
                semctl(1, 0, 0, Command::Remove).wakes(2, Error(EIDRM)),
            ],
        ),
        Case::new(
            "SemCtlVal",
            2,
            vec![
                private(1),
                value(1, 0, 0, 0),
                semop(2, 0, &[op(0, -10)]).sleeps(),
                semctl(1, 0, 0, Command::SetValue(9)),
                value(1, 0, 0, 9),
                semctl(1, 0, 0, Command::SetValue(20)).wakes(2, Number(0)),
                value(1, 0, 0, 10),
                semop(2, 0, &[op(0, 0)]).sleeps(),
                semctl(1, 0, 0, Command::SetValue(0)).wakes(2, Number(0)),
                value(1, 0, 0, 0),
            ],
        ),
        Case::new(
            "SemCtlValAll",
            1,
            vec![
                private(3),
                semctl(1, 0, 1, Command::GetAll).returns(Values(vec![0; 3])),
                semctl(1, 0, 1, Command::SetAll(vec![0, 10, 20])),
                semctl(1, 0, 1, Command::GetAll).returns(Values(vec![0, 10, 20])),
            ],
        ),
        Case::new(
            "SemCtlGetPid, SemCtlGetPidFork",
            1,
            vec![
                private(1),
                semctl(1, 0, 0, Command::SetValue(1)),
                semctl(1, 0, 0, Command::GetPid).returns(Process(1)),
                fork(1, 2, false),
                semctl(2, 0, 0, Command::SetValue(1)),
                semctl(2, 0, 0, Command::GetPid).returns(Process(2)),
                simple(2, Call::Exit),
                semctl(1, 0, 0, Command::GetPid).returns(Process(2)),
            ],
        ),
        Case::new(
            "SemIpcSet",
            1,
            vec![
                drop_ipc_owner(1),
                private(1),
                semctl(1, 0, 0, Command::Set { uid: 0, gid: 0, mode: 0o400 }),
                semop(1, 0, &[op(0, 1)]).fails(EACCES),
                semctl(1, 0, 0, Command::Set { uid: 0, gid: 0, mode: 0o200 }),
                semop(1, 0, &[op(0, 0)]).fails(EACCES),
            ],
        ),
        Case::new(
            "SemCtlIpcStat",
            1,
            vec![
                drop_ipc_owner(1),
                private(10),
                semctl(1, 0, 0, Command::Stat).returns(Stat(|stat| {
                    let owners = (stat.uid, stat.gid, stat.cuid, stat.cgid) == (0, 0, 0, 0);
                    owners && (stat.key, stat.mode, stat.nsems, stat.operated) == (IPC_PRIVATE, 0o600, 10, false)
                })),
                semctl(1, 0, 0, Command::Set { uid: 0, gid: 0, mode: 0o666 }),
                semop(1, 0, &[op(0, 1)]),
                semctl(1, 0, 0, Command::Stat).returns(Stat(|stat| stat.mode == 0o666 && stat.operated)),
                semctl(1, 1, 0, Command::Stat).fails(EINVAL),
                semctl(1, 0, 0, Command::Set { uid: 0, gid: 0, mode: 0o200 }),
                semctl(1, 0, 0, Command::Stat).fails(EACCES),
            ],
        ),
        waiting(
            "SemopGetzcnt",
            0,
            vec![wake_all(semctl(1, 0, 0, Command::SetValue(0)), || Number(0)), semctl(1, 0, 0, Command::GetZeroers)],
        ),
        waiting(
            "SemopGetncnt",
            -1,
            vec![
                wake_all(semctl(1, 0, 0, Command::SetValue(4)), || Number(0)),
                semctl(1, 0, 0, Command::GetGrowers),
                value(1, 0, 0, 0),
            ],
        ),
    ]);
    for (name, delta) in [("SemopGetzcntOnSetRemoval", 0), ("SemopGetncntOnSetRemoval", -1)] {
        let removed = wake_all(semctl(1, 0, 0, Command::Remove), || Error(EIDRM));
        cases.push(waiting(name, delta, vec![removed, semctl(1, 0, 0, Command::GetZeroers).fails(EINVAL)]));
    }
    for (name, delta) in [("SemopGetzcntOnSignal", 0), ("SemopGetncntOnSignal", -1)] {
        let interrupt = |process| simple(process, Call::Interrupt).wakes(process, Error(EINTR));
        let left = [Command::GetZeroers, Command::GetGrowers].map(|count| semctl(1, 0, 0, count));
        cases.push(waiting(name, delta, (2..=5).map(interrupt).chain(left).collect()));
    }
    let info = |command: fn() -> Command, used: fn() -> crate::table::Returns| {
        vec![
            drop_ipc_owner(1),
            private(3),
            private(3).returns(Number(1)),
            semctl(1, 0, 0, command()).returns(used()),
            semctl(1, 1, 0, Command::StatIndex).returns(Stat(|stat| stat.nsems == 3)),
            semctl(1, 1, 0, Command::Set { uid: 0, gid: 0, mode: 0o200 }),
            semctl(1, 1, 0, Command::StatIndex).fails(EACCES),
            semctl(1, 1, 0, Command::StatAny).returns(Stat(|stat| stat.mode == 0o200)),
            semctl(1, 0, 0, Command::Remove),
            semctl(1, 1, 0, Command::Remove),
        ]
    };
    cases.extend([
        Case::new("IpcInfo", 1, info(|| Command::Info, || Used(1, 20, 32_767))),
        Case::new("SemInfo", 1, info(|| Command::UsedInfo, || Used(1, 2, 6))),
        Case::new("RemoveNonExistentSemaphore", 1, vec![semctl(1, -1, 0, Command::Remove).fails(EINVAL)]),
        Case::new(
            "RemoveDeletedSemaphore",
            1,
            vec![
                get(1, IPC_PRIVATE, 1, 0),
                semctl(1, 0, 0, Command::Remove),
                semctl(1, 0, 0, Command::Remove).fails(EINVAL),
            ],
        ),
    ]);
    cases
}
