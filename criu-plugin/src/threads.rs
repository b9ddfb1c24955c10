//! The threads of a process, and which of them share an undo list.

use std::collections::BTreeMap;
use std::iter;

use anyhow::{Context, Result, bail};
use semundo::image::Image;
use semundo::processes::{self, Status};
use semundo::{Task, UndoList};

/// The undo lists of a process as they are saved: those that it has, and the threads that have none.
///
/// Threads that CRIU makes share one list. So one is *common*: that of most threads, or of the first one. All other threads have lists of
/// their own, each alone; they are told also where they are empty.
pub(crate) fn to_save(mut all: Vec<UndoList>, without: Vec<Task>, ipc_namespace: u64) -> Result<Vec<UndoList>> {
    let empty = |thread| UndoList { tasks: vec![thread], ipc_namespace, adjustments: Vec::new() };
    all.extend(without.into_iter().map(empty));
    all.sort_unstable_by(|one, other| one.tasks.cmp(&other.tasks));
    if let [one] = &*all
        && one.adjustments.is_empty()
    {
        return Ok(Vec::new());
    }
    let common = common(&all);
    match all.iter().enumerate().find(|(number, list)| *number != common && list.tasks.len() > 1) {
        None => Ok(all),
        Some((_, list)) => bail!(
            "threads {} share an undo list that others of their process do not have, which CRIU cannot make again",
            list.tasks.iter().map(|task| task.tid.to_string()).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The place of the common list.
fn common(lists: &[UndoList]) -> usize {
    let mut common = 0;
    for (number, list) in lists.iter().enumerate() {
        if list.tasks.len() > lists[common].tasks.len() {
            common = number;
        }
    }
    common
}

/// The saved lists of a process, the common one and those of single threads.
pub(crate) fn saved(image: &Image) -> Result<(&UndoList, Vec<&UndoList>)> {
    let common = common(image.lists());
    let first = image.lists().get(common).context("it has no list")?;
    let others: Vec<_> =
        image.lists().iter().enumerate().filter(|(number, _)| *number != common).map(|(_, list)| list).collect();
    match others.iter().find(|list| list.tasks.len() != 1) {
        None => Ok((first, others)),
        Some(list) => bail!("the list of thread {} has others beside the common one", list.tasks[0].tid),
    }
}

/// The threads of a process, of whose first one this is the status, ascending.
pub(crate) fn all(first: &Status) -> Vec<i32> {
    if first.threads == 1 { vec![first.tid] } else { processes::threads(first.tgid) }
}

/// The same, by the numbers that they have in it.
pub(crate) fn by_inner(first: Status) -> BTreeMap<i32, Status> {
    let others = all(&first).into_iter().filter(|tid| *tid != first.tid).filter_map(Status::of).collect::<Vec<_>>();
    iter::once(first).chain(others).map(|status| (status.inner_tid, status)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use semundo::Adjustments;

    fn tasks(tids: &[i32]) -> Vec<Task> {
        tids.iter().map(|tid| Task { pid: 5, tid: *tid, comm: "a".to_owned() }).collect()
    }

    fn list(tids: &[i32], semadj: &[i16]) -> UndoList {
        let adjustments =
            if semadj.is_empty() { vec![] } else { vec![Adjustments { semid: 3, semadj: semadj.to_vec() }] };
        UndoList { tasks: tasks(tids), ipc_namespace: 1, adjustments }
    }

    #[test]
    fn all_threads_are_found() {
        let own = std::process::id() as i32;
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(nix::unistd::gettid().as_raw()).unwrap();
            let _ = ended.recv();
        });
        let (tid, threads) = (told.recv().unwrap(), by_inner(Status::of(own).unwrap()));
        drop(end);
        thread.join().unwrap();
        let first = &threads[&Status::of(own).unwrap().inner_tid];
        assert_eq!((first.tid, first.tgid), (own, own));
        assert!(threads.values().any(|status| status.tid == tid && status.tgid == own));
    }

    #[test]
    fn one_list_of_all_threads_is_saved_if_it_has_something() {
        assert_eq!(to_save(vec![list(&[5, 6, 7], &[])], vec![], 1).unwrap(), []);
        assert_eq!(to_save(vec![], tasks(&[5]), 1).unwrap(), []);
        let one = list(&[5, 6, 7], &[1]);
        assert_eq!(to_save(vec![one.clone()], vec![], 1).unwrap(), [one]);
    }

    #[test]
    fn threads_with_a_list_of_their_own_are_told_also_where_it_is_empty() {
        let lists = vec![list(&[5, 6], &[]), list(&[8], &[2])];
        let saved = to_save(lists, tasks(&[7]), 1).unwrap();
        assert_eq!(saved, [list(&[5, 6], &[]), list(&[7], &[]), list(&[8], &[2])]);
        assert_eq!(common(&saved), 0);
    }

    #[test]
    fn the_common_list_is_that_of_most_threads() {
        let saved = to_save(vec![list(&[5], &[1]), list(&[6, 7], &[2])], vec![], 1).unwrap();
        assert_eq!(common(&saved), 1);
        let saved = to_save(vec![list(&[5], &[1]), list(&[6], &[2])], vec![], 1).unwrap();
        assert_eq!(common(&saved), 0);
    }

    #[test]
    fn two_lists_of_several_threads_cannot_be_made_again() {
        let lists = vec![list(&[5, 6], &[1]), list(&[7, 8], &[])];
        let error = to_save(lists, vec![], 1).unwrap_err().to_string();
        assert!(error.contains("threads 7, 8 share"), "{error}");
    }
}
