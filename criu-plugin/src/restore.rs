//! A restore: tasks that CRIU has made anew, and holds, are made to call `semop(2)` until they have the undo lists that were saved.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use semundo::UndoList;
use semundo::image::Image;
use semundo::inject::{self, Adopted};
use semundo::ipc_namespace::IpcNamespace;
use semundo::restore::{self, Error, Report, Wanted};
use semundo::sysv::{SemSet, Stat};

use crate::status::Status;
use crate::{criu, images, threads};

/// Permission to read and to alter a set, for everybody.
const EVERYBODY: u32 = 0o666;

/// The saved lists that are still to be restored, by the processes' inner numbers.
#[derive(Debug)]
pub(crate) struct Restore {
    images: BTreeMap<i32, Image>,
}

impl Restore {
    /// Those of the image directory.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        Ok(Self { images: images::read(directory)? })
    }

    /// The processes that are not restored.
    pub(crate) fn left(&self) -> Vec<i32> {
        self.images.keys().copied().collect()
    }

    /// Restores the lists of a process, if it has some.
    pub(crate) fn process(&mut self, pid: i32) -> Result<()> {
        if self.images.is_empty() {
            return Ok(());
        }
        let inner_pid = Status::of(pid).with_context(|| format!("process {pid} is gone"))?.inner_pid;
        let Some(image) = self.images.remove(&inner_pid) else { return Ok(()) };
        into(pid, &image).with_context(|| format!("the undo list of process {inner_pid}"))
    }
}

/// Puts the lists of an image into the threads of a process.
fn into(pid: i32, image: &Image) -> Result<()> {
    let tids = threads::by_inner(pid);
    let adopt = |list: &UndoList| {
        let inner = list.tasks[0].tid;
        let tid = tids.get(&inner).with_context(|| format!("it has no thread {inner}"))?;
        Ok::<Adopted, anyhow::Error>(inject::adopt(*tid)?)
    };
    let namespace = IpcNamespace::of(pid).context("its IPC namespace")?;
    let work = || {
        let (common, others) = threads::saved(image)?;
        for list in others {
            let mut thread = adopt(list)?;
            thread.unshare_undo_list()?.context("unshare(2) of the undo list")?;
            list_into(thread, image, list)?;
        }
        list_into(adopt(common)?, image, common)
    };
    namespace.run_here(work).context("its IPC namespace cannot be entered")?
}

/// Puts a list into a thread that has an empty one.
fn list_into(mut thread: Adopted, image: &Image, list: &UndoList) -> Result<()> {
    let wanted = Wanted::of_image(image, list).with_same_values();
    let report = match restore::into_adopted(&mut thread, &[], &wanted) {
        Err(Error::Call { error, .. }) if error.raw_os_error() == Some(libc::EACCES) => {
            with_permission(&wanted, || restore::into_adopted(&mut thread, &[], &wanted))?
        }
        result => result?,
    };
    thread.release()?;
    for note in &report.notes {
        criu::info(note);
    }
    criu::info(&format!("{} sets are in the undo list of thread {} again", report.changed.len(), list.tasks[0].tid));
    Ok(())
}

/// Does `work` while everybody has permission to use the sets, for a task that has given up its rights since it used them. Nobody else
/// is there who could make use of that: all tasks of the namespace are held.
fn with_permission(wanted: &Wanted, work: impl FnOnce() -> Result<Report, Error>) -> Result<Report> {
    let mut widened = Vec::new();
    let result = (|| {
        for (semid, _) in wanted.sets() {
            let set = SemSet::from_id(semid);
            let stat = set.stat()?;
            if stat.mode & EVERYBODY != EVERYBODY {
                set.set_permissions(stat.uid, stat.gid, stat.mode | EVERYBODY)?;
                widened.push((set, stat));
            }
        }
        Ok::<_, io::Error>(())
    })();
    let result = result.context("a set to which its process has no permission any more").and_then(|()| Ok(work()?));
    let back = widened.iter().try_for_each(|(set, Stat { uid, gid, mode, .. })| set.set_permissions(*uid, *gid, *mode));
    let report = result?;
    back.context("a set's mode cannot be set back")?;
    Ok(report)
}
