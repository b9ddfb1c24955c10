//! System V semaphores in user space, with the semantics of Linux's `ipc/sem.c`: sets, processes, `SEM_UNDO`.
//!
//! An [`Engine`] is what an IPC namespace is to the kernel. A [`Process`] makes the calls on it: [`semget`](Process::semget),
//! [`semop`](Process::semop), and a function for each command of `semctl(2)`. Results, error numbers and identifiers are those of Linux.
//!
//! Calls on different sets share no lock; nor do calls of one operation on different semaphores of a set. Undo lists are RCU lists: they are
//! read without a lock, by the same walk as the kernel module's ([`Engine::open_semundo`]).
//!
//! # Example
//!
//! ```
//! use rcu_core::flavor::membarrier::Membarrier;
//! use semundo_core::engine::{Credentials, Engine, IPC_CREAT, IPC_NOWAIT, IPC_PRIVATE, SEM_UNDO, SemBuf};
//! use seqfile_core::Errno;
//! use std::io::Read;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::new(Membarrier);
//! let parent = engine.process(Credentials::root(), 100)?;
//! let semid = parent.semget(IPC_PRIVATE, 2, IPC_CREAT | 0o600)?;
//! parent.setval(semid, 0, 1)?;
//!
//! // A child takes the semaphore, and dies with it.
//! let child = parent.fork(101)?;
//! child.semop(semid, &[SemBuf::new(0, -1, SEM_UNDO)])?;
//! assert_eq!(parent.semop(semid, &[SemBuf::new(0, -1, IPC_NOWAIT)]), Err(Errno::EAGAIN));
//!
//! let mut text = String::new();
//! engine.open_semundo(101)?.read_to_string(&mut text)?;
//! assert_eq!(text, format!("{semid} 1 0\n"));
//!
//! child.exit();
//! assert_eq!(parent.getval(semid, 0)?, 1);
//! assert_eq!(parent.getpid(semid, 0)?, 101);
//! # Ok(())
//! # }
//! ```
//!
//! # Sleeping
//!
//! [`Process::semop`] sleeps in the calling thread. [`Process::submit`] does not: it gives a [`Sleeping`] to ask, or to wait on later, which
//! makes order easy to see:
//!
//! ```
//! # use rcu_core::flavor::membarrier::Membarrier;
//! # use semundo_core::engine::{Credentials, Engine, IPC_PRIVATE, SemBuf};
//! # let engine = Engine::new(Membarrier);
//! # let process = engine.process(Credentials::root(), 1).unwrap();
//! let semid = process.semget(IPC_PRIVATE, 1, 0o600).unwrap();
//! let first = process.submit(semid, &[SemBuf::new(0, -2, 0)]).unwrap().expect("sleeps");
//! let second = process.submit(semid, &[SemBuf::new(0, -1, 0)]).unwrap().expect("sleeps");
//! assert_eq!(process.getncnt(semid, 0), Ok(2));
//!
//! process.semop(semid, &[SemBuf::new(0, 1, 0)]).unwrap();
//! assert_eq!(first.result(), None, "too much still");
//! assert_eq!(second.result(), Some(Ok(())), "it may pass those that cannot go on");
//! ```
//!
//! # Sections
//!
//! What is removed is reclaimed after a grace period, and a call that finds too much unreclaimed waits for one (`rcu-core`'s bound). So no call is
//! made inside a read-side critical section of the engine's flavor that the caller has entered itself.
//!
//! # What is exchanged
//!
//! | what | by | given |
//! |---|---|---|
//! | the RCU flavor | [`rcu_core::Flavor`] | all of `rcu-core` |
//! | locks, sleeping, clocks | [`Parking`] | [`ThreadParking`] |
//! | how an undo list keeps its entries | [`UndoStorage`] | [`RcuUndoList`] |

mod abi;
mod credentials;
mod ids;
mod index;
mod namespace;
mod parking;
mod process;
mod queue;
mod semctl;
mod semget;
mod semop;
mod set;
mod storage;
mod undo;
mod views;

use alloc::sync::Arc;
use core::fmt;

use rcu_core::Flavor;
use seqfile_core::{Errno, SeqFile};

pub use abi::{
    IPC_CREAT, IPC_EXCL, IPC_NOWAIT, IPC_PRIVATE, IPCMNI, IpcPerm, IpcSet, Limits, SEM_UNDO, SEMAEM, SEMVMX, SemBuf,
    SemInfo, SemidDs, Timespec,
};
pub use credentials::Credentials;
use namespace::Namespace;
pub use parking::Parking;
#[cfg(feature = "std")]
pub use parking::ThreadParking;
pub use process::Process;
pub use semop::Sleeping;
pub use storage::{RcuUndoList, SemUndo, UndoStorage};
pub use views::{ProcessSource, TableSource};

use crate::walk::HeapWalk;

/// The engine for threads of the standard library.
#[cfg(feature = "std")]
pub type ThreadEngine<F, L = RcuUndoList<F>> = Engine<F, ThreadParking, L>;

/// The file of one undo list: [`Engine::open_semundo`].
pub type UndoFile<F, P, L> = SeqFile<HeapWalk<ProcessSource<F, P, L>>>;

/// The file of all undo lists: [`Engine::open_table`].
pub type TableFile<F, P, L> = SeqFile<HeapWalk<TableSource<F, P, L>>>;

/// Semaphore sets and processes: an IPC namespace. Clones are the same one.
pub struct Engine<F: Flavor, P: Parking, L = RcuUndoList<F>> {
    space: Arc<Namespace<F, P, L>>,
}

#[cfg(feature = "std")]
impl<F: Flavor + Clone + Send + Sync + 'static> ThreadEngine<F> {
    /// An empty one with the [limits](Limits) of a new IPC namespace. Sets and undo lists are read under `flavor`'s RCU.
    pub fn new(flavor: F) -> Self {
        Self::with_limits(flavor, Limits::default())
    }
}

impl<F, P, L> Engine<F, P, L>
where
    F: Flavor + Clone + Send + Sync + 'static,
    P: Parking,
    L: UndoStorage<F>,
{
    /// An empty one of any [`Parking`] and [`UndoStorage`]. Sets and undo lists are read under `flavor`'s RCU.
    pub fn with_limits(flavor: F, limits: Limits) -> Self {
        Self { space: Arc::new(Namespace::new(flavor, limits)) }
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.space.limits.get()
    }

    /// Changes the limits, as a write to `/proc/sys/kernel/sem` does. What is there stays.
    pub fn set_limits(&self, limits: Limits) {
        self.space.limits.set(limits);
    }

    /// A process that has no parent here.
    ///
    /// # Errors
    ///
    /// `EEXIST`: there is a process `pid`. `EINVAL`: a pid is positive.
    pub fn process(&self, credentials: Credentials, pid: i32) -> Result<Process<F, P, L>, Errno> {
        let state = self.space.enter(pid, credentials, None)?;
        Ok(Process { space: Arc::clone(&self.space), state })
    }

    /// Opens the undo list of a process, as `/proc/PID/semundo` is: a line a set, `semid adj0 adj1 ...`. It is read without a lock.
    ///
    /// # Errors
    ///
    /// `ESRCH`: there is no process `pid`.
    pub fn open_semundo(&self, pid: i32) -> Result<UndoFile<F, P, L>, Errno> {
        let state = self.space.process(pid).ok_or(Errno::ESRCH)?;
        Ok(SeqFile::new(HeapWalk::new(ProcessSource::new(state))))
    }

    /// Opens the table of all undo lists, as `/proc/sysvipc/semundo` is: a line a set and process. It is read without a lock.
    #[must_use]
    pub fn open_table(&self) -> TableFile<F, P, L> {
        SeqFile::new(HeapWalk::new(TableSource::new(Arc::clone(&self.space))))
    }
}

impl<F: Flavor, P: Parking, L> Clone for Engine<F, P, L> {
    fn clone(&self) -> Self {
        Self { space: Arc::clone(&self.space) }
    }
}

impl<F: Flavor, P: Parking, L> fmt::Debug for Engine<F, P, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("limits", &self.space.limits.get()).finish_non_exhaustive()
    }
}
