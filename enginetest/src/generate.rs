//! Random programs: mostly meaningful, so that calls get far, and some that are wrong in each way that there is.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::program::{Call, Command, Credentials, Limits, Op, PROCESSES, Program, Set, Step, Timeout, Who};

/// The largest value of a semaphore: `SEMVMX`.
const MOST: i16 = i16::MAX;

/// Programs of up to this many steps: half of them of anything, half of waiting.
pub fn programs(steps: usize) -> impl Strategy<Value = Program> {
    prop_oneof![mixed(steps), crowded(steps)]
}

/// Anything.
fn mixed(steps: usize) -> impl Strategy<Value = Program> {
    let limits = prop_oneof![9 => Just(None), 1 => limits().prop_map(Some)];
    (limits, 2..=4usize, first_set(), vec(step(call()), 4..=steps)).prop_map(|(limits, processes, first, mut steps)| {
        steps.insert(0, first);
        Program { limits, processes, steps }
    })
}

/// As many processes as there may be, all of root, which wait for the same two semaphores: what comes first there, and what lets whom go on.
fn crowded(steps: usize) -> impl Strategy<Value = Program> {
    let ops = prop_oneof![4 => vec(near(), 1), 5 => vec(near(), 2..=3)];
    let set = Set::Made(0);
    let operation = ops.prop_map(move |ops| Call::Op { set, ops, timeout: Timeout::None });
    let values = prop_oneof![
        3 => (0..=2).prop_map(Command::SetValue),
        2 => vec(0..=2u16, 2).prop_map(Command::SetAll),
    ];
    let change = (0..=1, values).prop_map(move |(semaphore, command)| Call::Control { set, semaphore, command });
    let call = prop_oneof![
        70 => operation,
        12 => change,
        10 => any::<bool>().prop_map(|share| Call::Fork { share }),
        2 => Just(Call::Unshare),
        2 => Just(Call::Exec),
        3 => Just(Call::Exit),
        2 => Just(Call::Interrupt),
        3 => Just(Call::Kill),
    ];
    vec(step(call), 8..=steps).prop_map(|mut steps| {
        let get = Call::Get { key: 1, nsems: 2, flags: libc::IPC_CREAT | 0o600 };
        steps.insert(0, Step { who: Who::Any(0), call: get });
        Program { limits: None, processes: PROCESSES, steps }
    })
}

/// Small changes of two semaphores, and some that come to the largest value.
fn near() -> impl Strategy<Value = Op> {
    let delta = prop_oneof![
        10 => 1..=2i16,
        12 => -2..=-1i16,
        8 => Just(0),
        1 => select(vec![MOST, MOST - 1, -MOST, 1 - MOST]),
    ];
    (0..=1u16, delta, prop::bool::weighted(0.05), prop::bool::weighted(0.3))
        .prop_map(|(semaphore, delta, nowait, undo)| Op { semaphore, delta, nowait, undo })
}

/// Small enough to be reached.
fn limits() -> impl Strategy<Value = Limits> {
    (1..=5, 1..=9, 1..=4, 1..=3).prop_map(|(semmsl, semmns, semopm, semmni)| Limits { semmsl, semmns, semopm, semmni })
}

/// The set that there is from the start, so that shrinking does not lose itself in calls on none.
fn first_set() -> impl Strategy<Value = Step> {
    (2..=3, select(vec![0o600, 0o666, 0o640, 0o604])).prop_map(|(nsems, mode)| {
        let flags = libc::IPC_CREAT | mode;
        Step { who: Who::Any(0), call: Call::Get { key: 1, nsems, flags } }
    })
}

fn step(call: impl Strategy<Value = Call>) -> impl Strategy<Value = Step> {
    (any::<u8>(), call).prop_map(|(who, call)| Step { who: Who::Any(who), call })
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => get(),
        52 => operation(),
        22 => control(),
        5 => any::<bool>().prop_map(|share| Call::Fork { share }),
        1 => limits().prop_map(Call::Limit),
        2 => Just(Call::Unshare),
        1 => Just(Call::Exec),
        3 => Just(Call::Exit),
        3 => credentials().prop_map(Call::Become),
        3 => Just(Call::Interrupt),
        2 => Just(Call::Kill),
    ]
}

fn get() -> impl Strategy<Value = Call> {
    let key = prop_oneof![2 => Just(libc::IPC_PRIVATE), 6 => 1..=3, 1 => Just(-7)];
    let nsems =
        prop_oneof![8 => 1..=4, 2 => Just(0), 1 => select(vec![-1, 5, 6, i32::MIN, 32_001, i32::MAX]), 1 => 60..=70];
    let create = prop_oneof![
        5 => Just(libc::IPC_CREAT),
        2 => Just(0),
        2 => Just(libc::IPC_CREAT | libc::IPC_EXCL),
        1 => Just(libc::IPC_EXCL),
    ];
    (key, nsems, create, mode()).prop_map(|(key, nsems, create, mode)| Call::Get {
        key,
        nsems,
        flags: create | i32::from(mode),
    })
}

fn mode() -> impl Strategy<Value = u16> {
    prop_oneof![3 => Just(0o600), 3 => Just(0o666), 2 => 0..=0o777u16, 1 => any::<u16>().prop_map(|mode| mode & !0o3000)]
}

fn set() -> impl Strategy<Value = Set> {
    prop_oneof![
        60 => Just(Set::Made(0)),
        30 => any::<u8>().prop_map(Set::Made),
        1 => any::<u8>().prop_map(Set::Stale),
        1 => select(vec![-1, 0, 1, 5, 32_768, i32::MAX, i32::MIN]).prop_map(Set::Is),
    ]
}

fn operation() -> impl Strategy<Value = Call> {
    let few = vec(op(), 1..=4);
    let ops = prop_oneof![60 => vec(op(), 1), 36 => few, 2 => vec(op(), 5..=12), 1 => many(), 1 => Just(Vec::new())];
    let timeout = prop_oneof![
        80 => Just(Timeout::None),
        12 => Just(Timeout::Long),
        8 => Just(Timeout::Zero),
        1 => Just(Timeout::Short),
        1 => select(vec![(-1, 0), (0, -1), (0, 1_000_000_000), (i64::MIN, i64::MAX)])
            .prop_map(|(sec, nsec)| Timeout::Invalid(sec, nsec)),
    ];
    (set(), ops, timeout).prop_map(|(set, ops, timeout)| Call::Op { set, ops, timeout })
}

/// About as many as the kernel takes in one call (SEMOPM).
fn many() -> impl Strategy<Value = Vec<Op>> {
    (op(), select(vec![64, 65, 499, 500, 501])).prop_map(|(op, count)| vec![op; count])
}

fn op() -> impl Strategy<Value = Op> {
    let semaphore =
        prop_oneof![6 => Just(0), 5 => Just(1), 4 => Just(2), 1 => Just(3), 1 => select(vec![4, 63, 64, 65, u16::MAX])];
    let delta = prop_oneof![
        20 => 1..=2i16,
        30 => -3..=-1i16,
        12 => Just(0),
        3 => select(vec![MOST, MOST - 1, -MOST, 1 - MOST, i16::MIN, 16_384, -16_384]),
        1 => any::<i16>(),
    ];
    (semaphore, delta, prop::bool::weighted(0.1), prop::bool::weighted(0.4))
        .prop_map(|(semaphore, delta, nowait, undo)| Op { semaphore, delta, nowait, undo })
}

fn control() -> impl Strategy<Value = Call> {
    let semaphore = prop_oneof![12 => 0..=2, 1 => select(vec![3, 4, -1, 64, i32::MAX, i32::MIN])];
    (set(), semaphore, command()).prop_map(|(set, semaphore, command)| Call::Control { set, semaphore, command })
}

fn command() -> impl Strategy<Value = Command> {
    let value = prop_oneof![8 => 0..=4, 2 => select(vec![32_767, 32_766, 32_768, 65_535, -1, i32::MAX, i32::MIN])];
    let element = prop_oneof![9 => 0..=4u16, 1 => select(vec![32_766, 32_767, 32_768, 65_535])];
    let id = select(vec![0, 1000, 1001, u32::MAX]);
    prop_oneof![
        2 => Just(Command::Stat),
        4 => (id.clone(), id, mode()).prop_map(|(uid, gid, mode)| Command::Set { uid, gid, mode }),
        3 => Just(Command::Remove),
        1 => Just(Command::GetValue),
        6 => value.prop_map(Command::SetValue),
        1 => Just(Command::GetAll),
        4 => vec(element, 1..=3).prop_map(Command::SetAll),
        1 => Just(Command::GetPid),
        1 => Just(Command::GetGrowers),
        1 => Just(Command::GetZeroers),
        1 => Just(Command::StatIndex),
        1 => Just(Command::StatAny),
        1 => Just(Command::Info),
        1 => Just(Command::UsedInfo),
    ]
}

fn credentials() -> impl Strategy<Value = Credentials> {
    let uid = prop_oneof![2 => Just(0), 2 => Just(1000), 1 => Just(1001)];
    let gid = || select(vec![0, 1000, 1001]);
    let may = || prop::bool::weighted(0.3);
    (uid, gid(), vec(gid(), 0..=2), may(), may()).prop_map(|(uid, gid, groups, ipc_owner, sys_admin)| Credentials {
        uid,
        gid,
        groups,
        ipc_owner,
        sys_admin,
    })
}
