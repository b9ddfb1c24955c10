//! Borders that random programs seldom come to: of values, adjustments, operations in a call, identifiers, shared lists.

use enginetest::program::{Call, Command};
use libc::{EACCES, EAGAIN, EFBIG, EINVAL, ERANGE};
use libc::{IPC_CREAT, IPC_PRIVATE};

use crate::table::Returns::{Number, Values};
use crate::table::{Case, Row, become_user, fork, get, nowait, op, semctl, semop, simple, undo, value};

const MOST: i16 = i16::MAX;

fn private(nsems: i32) -> Row {
    get(1, IPC_PRIVATE, nsems, IPC_CREAT | 0o600)
}

/// A set after the other, each removed at once: indices go round after 64 of them, and the sequence number grows
/// (`ipc/util.c: ipc_idr_alloc`).
fn round_of_identifiers() -> Vec<Row> {
    let identifier = |count: i32| count % 64 + ((count / 64) << 15);
    let pairs =
        (0..200).map(identifier).map(|semid| [private(1).returns(Number(semid)), semctl(1, semid, 0, Command::Remove)]);
    pairs.flatten().collect()
}

pub fn cases() -> Vec<Case> {
    vec![
        Case::new("identifiers go round", 1, round_of_identifiers()),
        Case::new(
            "a set that is too small, before one that may not be had",
            2,
            vec![
                get(1, 5, 1, IPC_CREAT),
                become_user(2, 1000),
                get(2, 5, 2, 0o600).fails(EINVAL),
                get(2, 5, 1, 0o600).fails(EACCES),
            ],
        ),
        Case::new(
            "the largest set",
            1,
            vec![
                private(32_000),
                semctl(1, 0, 31_999, Command::SetValue(7)),
                value(1, 0, 31_999, 7),
                semop(1, 0, &[undo(31_999, -7)]),
                semctl(1, 0, 0, Command::GetAll).returns(Values(vec![0; 32_000])),
                semop(1, 0, &[op(32_000, 1)]).fails(EFBIG),
                semctl(1, 0, 32_000, Command::GetValue).fails(EINVAL),
                private(32_001).fails(EINVAL),
            ],
        ),
        Case::new(
            "adjustments from -32768 to 32767",
            2,
            vec![
                private(2),
                semop(1, 0, &[undo(0, MOST)]),
                semop(2, 0, &[op(0, -1)]),
                semop(1, 0, &[undo(0, 1)]),
                semop(2, 0, &[op(0, -1)]),
                semop(1, 0, &[undo(0, 1)]).fails(ERANGE),
                semctl(2, 0, 1, Command::SetValue(32_767)),
                semop(1, 0, &[undo(1, -MOST)]),
                semop(2, 0, &[op(1, 1)]),
                semop(1, 0, &[undo(1, -1)]).fails(ERANGE),
                // The ends: below 0 and above 32767 there is nothing.
                simple(1, Call::Exit),
                semctl(2, 0, 0, Command::GetAll).returns(Values(vec![0, 32_767])),
            ],
        ),
        Case::new(
            "all of a call or nothing, on a semaphore more than once",
            2,
            vec![
                private(2),
                semop(1, 0, &[op(0, 2), undo(0, -1), undo(1, 3), nowait(0, -2)]).fails(EAGAIN),
                semctl(1, 0, 0, Command::GetAll).returns(Values(vec![0, 0])),
                semop(1, 0, &[op(0, MOST), op(0, -MOST), undo(0, 5), op(1, MOST), op(1, 1)]).fails(ERANGE),
                semctl(1, 0, 0, Command::GetAll).returns(Values(vec![0, 0])),
                semop(1, 0, &[op(0, 2), op(0, -2), op(0, 0), undo(0, 1)]),
                value(1, 0, 0, 1),
                simple(1, Call::Exit),
                value(2, 0, 0, 0),
            ],
        ),
        Case::new(
            "as many operations as there may be, which are on some semaphores by their number modulo 64",
            1,
            vec![
                private(70),
                semop(1, 0, &[op(1, 1), op(65, 1), op(1, -1), op(65, 0)]).sleeps(),
                simple(1, Call::Interrupt).wakes(1, crate::table::Returns::Error(libc::EINTR)),
                semop(1, 0, &[undo(1, 1); 500]),
                value(1, 0, 1, 500),
                semop(1, 0, &[undo(1, 1); 501]).fails(libc::E2BIG),
            ],
        ),
        Case::new(
            "a shared list is undone by the last",
            1,
            vec![
                private(1),
                semop(1, 0, &[undo(0, 3)]),
                fork(1, 2, true),
                fork(1, 3, false),
                semop(2, 0, &[undo(0, 4)]),
                semop(3, 0, &[undo(0, 5)]),
                simple(1, Call::Exit),
                value(2, 0, 0, 12),
                simple(3, Call::Exit),
                value(2, 0, 0, 7),
                fork(2, 4, false),
                simple(2, Call::Exit),
                value(4, 0, 0, 0),
            ],
        ),
        Case::new(
            "a list outlives exec, and ends with unshare",
            2,
            vec![
                private(1),
                semop(1, 0, &[undo(0, 3)]),
                simple(1, Call::Exec),
                value(2, 0, 0, 3),
                semop(1, 0, &[undo(0, 1)]),
                simple(1, Call::Unshare),
                value(2, 0, 0, 0),
                semop(1, 0, &[undo(0, 2)]),
                simple(1, Call::Kill),
                value(2, 0, 0, 0),
            ],
        ),
        Case::new(
            "the end of one lets others go on",
            4,
            vec![
                private(2),
                semop(1, 0, &[undo(0, 1), undo(1, 1)]),
                semop(2, 0, &[op(0, 0), op(1, 0), op(1, 2)]).sleeps(),
                semop(3, 0, &[op(1, -2)]).sleeps(),
                semop(4, 0, &[op(1, 0)]).sleeps(),
                simple(1, Call::Exit).wakes(2, Number(0)).wakes(3, Number(0)).wakes(4, Number(0)),
            ],
        ),
        Case::new(
            "values that are set make adjustments zero",
            2,
            vec![
                private(2),
                semop(1, 0, &[undo(0, 3), undo(1, 4)]),
                semctl(2, 0, 0, Command::SetValue(10)),
                simple(1, Call::Unshare),
                semctl(2, 0, 0, Command::GetAll).returns(Values(vec![10, 0])),
                semop(1, 0, &[undo(0, 3), undo(1, 4)]),
                semctl(2, 0, 0, Command::SetAll(vec![20, 30])),
                simple(1, Call::Exit),
                semctl(2, 0, 0, Command::GetAll).returns(Values(vec![20, 30])),
            ],
        ),
    ]
}
