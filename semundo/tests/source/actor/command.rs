//! What a test tells an actor to do.

use std::time::Duration;

use semundo::Adjustments;
use serde::{Deserialize, Serialize};

/// A command. The answer is JSON: what is said here, or else `null`.
#[derive(Serialize, Deserialize)]
pub enum Command {
    /// Leave the IPC namespace for a new one.
    NewIpcNamespace,
    /// Leave the IPC namespace for that of a process.
    JoinIpcNamespace(i32),
    /// Make sets; their identifiers.
    Create { count: usize, nsems: usize },
    /// Make adjustments higher, and leave values as they are.
    Hold(Vec<Hold>),
    /// `SETVAL`.
    SetValue { semid: i32, semaphore: u16, value: u16 },
    /// `SETALL`.
    SetValues { semid: i32, values: Vec<u16> },
    /// `IPC_RMID`.
    Remove(i32),
    /// Start a thread; its number.
    Thread,
    /// Do this on the thread with that number.
    On(i32, Box<Command>),
    /// End the first thread, and go on without it.
    EndFirstThread,
    /// Leave the undo list: `unshare(CLONE_SYSVSEM)`.
    LeaveList,
    /// Make a child with these flags of `clone(2)` that makes adjustments and then waits to be killed; its number.
    Fork { flags: i32, holds: Vec<Hold> },
    /// Go on as a child that is made with these flags of `clone(2)`.
    GoOnAsChild(i32),
    /// Run the program anew in this process.
    Exec,
    /// Until the next command, change the adjustment of each set's second semaphore between 0 and 1.
    Toggle(Vec<i32>),
    /// Until the next command, have children that come, give `index + 1` to the set at index `pid % semids.len()`, stay for a while,
    /// and exit.
    FleetingChildren { semids: Vec<i32>, stay: Duration },
    /// Until the next command, give one to each set and leave the undo list with that.
    FleetingLists(Vec<i32>),
    /// Until the next command, make and remove sets.
    FleetingSets,
    /// End what goes on until the next command.
    Rest,
    /// Give up all capabilities but those.
    KeepCapabilities(Vec<String>),
    /// Become the user `nobody`.
    BecomeNobody,
    /// Read all undo lists with BPF; the lists.
    Read,
    /// Open the source with this name, or the first that works; the name of that.
    Open(Option<String>),
}

/// Adjustments to make in one set.
#[derive(Clone, Serialize, Deserialize)]
pub struct Hold {
    /// The set.
    pub semid: i32,
    /// Semaphores, and what is added to their adjustments.
    pub by: Vec<(u16, i16)>,
}

impl Hold {
    /// What a source is to tell, where the adjustments were zero.
    pub fn told(&self, nsems: usize) -> Adjustments {
        let mut semadj = vec![0; nsems];
        for (semaphore, by) in &self.by {
            semadj[usize::from(*semaphore)] += by;
        }
        Adjustments { semid: self.semid, semadj }
    }
}
