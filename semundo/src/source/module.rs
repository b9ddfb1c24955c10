//! The source that the kernel module gives: the table `/proc/sysvipc/semundo`.

use std::collections::BTreeMap;

use super::{Error, Select, Source};
use crate::ipc_namespace::IpcNamespace;
use crate::proc;
use crate::processes;
use crate::undo_list::{Adjustments, Task, UndoList};

/// The module's table. It shows the processes of the reader's IPC namespace, so each namespace is entered for it; entering another
/// one takes `CAP_SYS_ADMIN`. What the caller may not ptrace is not in it.
///
/// The table names a list's processes, and one thread: the others of those processes that share the list are not told.
#[derive(Debug)]
pub struct Module(());

impl Module {
    /// [`Error::Unavailable`] where the module is not loaded.
    pub fn open() -> Result<Self, Error> {
        match std::fs::metadata(proc::TABLE) {
            Ok(_) => Ok(Self(())),
            Err(_) => {
                let reason = format!("there is no {}: the kernel module is not loaded (modprobe semundo)", proc::TABLE);
                Err(Error::Unavailable(reason))
            }
        }
    }
}

impl Source for Module {
    fn name(&self) -> &'static str {
        "module"
    }

    fn read(&self, select: &Select) -> Result<Vec<UndoList>, Error> {
        select.check()?;
        let namespaces = match select {
            Select::All => IpcNamespace::all(),
            Select::Pids(pids) => pids.iter().filter_map(|pid| IpcNamespace::of(*pid).ok()).collect(),
        };
        let mut lists = Vec::new();
        for namespace in namespaces {
            let entered = |error| Error::Io(format!("entering the IPC namespace {}", namespace.inode()), error);
            let rows = namespace.run(proc::table).map_err(entered)??;
            lists.extend(group(rows, namespace.inode()));
        }
        lists.retain(|list| list.tasks.iter().any(|task| select.takes(task.pid)));
        lists.sort_unstable_by(|one, other| one.tasks.cmp(&other.tasks));
        lists.dedup();
        Ok(lists)
    }
}

/// The lists of a table's rows, which are ascending by set, process and list.
fn group(rows: Vec<proc::Row>, ipc_namespace: u64) -> Vec<UndoList> {
    let mut lists: BTreeMap<i32, UndoList> = BTreeMap::new();
    for row in rows {
        let empty = || UndoList { tasks: Vec::new(), ipc_namespace, adjustments: Vec::new() };
        let list = lists.entry(row.list).or_insert_with(empty);
        if !list.tasks.iter().any(|task| task.pid == row.pid) {
            // The list's number is a thread of one of its processes.
            let tid = if processes::threads(row.pid).contains(&row.list) { row.list } else { row.pid };
            let comm = processes::comm(tid).unwrap_or_default();
            list.tasks.push(Task { pid: row.pid, tid, comm });
        }
        if list.adjustments.last().is_none_or(|last| last.semid != row.semid) {
            list.adjustments.push(Adjustments { semid: row.semid, semadj: row.semadj });
        }
    }
    for list in lists.values_mut() {
        list.tasks.sort_unstable();
    }
    lists.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_list_are_one_list() {
        let row = |semid, pid, list, semadj: &[i16]| proc::Row { semid, pid, list, semadj: semadj.to_vec() };
        let rows = vec![
            row(3, 7, 7, &[1]),
            row(3, 9, 7, &[1]),
            row(3, 9, 10, &[2]),
            row(5, 7, 7, &[0, 4]),
            row(5, 9, 7, &[0, 4]),
        ];
        let lists = group(rows, 1);
        let told: Vec<_> = lists.iter().map(|list| (list.pids(), list.adjustments.len())).collect();
        assert_eq!(told, [(vec![7, 9], 2), (vec![9], 1)]);
        assert_eq!(lists[0].semadj(5), [0, 4]);
    }
}
