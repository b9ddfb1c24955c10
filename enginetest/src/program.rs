//! What is run on both: a few processes and the calls that they make, one after the other.

use serde::{Deserialize, Serialize};

/// How many processes there are at most at a time.
pub const PROCESSES: usize = 5;

/// A program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The limits of the IPC namespace, where they are not the kernel's own.
    pub limits: Option<Limits>,
    /// How many processes there are at first; they are root.
    pub processes: usize,
    /// What they do.
    pub steps: Vec<Step>,
}

/// `/proc/sys/kernel/sem`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// SEMMSL: semaphores in a set.
    pub semmsl: i32,
    /// SEMMNS: semaphores in all sets.
    pub semmns: i32,
    /// SEMOPM: operations in a call.
    pub semopm: i32,
    /// SEMMNI: sets.
    pub semmni: i32,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Who makes it.
    pub who: Who,
    /// What is called.
    pub call: Call,
}

/// A process that a [`Step`] names. Where it cannot make the call, since it sleeps or is gone, the step is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    /// Of the processes that can, the one at this index, modulo their number.
    Any(u8),
    /// The one of this number: the first is 1.
    Process(u32),
}

/// A call of a [`Step`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// `semget(2)`.
    Get {
        /// The key; 0 is `IPC_PRIVATE`.
        key: i32,
        /// How many semaphores.
        nsems: i32,
        /// Flags and permission bits.
        flags: i32,
    },
    /// `semop(2)`, or `semtimedop(2)` with a timeout.
    Op {
        /// The set.
        set: Set,
        /// The operations.
        ops: Vec<Op>,
        /// How long it waits.
        timeout: Timeout,
    },
    /// `semctl(2)`.
    Control {
        /// The set.
        set: Set,
        /// The semaphore's number, which only some commands look at.
        semaphore: i32,
        /// The command, with its argument.
        command: Command,
    },
    /// A child by `clone(2)`, which shares the undo list where that is asked for (`CLONE_SYSVSEM`).
    Fork {
        /// Whether it does.
        share: bool,
    },
    /// Other limits, which do not bind the sets that there are.
    Limit(Limits),
    /// `unshare(CLONE_SYSVSEM)`.
    Unshare,
    /// `execve(2)` of the program itself, which goes on as before.
    Exec,
    /// `_exit(2)`.
    Exit,
    /// Other credentials.
    Become(Credentials),
    /// A signal to the process, which has a handler for it.
    Interrupt,
    /// `SIGKILL` to the process.
    Kill,
}

/// A set that a [`Call`] names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Set {
    /// Of those that were made, the one at this index, modulo their number; -1 where there is none.
    Made(u8),
    /// One of those, with a wrong sequence number.
    Stale(u8),
    /// This number.
    Is(i32),
}

/// An operation: `struct sembuf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// `sem_num`.
    pub semaphore: u16,
    /// `sem_op`.
    pub delta: i16,
    /// `IPC_NOWAIT`.
    pub nowait: bool,
    /// `SEM_UNDO`.
    pub undo: bool,
}

/// How long a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Timeout {
    /// For ever, by `semop(2)`.
    None,
    /// By `semtimedop(2)`, so long that it is as good as for ever.
    Long,
    /// A millisecond.
    Short,
    /// No time at all.
    Zero,
    /// These seconds and nanoseconds, which are not a time.
    Invalid(i64, i64),
}

/// A command of `semctl(2)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// `IPC_STAT`.
    Stat,
    /// `IPC_SET`.
    Set {
        /// The new owner.
        uid: u32,
        /// The new group.
        gid: u32,
        /// The new permission bits.
        mode: u16,
    },
    /// `IPC_RMID`.
    Remove,
    /// `GETVAL`.
    GetValue,
    /// `SETVAL`.
    SetValue(i32),
    /// `GETALL`.
    GetAll,
    /// `SETALL`; as many as the set has, from the first again where they are fewer.
    SetAll(Vec<u16>),
    /// `GETPID`.
    GetPid,
    /// `GETNCNT`.
    GetGrowers,
    /// `GETZCNT`.
    GetZeroers,
    /// `SEM_STAT`; the set's index is that of its identifier.
    StatIndex,
    /// `SEM_STAT_ANY`.
    StatAny,
    /// `IPC_INFO`.
    Info,
    /// `SEM_INFO`.
    UsedInfo,
}

/// What a process may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// The effective user.
    pub uid: u32,
    /// The effective group.
    pub gid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
    /// Whether it has `CAP_IPC_OWNER`.
    pub ipc_owner: bool,
    /// Whether it has `CAP_SYS_ADMIN`.
    pub sys_admin: bool,
}

impl Credentials {
    /// Those that processes begin with.
    #[must_use]
    pub fn root() -> Self {
        Self { uid: 0, gid: 0, groups: Vec::new(), ipc_owner: true, sys_admin: true }
    }
}
