//! A dump: the undo lists of all tasks that CRIU holds are read, and written beside CRIU's images.
//!
//! What cannot be kept is an error: a list that outlives the dump, because others have it too or because its sets are in a namespace that
//! does, would be applied at the end of the dumped tasks, and again at that of the restored ones.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use semundo::image::{Image, SavedSet};
use semundo::inject;
use semundo::ipc_namespace::IpcNamespace;
use semundo::processes::{self, Status};
use semundo::source::bpf::{Bpf, Counted};
use semundo::{Task, UndoList};

use crate::{criu, images, threads};

/// What a dump has done so far.
#[derive(Debug, Default)]
pub(crate) struct Dump {
    /// The processes whose files were written, once they were.
    written: Option<(PathBuf, Vec<i32>)>,
}

impl Dump {
    /// Whether the lists were saved.
    pub(crate) fn is_done(&self) -> bool {
        self.written.is_some()
    }

    /// Saves the lists of all tasks that are held.
    pub(crate) fn save(&mut self) -> Result<()> {
        let directory = criu::image_dir()?;
        let images = images()?;
        images::write(&directory, &images)?;
        if !images.is_empty() {
            criu::info(&format!("undo lists of {} processes are saved", images.len()));
        }
        self.written = Some((directory, images.into_keys().collect()));
        Ok(())
    }

    /// As [`save`](Self::save), at the end of the dump, for a CRIU that did not ask before.
    pub(crate) fn save_late(&mut self) -> Result<()> {
        if criu::has_checkpoint_hook() {
            ensure!(
                images()?.is_empty(),
                "another plugin has kept CRIU from asking for undo lists: they are not saved"
            );
            return Ok(());
        }
        self.save()
    }

    /// Takes back what was written.
    pub(crate) fn remove(&mut self) {
        if let Some((directory, pids)) = self.written.take() {
            images::remove(&directory, pids);
        }
    }
}

/// Makes the threads of a process go on sleeping in `semop(2)` that left it only because CRIU holds them.
pub(crate) fn restart(pid: i32) -> Result<()> {
    for tid in processes::threads(pid) {
        if inject::restart_semop(tid)? {
            criu::info(&format!("thread {tid} will go on sleeping in semop"));
        }
    }
    Ok(())
}

/// What was found out of threads, each once: those that CRIU holds.
#[derive(Default)]
struct Held(HashMap<i32, Option<Status>>);

impl Held {
    /// `None` for a thread that CRIU does not hold.
    fn status(&mut self, tid: i32) -> Option<&Status> {
        let find = || Status::of(tid).filter(Status::is_traced_by_caller);
        self.0.entry(tid).or_insert_with(find).as_ref()
    }

    fn thread(&mut self, tid: i32) -> Result<&Status> {
        self.status(tid).with_context(|| format!("thread {tid} is not held by CRIU"))
    }

    /// A thread with this name, by the numbers that it has in its process.
    fn inner_task(&mut self, tid: i32, comm: String) -> Result<Task> {
        let Status { inner_tgid, inner_tid, .. } = *self.thread(tid)?;
        Ok(Task { pid: inner_tgid, tid: inner_tid, comm })
    }
}

/// The images by the processes' inner numbers.
fn images() -> Result<BTreeMap<i32, Image>> {
    let mut held = Held::default();
    let lists = Bpf::load_pinned().and_then(|bpf| bpf.read_counted(|task| held.status(task.tid).is_some()));
    let lists = lists.context("undo lists cannot be read")?;
    let mut by_process: BTreeMap<i32, Vec<UndoList>> = BTreeMap::new();
    for counted in lists {
        let pid = only_process(&counted, &mut held)?;
        by_process.entry(pid).or_default().push(counted.list);
    }
    let (mut images, mut namespaces) = (BTreeMap::new(), BTreeSet::new());
    for (pid, lists) in by_process {
        let saved =
            image(pid, &lists, &mut held, &mut namespaces).with_context(|| format!("process {pid} ({})", name(pid)))?;
        if let Some((inner_pid, image)) = saved {
            let other = images.insert(inner_pid, image);
            ensure!(other.is_none(), "two processes have the number {inner_pid} in their pid namespaces");
        }
    }
    Ok(images)
}

/// The process that alone has a list; CRIU makes no others share one.
fn only_process(counted: &Counted, held: &mut Held) -> Result<i32> {
    let Counted { list, threads } = counted;
    let pids = list.pids();
    if let [pid] = *pids
        && list.tasks.len() == *threads
        && list.tasks.iter().all(|task| held.status(task.tid).is_some())
    {
        return Ok(pid);
    }
    let hidden = threads.saturating_sub(list.tasks.len());
    let hidden = if hidden > 0 { format!(", and {hidden} threads that cannot be seen") } else { String::new() };
    let names: Vec<_> = pids.iter().map(|pid| format!("{pid} ({})", name(*pid))).collect();
    bail!(
        "one undo list is shared (clone(2): CLONE_SYSVSEM) by the processes {}{hidden}; CRIU makes none share one again",
        names.join(", ")
    )
}

fn name(tid: i32) -> String {
    processes::comm(tid).unwrap_or_default()
}

/// The image of a process with its inner number; `None` where there is nothing to keep. `namespaces` are those that were seen to be all
/// right.
fn image(
    pid: i32,
    lists: &[UndoList],
    held: &mut Held,
    namespaces: &mut BTreeSet<u64>,
) -> Result<Option<(i32, Image)>> {
    let namespace = IpcNamespace::of(pid).context("its IPC namespace")?;
    let inode = namespace.inode();
    let (mut inner, mut without) = (Vec::new(), threads::all(held.thread(pid)?));
    for list in lists {
        ensure!(list.ipc_namespace == inode, "its threads are in several IPC namespaces");
        let tasks =
            list.tasks.iter().map(|task| held.inner_task(task.tid, task.comm.clone())).collect::<Result<_>>()?;
        // Whether the restore can make it call: not where it is a 32-bit one.
        drop(inject::adopt(held.thread(list.tasks[0].tid)?)?);
        inner.push(UndoList { tasks, ..list.clone() });
        without.retain(|tid| list.tasks.iter().all(|task| task.tid != *tid));
    }
    let without = without.into_iter().map(|tid| held.inner_task(tid, name(tid))).collect::<Result<Vec<_>>>()?;
    let lists = threads::to_save(inner, without, inode)?;
    let Some(inner_pid) = lists.first().map(|list| list.tasks[0].pid) else { return Ok(None) };
    let mut semids: Vec<i32> = lists.iter().flat_map(|list| &list.adjustments).map(|set| set.semid).collect();
    if !semids.is_empty() && !namespaces.contains(&inode) {
        ends_with_the_dump(inode, held)?;
        namespaces.insert(inode);
    }
    semids.sort_unstable();
    semids.dedup();
    let read = |semid: &i32| SavedSet::read(inode, *semid).with_context(|| format!("set {semid}"));
    let sets = namespace.run_here(|| semids.iter().map(read).collect::<Result<Vec<_>>>());
    let sets = sets.context("its IPC namespace cannot be entered")??;
    Ok(Some((inner_pid, Image::new(sets, lists)?)))
}

/// Whether an IPC namespace is dumped, and has no process that is not.
fn ends_with_the_dump(inode: u64, held: &mut Held) -> Result<()> {
    ensure!(
        IpcNamespace::own()?.inode() != inode,
        "it has undo operations in the IPC namespace that CRIU itself is in, which is not dumped"
    );
    let in_it = processes::all().into_iter().filter(|pid| ipc_namespace(*pid) == Some(inode));
    match in_it.into_iter().find(|pid| held.status(*pid).is_none()) {
        None => Ok(()),
        Some(other) => bail!(
            "it has undo operations in an IPC namespace in which process {other} ({}) is, too, which is not dumped: the namespace \
             outlives the dump",
            name(other)
        ),
    }
}

/// The inode number of a process's IPC namespace. There may be thousands of processes, so that their files are not opened.
fn ipc_namespace(pid: i32) -> Option<u64> {
    let looked = fs::metadata(format!("/proc/{pid}/ns/ipc")).map(|metadata| metadata.ino());
    looked.or_else(|_| IpcNamespace::of(pid).map(|namespace| namespace.inode())).ok()
}
