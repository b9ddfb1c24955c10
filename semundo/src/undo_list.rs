//! An undo list as a source tells it: who shares it, and what its end will add to which semaphores.

use serde::{Deserialize, Serialize};

/// What the end of an undo list will add to the semaphores of one set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adjustments {
    /// The set.
    pub semid: i32,
    /// One adjustment a semaphore of the set.
    pub semadj: Vec<i16>,
}

/// A thread, in the numbers of the caller's pid namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The process: its thread-group id.
    pub pid: i32,
    /// The thread; equal to `pid` for the first one.
    pub tid: i32,
    /// The thread's name, at most 15 bytes (`/proc/PID/task/TID/comm`).
    pub comm: String,
}

/// One undo list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndoList {
    /// The threads that share it, ascending; at least one. The adjustments are made when the last of them has exited.
    pub tasks: Vec<Task>,
    /// The inode number of the IPC namespace that the sets are in (`/proc/PID/ns/ipc`).
    pub ipc_namespace: u64,
    /// Ascending by set; sets with nothing to undo are left out.
    pub adjustments: Vec<Adjustments>,
}

impl UndoList {
    /// The processes that share it, ascending.
    pub fn pids(&self) -> Vec<i32> {
        let mut pids: Vec<i32> = self.tasks.iter().map(|task| task.pid).collect();
        pids.dedup();
        pids
    }

    /// The adjustments in one set; empty where there are none.
    pub fn semadj(&self, semid: i32) -> &[i16] {
        let found = self.adjustments.binary_search_by_key(&semid, |adjustments| adjustments.semid);
        found.map_or(&[], |index| &self.adjustments[index].semadj)
    }
}

/// The list that a thread has.
pub fn of_thread(lists: &[UndoList], tid: i32) -> Option<&UndoList> {
    lists.iter().find(|list| list.tasks.iter().any(|task| task.tid == tid))
}

/// The list of a process: that of its first thread that has one. Its threads share one, unless it was made otherwise (`clone(2)`
/// without `CLONE_SYSVSEM`, `unshare(2)`).
pub fn of_process(lists: &[UndoList], pid: i32) -> Option<&UndoList> {
    let first = |list: &UndoList| list.tasks.iter().filter(|task| task.pid == pid).map(|task| task.tid).min();
    lists.iter().filter_map(|list| Some((first(list)?, list))).min_by_key(|(tid, _)| *tid).map(|(_, list)| list)
}
