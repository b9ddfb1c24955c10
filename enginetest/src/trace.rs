//! What is seen of a program: after each call its answer, who woke with what, and everything that there is to be read.

use std::collections::BTreeMap;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::program::{Command, Credentials, Limits, Op, Timeout};

/// How many semaphores of a set are looked at.
pub const LOOKED_AT: usize = 128;

/// A process by its number: the first is 1, and none has the number of another, also of one that is gone.
pub type Process = u32;

/// A program's run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// Its calls in order, with the ends of all processes that the program left.
    pub events: Vec<Event>,
}

/// A call, and what was seen after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Who made it, or whom it was done to.
    pub process: Process,
    /// The call.
    pub call: Called,
    /// Its answer.
    pub outcome: Outcome,
    /// Those that slept until then, ascending, with the answers of their calls.
    pub woken: Woken,
    /// What there is then.
    pub world: World,
}

/// A call as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Called {
    /// `semget(2)`: key, number of semaphores, flags.
    Get(i32, i32, i32),
    /// `semop(2)`, `semtimedop(2)`.
    Op(i32, Vec<Op>, Timeout),
    /// `semctl(2)`: the set, the semaphore, the command.
    Control(i32, i32, Command),
    /// `clone(2)`: the child, and whether it shares the undo list.
    Fork(Process, bool),
    /// Other limits.
    Limit(Limits),
    /// `unshare(CLONE_SYSVSEM)`.
    Unshare,
    /// `execve(2)`.
    Exec,
    /// `_exit(2)`.
    Exit,
    /// Other credentials.
    Become(Credentials),
    /// A signal came.
    Interrupt,
    /// `SIGKILL` came.
    Kill,
}

/// How a call went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It returned.
    Answered(Answer),
    /// It sleeps.
    Asleep,
}

/// What a call returned, or its errno.
pub type Answer = Result<Value, Errno>;

/// An errno.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errno(pub i32);

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", io::Error::from_raw_os_error(self.0))
    }
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// A number.
    Number(i32),
    /// Whose number it was; 0 is none.
    Process(Process),
    /// `SEM_STAT` and others: a number, and the set's state.
    Stat(i32, Stat),
    /// `GETALL`.
    All(Vec<u16>),
    /// `IPC_INFO`, `SEM_INFO`: the highest index, and `struct seminfo`.
    Info(i32, Info),
}

impl Value {
    /// What has no value of its own returns.
    pub const NOTHING: Self = Self::Number(0);
}

/// `struct semid_ds`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// The key.
    pub key: i32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// The creator.
    pub cuid: u32,
    /// The creator's group.
    pub cgid: u32,
    /// Permission bits.
    pub mode: u32,
    /// The sequence number.
    pub seq: u32,
    /// How many semaphores.
    pub nsems: u64,
    /// Whether there was an operation.
    pub operated: bool,
    /// Whether there is a time of the last change.
    pub changed: bool,
}

/// `struct seminfo`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// `semmap`.
    pub semmap: i32,
    /// `semmni`.
    pub semmni: i32,
    /// `semmns`.
    pub semmns: i32,
    /// `semmnu`.
    pub semmnu: i32,
    /// `semmsl`.
    pub semmsl: i32,
    /// `semopm`.
    pub semopm: i32,
    /// `semume`.
    pub semume: i32,
    /// `semusz`; in `SEM_INFO` the number of sets.
    pub semusz: i32,
    /// `semvmx`.
    pub semvmx: i32,
    /// `semaem`; in `SEM_INFO` the number of semaphores.
    pub semaem: i32,
}

/// All that there is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// `SEM_INFO`: how many sets, how many semaphores.
    pub used: (i32, i32),
    /// The sets, ascending by index.
    pub sets: Vec<SetState>,
    /// The undo lists of those processes that have one with something to undo; none where they cannot be read.
    pub undo: Option<BTreeMap<Process, UndoList>>,
}

/// An undo list: sets, ascending by identifier, and an adjustment for each of their semaphores.
pub type UndoList = Vec<(i32, Vec<i16>)>;

/// Those that slept, ascending, with the answers of their calls.
pub type Woken = Vec<(Process, Answer)>;

/// A set's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetState {
    /// The identifier.
    pub semid: i32,
    /// `SEM_STAT_ANY`.
    pub stat: Stat,
    /// The semaphores.
    pub semaphores: Vec<Semaphore>,
}

/// A semaphore's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Semaphore {
    /// `GETVAL`.
    pub value: u16,
    /// `GETPID`.
    pub last: Process,
    /// `GETNCNT`.
    pub growers: u32,
    /// `GETZCNT`.
    pub zeroers: u32,
}

impl World {
    /// How many processes sleep: each waits for one semaphore (`ipc/sem.c: count_semcnt`).
    #[must_use]
    pub fn asleep(&self) -> usize {
        let semaphores = self.sets.iter().flat_map(|set| &set.semaphores);
        semaphores.map(|semaphore| (semaphore.growers + semaphore.zeroers) as usize).sum()
    }
}
