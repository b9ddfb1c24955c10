//! The numbers and structures of the calls (`include/uapi/linux/sem.h`, `include/uapi/linux/ipc.h`).

use core::time::Duration;

/// The key of sets that have none (`semget(2)`).
pub const IPC_PRIVATE: i32 = 0;
/// `semget(2)`: make the set where there is none.
pub const IPC_CREAT: i32 = 0o1000;
/// `semget(2)`: fail where there is one.
pub const IPC_EXCL: i32 = 0o2000;
/// `semop(2)`: do not sleep.
pub const IPC_NOWAIT: i16 = 0o4000;
/// `semop(2)`: give it back at exit.
pub const SEM_UNDO: i16 = 0x1000;
/// The largest value of a semaphore.
pub const SEMVMX: i32 = 32767;
/// The largest adjustment.
pub const SEMAEM: i32 = SEMVMX;
/// How many sets there can be at most (`include/linux/ipc_namespace.h: IPCMNI`).
pub const IPCMNI: i32 = 1 << IPCMNI_SHIFT;
pub(super) const IPCMNI_SHIFT: u32 = 15;

/// One operation of `semop(2)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SemBuf {
    /// The semaphore's number in the set.
    pub sem_num: u16,
    /// What is added to its value; 0 waits for the value 0.
    pub sem_op: i16,
    /// [`IPC_NOWAIT`], [`SEM_UNDO`].
    pub sem_flg: i16,
}

impl SemBuf {
    /// The operation of these three.
    #[must_use]
    pub const fn new(sem_num: u16, sem_op: i16, sem_flg: i16) -> Self {
        Self { sem_num, sem_op, sem_flg }
    }
}

/// A time as the calls take it, which may be invalid: `struct timespec`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Timespec {
    /// Seconds.
    pub tv_sec: i64,
    /// Nanoseconds, of which a valid time has less than a second's.
    pub tv_nsec: i64,
}

impl Timespec {
    /// The time as a duration; `None` where it is invalid (`include/linux/time64.h: timespec64_valid`).
    pub(super) fn duration(self) -> Option<Duration> {
        let nanoseconds = u32::try_from(self.tv_nsec).ok().filter(|nanoseconds| *nanoseconds < 1_000_000_000)?;
        Some(Duration::new(u64::try_from(self.tv_sec).ok()?, nanoseconds))
    }
}

impl From<Duration> for Timespec {
    fn from(time: Duration) -> Self {
        Self { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(time.subsec_nanos()) }
    }
}

/// Whose a set is, and who may do what: `struct ipc_perm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpcPerm {
    /// The key that `semget(2)` was called with.
    pub key: i32,
    /// The owner.
    pub uid: u32,
    /// The owner's group.
    pub gid: u32,
    /// The creator.
    pub cuid: u32,
    /// The creator's group.
    pub cgid: u32,
    /// Read (0444) and alter (0222) permission.
    pub mode: u32,
    /// How often the identifiers had been through when the set was made.
    pub seq: u32,
}

/// What `semctl(IPC_STAT)` tells of a set: `struct semid_ds`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SemidDs {
    /// Whose it is.
    pub sem_perm: IpcPerm,
    /// The seconds at which `semop(2)` last succeeded; 0 for never.
    pub sem_otime: i64,
    /// The seconds at which the set was made or `semctl(2)` last changed it.
    pub sem_ctime: i64,
    /// How many semaphores it has.
    pub sem_nsems: u64,
}

/// What `semctl(IPC_SET)` sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IpcSet {
    /// The new owner.
    pub uid: u32,
    /// The new owner's group.
    pub gid: u32,
    /// The new permissions, of which the lowest nine bits count.
    pub mode: u32,
}

/// What `semctl(IPC_INFO)` and `semctl(SEM_INFO)` tell: `struct seminfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SemInfo {
    /// Unused: [`semmns`](Self::semmns)'s default.
    pub semmap: i32,
    /// The limit on sets.
    pub semmni: i32,
    /// The limit on semaphores.
    pub semmns: i32,
    /// Unused: as [`semmap`](Self::semmap).
    pub semmnu: i32,
    /// The limit on semaphores of a set.
    pub semmsl: i32,
    /// The limit on operations of a call.
    pub semopm: i32,
    /// Unused: the default of [`semopm`](Self::semopm).
    pub semume: i32,
    /// `IPC_INFO`: unused, 20. `SEM_INFO`: how many sets there are.
    pub semusz: i32,
    /// The largest value.
    pub semvmx: i32,
    /// `IPC_INFO`: the largest adjustment. `SEM_INFO`: how many semaphores there are.
    pub semaem: i32,
}

/// The four numbers of `/proc/sys/kernel/sem`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many semaphores a set may have.
    pub semmsl: i32,
    /// How many semaphores there may be.
    pub semmns: i32,
    /// How many operations a call may have.
    pub semopm: i32,
    /// How many sets there may be; not more than [`IPCMNI`] whatever it says.
    pub semmni: i32,
}

impl Default for Limits {
    /// `include/uapi/linux/sem.h`: what a new IPC namespace has.
    fn default() -> Self {
        Self { semmsl: 32000, semmns: 1_024_000_000, semopm: 500, semmni: 32000 }
    }
}
