//! The cases of the Linux Test Project, `testcases/kernel/syscalls/ipc/{semget,semop,semctl}`.

use enginetest::program::{Call, Command, Limits, Timeout};
use libc::{E2BIG, EACCES, EAGAIN, EEXIST, EFBIG, EIDRM, EINTR, EINVAL, ENOENT, ENOSPC, EPERM, ERANGE};
use libc::{IPC_CREAT, IPC_EXCL};

use crate::table::Returns::{Error, Number, Process, Stat, Used, Values};
use crate::table::{Case, Row, become_user, fork, get, nowait, op, semctl, semop, semtimedop, simple, undo, value};

const KEY: i32 = 0x1234;
/// How many semaphores their sets have.
const PSEMS: i32 = 10;
/// Read and alter permission of the owner.
const SEM_RA: i32 = 0o600;
/// A user who is not root.
const NOBODY: u32 = 65_534;

/// The set that most cases begin with.
fn create(process: u32) -> Row {
    get(process, KEY, PSEMS, IPC_CREAT | IPC_EXCL | SEM_RA)
}

pub fn semget() -> Vec<Case> {
    let few_sets = Limits { semmsl: 32_000, semmns: 1_024_000_000, semopm: 500, semmni: 3 };
    vec![
        Case::new(
            "semget01: a new set",
            1,
            vec![
                become_user(1, NOBODY),
                create(1),
                semctl(1, 0, 0, Command::Stat)
                    .returns(Stat(|stat| (stat.nsems, stat.cuid, stat.uid, stat.mode) == (10, NOBODY, NOBODY, 0o600))),
            ],
        ),
        Case::new(
            "semget02: no permission, there is one",
            1,
            vec![
                become_user(1, NOBODY),
                get(1, KEY, PSEMS, IPC_CREAT | IPC_EXCL),
                get(1, KEY, PSEMS, SEM_RA).fails(EACCES),
                get(1, KEY, PSEMS, IPC_CREAT | IPC_EXCL).fails(EEXIST),
            ],
        ),
        Case::new("semget03: there is none", 1, vec![get(1, KEY, PSEMS, SEM_RA).fails(ENOENT)]),
        Case {
            limits: Some(few_sets),
            ..Case::new(
                "semget05: more sets than there may be",
                1,
                vec![
                    get(1, KEY, PSEMS, IPC_CREAT | IPC_EXCL),
                    get(1, KEY + 1, PSEMS, IPC_CREAT | IPC_EXCL).returns(Number(1)),
                    get(1, KEY + 2, PSEMS, IPC_CREAT | IPC_EXCL).returns(Number(2)),
                    get(1, KEY + 3, PSEMS, IPC_CREAT | IPC_EXCL | SEM_RA).fails(ENOSPC),
                ],
            )
        },
        Case::new(
            "semget06: too many, too few semaphores",
            1,
            vec![
                get(1, KEY, 32_001, IPC_CREAT | IPC_EXCL | SEM_RA).fails(EINVAL),
                get(1, KEY, -1, IPC_CREAT | IPC_EXCL | SEM_RA).fails(EINVAL),
                get(1, KEY, 0, IPC_CREAT | IPC_EXCL | SEM_RA).fails(EINVAL),
            ],
        ),
    ]
}

pub fn semop_cases() -> Vec<Case> {
    let squares = [undo(0, 0), undo(1, 1), undo(2, 4), undo(3, 9)];
    let all = || semctl(1, 0, 0, Command::GetAll).returns(Values(vec![0, 1, 4, 9, 0, 0, 0, 0, 0, 0]));
    let mut cases = vec![
        Case::new("semop01: several operations in one call", 1, vec![create(1), semop(1, 0, &squares), all()]),
        Case::new(
            "semop01: the same with a timeout",
            1,
            vec![create(1), semtimedop(1, 0, &squares, Timeout::Long), all()],
        ),
        Case::new(
            "semop02: what is wrong with a call",
            1,
            vec![
                become_user(1, NOBODY),
                create(1),
                get(1, KEY + 1, PSEMS, IPC_CREAT | IPC_EXCL).returns(Number(1)),
                semop(1, 0, &[op(0, 1); 501]).fails(E2BIG),
                semop(1, 1, &[op(0, 1); 5]).fails(EACCES),
                semop(1, 0, &[]).fails(EINVAL),
                semop(1, -1, &[op(0, 1); 5]).fails(EINVAL),
                semop(1, 0, &[op(u16::MAX, 1)]).fails(EFBIG),
                semop(1, 0, &[op(PSEMS as u16, 1)]).fails(EFBIG),
                semop(1, 0, &[op(0, i16::MAX)]),
                semop(1, 0, &[op(0, 1)]).fails(ERANGE),
                semtimedop(1, 0, &[op(0, 1)], Timeout::Invalid(-1, 0)).fails(EINVAL),
                semtimedop(1, 0, &[op(0, 1)], Timeout::Invalid(0, 1_000_000_000)).fails(EINVAL),
            ],
        ),
        Case::new(
            "semop04: it would wait, and must not",
            1,
            vec![
                create(1),
                semctl(1, 0, 2, Command::SetValue(1)),
                semop(1, 0, &[nowait(2, 0)]).fails(EAGAIN),
                semctl(1, 0, 2, Command::SetValue(0)),
                semop(1, 0, &[nowait(2, -1)]).fails(EAGAIN),
            ],
        ),
        Case::new(
            "semop05: it waits, and the time is over",
            1,
            vec![create(1), semtimedop(1, 0, &[op(2, -1)], Timeout::Short).fails(EAGAIN)],
        ),
    ];
    for (name, timeout) in [
        ("semop03: removal and signals, with a timeout", Timeout::Long),
        ("semop05: removal and signals", Timeout::None),
    ] {
        let sleeps = |semid, semaphore, delta| semtimedop(2, semid, &[op(semaphore, delta)], timeout).sleeps();
        let remove = |semid| semctl(1, semid, 0, Command::Remove).wakes(2, Error(EIDRM));
        let interrupt = || simple(2, Call::Interrupt).wakes(2, Error(EINTR));
        cases.push(Case::new(
            name,
            2,
            vec![
                create(1),
                semctl(1, 0, 2, Command::SetValue(1)),
                sleeps(0, 2, 0),
                remove(0),
                create(1).returns(Number(1)),
                semctl(1, 1, 3, Command::SetValue(0)),
                sleeps(1, 3, -1),
                remove(1),
                create(1).returns(Number(2)),
                semctl(1, 2, 4, Command::SetValue(1)),
                sleeps(2, 4, 0),
                interrupt(),
                semctl(1, 2, 5, Command::SetValue(0)),
                sleeps(2, 5, -1),
                interrupt(),
            ],
        ));
    }
    cases
}

pub fn semctl_cases() -> Vec<Case> {
    vec![
        Case::new(
            "semctl01: each command",
            5,
            vec![
                create(1),
                semctl(1, 0, 0, Command::Stat).returns(Stat(|stat| (stat.nsems, stat.mode) == (10, 0o600))),
                semctl(1, 0, 0, Command::Set { uid: 0, gid: 0, mode: 0o666 }),
                semctl(1, 0, 0, Command::Stat).returns(Stat(|stat| stat.mode == 0o666)),
                semctl(1, 0, 0, Command::GetAll).returns(Values(vec![0; 10])),
                semop(2, 0, &[op(4, -1)]).sleeps(),
                semop(3, 0, &[op(4, -1)]).sleeps(),
                semop(4, 0, &[op(4, -1)]).sleeps(),
                semctl(1, 0, 4, Command::GetGrowers).returns(Number(3)),
                simple(2, Call::Kill),
                simple(3, Call::Kill),
                simple(4, Call::Kill),
                semctl(1, 0, 4, Command::GetGrowers),
                semop(5, 0, &[op(2, 1)]),
                simple(5, Call::Exit),
                semctl(1, 0, 2, Command::GetPid).returns(Process(5)),
                value(1, 0, 2, 1),
                semop(1, 0, &[op(4, 1)]),
                fork(1, 6, false),
                fork(1, 7, false),
                semop(6, 0, &[op(4, 0)]).sleeps(),
                semop(7, 0, &[op(4, 0)]).sleeps(),
                semctl(1, 0, 4, Command::GetZeroers).returns(Number(2)),
                simple(6, Call::Kill),
                simple(7, Call::Kill),
                semctl(1, 0, 0, Command::SetAll(vec![3])),
                semctl(1, 0, 0, Command::GetAll).returns(Values(vec![3; 10])),
                semctl(1, 0, 4, Command::SetValue(2)),
                value(1, 0, 4, 2),
                semctl(1, 0, 0, Command::Remove),
                semop(1, 0, &[op(4, 1)]).fails(EINVAL),
            ],
        ),
        Case::new(
            "semctl02: no permission to look",
            1,
            vec![
                become_user(1, NOBODY),
                get(1, KEY, PSEMS, IPC_CREAT | IPC_EXCL),
                semctl(1, 0, 0, Command::Stat).fails(EACCES),
            ],
        ),
        Case::new("semctl03: no set", 1, vec![create(1), semctl(1, -1, 0, Command::Stat).fails(EINVAL)]),
        Case::new(
            "semctl04: the set of another",
            2,
            vec![
                get(1, KEY, PSEMS, IPC_CREAT | IPC_EXCL),
                become_user(2, NOBODY),
                semctl(2, 0, 0, Command::Set { uid: NOBODY, gid: NOBODY, mode: 0o666 }).fails(EPERM),
                semctl(2, 0, 0, Command::Remove).fails(EPERM),
            ],
        ),
        Case::new(
            "semctl05: values that are none",
            1,
            vec![
                create(1),
                semctl(1, 0, 5, Command::SetValue(-1)).fails(ERANGE),
                semctl(1, 0, 0, Command::SetAll(vec![65_535])).fails(ERANGE),
                semctl(1, 0, 5, Command::SetValue(65_535)).fails(ERANGE),
                semctl(1, 0, 5, Command::SetValue(32_768)).fails(ERANGE),
            ],
        ),
        Case::new(
            "semctl06: children take and give several at once, and the end of all gives back",
            1,
            vec![
                get(1, KEY, 5, IPC_CREAT | 0o600),
                semop(1, 0, &[undo(0, 100), undo(1, 200), undo(2, 300), undo(3, 400), undo(4, 500)]),
                fork(1, 2, false),
                fork(1, 3, false),
                semop(2, 0, &[undo(0, -60), undo(1, -60), undo(2, -60), undo(3, -60), undo(4, -60)]),
                semop(3, 0, &[undo(0, -50), undo(1, -50), undo(2, -50), undo(3, -50), undo(4, -50)]).sleeps(),
                semop(2, 0, &[undo(0, 60), undo(1, 60), undo(2, 60), undo(3, 60), undo(4, 60)]).wakes(3, Number(0)),
                simple(3, Call::Exit),
                simple(2, Call::Exit),
                semctl(1, 0, 0, Command::GetAll).returns(Values(vec![100, 200, 300, 400, 500])),
                semctl(1, 0, 0, Command::Remove),
            ],
        ),
        Case::new(
            "semctl07: what a new set is like",
            1,
            vec![
                get(1, KEY, 1, IPC_CREAT | SEM_RA),
                semctl(1, 0, 0, Command::Stat)
                    .returns(Stat(|stat| (stat.nsems, stat.uid, stat.gid, stat.cuid, stat.cgid) == (1, 0, 0, 0, 0))),
                value(1, 0, 0, 0),
                semctl(1, 0, 0, Command::GetPid).returns(Process(0)),
                semctl(1, 0, 0, Command::SetValue(1)),
                value(1, 0, 0, 1),
                semctl(1, 0, 0, Command::GetPid).returns(Process(1)),
                semctl(1, 0, 0, Command::GetGrowers),
                semctl(1, 0, 0, Command::GetZeroers),
            ],
        ),
        Case::new(
            "semctl08: the times",
            1,
            vec![
                get(1, KEY, 1, IPC_CREAT | SEM_RA),
                semctl(1, 0, 0, Command::Stat).returns(Stat(|stat| !stat.operated && stat.changed)),
                semop(1, 0, &[op(0, 0)]),
                semctl(1, 0, 0, Command::Stat).returns(Stat(|stat| stat.operated && stat.changed)),
            ],
        ),
        Case::new(
            "semctl09: how many there are, for root and for others",
            2,
            vec![
                get(1, libc::IPC_PRIVATE, 2, IPC_CREAT | 0o600),
                get(1, libc::IPC_PRIVATE, 3, IPC_CREAT | 0o600).returns(Number(1)),
                semctl(1, 0, 0, Command::UsedInfo).returns(Used(1, 2, 5)),
                semctl(1, 1, 0, Command::StatAny).returns(Stat(|stat| stat.nsems == 3)),
                become_user(2, NOBODY),
                semctl(2, 0, 0, Command::UsedInfo).returns(Used(1, 2, 5)),
                semctl(2, 1, 0, Command::StatAny).returns(Stat(|stat| stat.nsems == 3)),
                semctl(2, 1, 0, Command::StatIndex).fails(EACCES),
                semctl(2, 2, 0, Command::StatAny).fails(EINVAL),
            ],
        ),
    ]
}
