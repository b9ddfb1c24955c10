//! A restore: tasks that CRIU has made anew, and holds, are made to call `semop(2)` until they have the undo lists that were saved.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use semundo::UndoList;
use semundo::image::Image;
use semundo::inject::{self, Adopted};
use semundo::ipc_namespace::IpcNamespace;
use semundo::restore::{self, Wanted};

use crate::status::Status;
use crate::{criu, images, threads};

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
    let report = restore::into_adopted(&mut thread, &[], &wanted)?;
    thread.release()?;
    for note in &report.notes {
        criu::info(note);
    }
    criu::info(&format!("{} sets are in the undo list of thread {} again", report.changed.len(), list.tasks[0].tid));
    Ok(())
}
