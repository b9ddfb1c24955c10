//! Who holds which semaphore: undo lists seen from the semaphores.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;

use crate::image::SavedSet;
use crate::ipc_namespace::IpcNamespace;
use crate::undo_list::{Task, UndoList};

/// SEMVMX: the largest value of a semaphore.
const SEMVMX: i32 = 32767;

/// What the end of one undo list does to one semaphore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// The processes that share the list, ascending.
    pub pids: Vec<i32>,
    /// The name of the list's first thread.
    pub comm: String,
    /// The inode number of the IPC namespace that the set is in.
    pub ipc_namespace: u64,
    /// The set.
    pub semid: i32,
    /// The set's key; `None` where the set cannot be looked at. 0 is none (`IPC_PRIVATE`).
    pub key: Option<i32>,
    /// The semaphore's number in the set.
    pub semaphore: usize,
    /// What is added to it; never 0.
    pub adjustment: i16,
    /// Its value.
    pub value: Option<u16>,
    /// Its value after the list's end, if nothing else happens: never below 0 or above 32767 (`ipc/sem.c: exit_sem`).
    pub value_after: Option<u16>,
    /// The processes of other lists with an adjustment of this semaphore, ascending.
    pub others: Vec<i32>,
}

/// The holdings of `lists`, each list's together; `all` are the lists among which other holders are looked for.
///
/// Sets of other IPC namespaces than the caller's are looked at where it may enter those.
///
/// ```
/// use semundo::{Adjustments, Task, UndoList, holding::holdings, ipc_namespace::IpcNamespace, sysv::TempSet};
///
/// let set = TempSet::create(2, 0o600)?;
/// set.set_values(&[5, 0])?;
/// let list = |pid, semadj: [i16; 2]| UndoList {
///     tasks: vec![Task { pid, tid: pid, comm: "some".into() }],
///     ipc_namespace: IpcNamespace::own().unwrap().inode(),
///     adjustments: vec![Adjustments { semid: set.id(), semadj: semadj.to_vec() }],
/// };
/// let lists = [list(7, [2, 0]), list(9, [1, -1])];
/// let seven = &holdings(&lists[..1], &lists)[0];
/// assert_eq!((seven.value, seven.value_after, seven.others.as_slice()), (Some(5), Some(7), &[9][..]));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn holdings(lists: &[UndoList], all: &[UndoList]) -> Vec<Holding> {
    let sets = look(lists);
    let mut holders: HashMap<(u64, i32, usize), BTreeSet<usize>> = HashMap::new();
    for (number, list) in all.iter().enumerate() {
        for (semid, semaphore, _) in adjustments(list) {
            holders.entry((list.ipc_namespace, semid, semaphore)).or_default().insert(number);
        }
    }
    let mut holdings = Vec::new();
    for list in lists {
        let pids = list.pids();
        for (semid, semaphore, adjustment) in adjustments(list) {
            let set = sets.get(&(list.ipc_namespace, semid));
            let value = set.and_then(|set| set.values.get(semaphore).copied());
            let same = holders.get(&(list.ipc_namespace, semid, semaphore)).into_iter().flatten();
            let others = same.map(|number| &all[*number]).filter(|other| other.tasks != list.tasks);
            let others: BTreeSet<i32> = others.flat_map(UndoList::pids).collect();
            holdings.push(Holding {
                pids: pids.clone(),
                comm: list.tasks.first().map_or(String::new(), |task: &Task| task.comm.clone()),
                ipc_namespace: list.ipc_namespace,
                semid,
                key: set.map(|set| set.key),
                semaphore,
                adjustment,
                value,
                value_after: value.map(|value| (i32::from(value) + i32::from(adjustment)).clamp(0, SEMVMX) as u16),
                others: others.into_iter().collect(),
            });
        }
    }
    holdings
}

/// Set, semaphore and adjustment of all that are not 0.
fn adjustments(list: &UndoList) -> impl Iterator<Item = (i32, usize, i16)> {
    list.adjustments.iter().flat_map(|set| {
        let all = set.semadj.iter().copied().enumerate();
        all.filter(|(_, adjustment)| *adjustment != 0).map(|(semaphore, adjustment)| (set.semid, semaphore, adjustment))
    })
}

/// The lists' sets by namespace and id, those that can be looked at.
fn look(lists: &[UndoList]) -> BTreeMap<(u64, i32), SavedSet> {
    let mut wanted: BTreeMap<u64, BTreeSet<i32>> = BTreeMap::new();
    for list in lists {
        wanted.entry(list.ipc_namespace).or_default().extend(list.adjustments.iter().map(|set| set.semid));
    }
    let mut found = BTreeMap::new();
    for (inode, semids) in wanted {
        let Some(namespace) = IpcNamespace::find(inode) else { continue };
        let read = || {
            semids.iter().filter_map(|semid| Some((*semid, SavedSet::read(inode, *semid).ok()?))).collect::<Vec<_>>()
        };
        let sets = namespace.run(read).unwrap_or_default();
        found.extend(sets.into_iter().map(|(semid, set)| ((inode, semid), set)));
    }
    found
}
