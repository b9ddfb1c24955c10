//! Into the list of another process that lives on.

use std::io;

use semundo_core::plan::Op;

use super::apply::Target;
use super::{Error, Report, Wanted, preview_own, restore};
use crate::inject::{self, Stopped};
use crate::ipc_namespace::IpcNamespace;
use crate::processes;
use crate::source::{Select, Source};
use crate::undo_list::{self, Adjustments, Task, UndoList};

/// How often threads may come or go while all are being stopped.
const ATTEMPTS: u32 = 100;

/// Puts adjustments into the list of a process: that of its first thread that has one, else of its first thread that lives.
///
/// All threads of the process, and all others that share the list, are stopped by `ptrace(2)` meanwhile, some milliseconds at most
/// for a few sets; then they go on as if nothing had been. It takes the right to trace them, and the list must be readable by `source`.
///
/// ```no_run
/// use semundo::{image::Image, restore, source};
///
/// let image = Image::parse(&std::fs::read("worker.semundo")?)?;
/// let wanted = restore::Wanted::of_image(&image, &image.lists()[0]);
/// let report = restore::into_process(&*source::open()?, 841, &wanted)?;
/// println!("{} sets, {} calls", report.changed.len(), report.calls);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn into_process(source: &dyn Source, pid: i32, wanted: &Wanted) -> Result<Report, Error> {
    into(source, Whose { pid, tid: None }, wanted)
}

/// As [`into_process`], into the list that one of the process's threads has.
pub fn into_thread(source: &dyn Source, pid: i32, tid: i32, wanted: &Wanted) -> Result<Report, Error> {
    into(source, Whose { pid, tid: Some(tid) }, wanted)
}

/// Takes the adjustments of a list out of the processes that have it, so that their end gives nothing back: what a checkpoint does
/// whose processes are ended and go on elsewhere. [`Error::Changed`] where the list is another by now.
pub fn clear(source: &dyn Source, list: &UndoList) -> Result<Report, Error> {
    let Task { pid, tid, .. } = list.tasks[0];
    let whose = Whose { pid, tid: Some(tid) };
    inside(pid, || {
        let (mut held, now) = Held::all(source, whose)?;
        let result = if now == list.adjustments {
            restore(&mut held, &now, &Wanted::zero(&now))
        } else {
            Err(Error::Changed(tid))
        };
        held.release_after(result)
    })
}

fn into(source: &dyn Source, whose: Whose, wanted: &Wanted) -> Result<Report, Error> {
    inside(whose.pid, || {
        // Checked before the process is touched; what is read again when it stands still is what counts.
        preview_own(&whose.adjustments(source)?, wanted)?;
        let (mut held, now) = Held::all(source, whose)?;
        let result = restore(&mut held, &now, wanted);
        held.release_after(result)
    })
}

/// What [`into_process`] would do; touches nothing.
pub fn preview_process(source: &dyn Source, pid: i32, wanted: &Wanted) -> Result<Report, Error> {
    inside(pid, || preview_own(&Whose { pid, tid: None }.adjustments(source)?, wanted))
}

/// Does `work` in the IPC namespace of the process.
fn inside<T: Send>(pid: i32, work: impl FnOnce() -> Result<T, Error> + Send) -> Result<T, Error> {
    let enter = |error| Error::Namespace(pid, error);
    IpcNamespace::of(pid).map_err(enter)?.run(work).map_err(enter)?
}

/// Whose list is meant: that of a thread, or of the process's first thread that has one.
#[derive(Clone, Copy)]
struct Whose {
    pid: i32,
    tid: Option<i32>,
}

impl Whose {
    fn list(self, source: &dyn Source) -> Result<Option<UndoList>, Error> {
        let lists = source.read(&Select::Pids(vec![self.pid]))?;
        let list = match self.tid {
            Some(tid) => undo_list::of_thread(&lists, tid),
            None => undo_list::of_process(&lists, self.pid),
        };
        Ok(list.cloned())
    }

    fn adjustments(self, source: &dyn Source) -> Result<Vec<Adjustments>, Error> {
        Ok(self.list(source)?.map(|list| list.adjustments).unwrap_or_default())
    }
}

/// All threads that could touch the list, stopped. The first one has the list.
struct Held(Vec<Stopped>);

impl Held {
    /// Stops them, and reads the list that they then have.
    fn all(source: &dyn Source, whose: Whose) -> Result<(Self, Vec<Adjustments>), Error> {
        let mut held = Self(Vec::new());
        let mut tids: Vec<i32> = Vec::new();
        for _ in 0..ATTEMPTS {
            let list = whose.list(source)?;
            let new = new_threads(whose, list.as_ref(), &tids);
            if new.is_empty() {
                return Ok((held, list.map(|list| list.adjustments).unwrap_or_default()));
            }
            match Stopped::seize(&new) {
                Ok(stopped) => {
                    held.0.push(stopped);
                    tids.extend(new);
                }
                // It has ended since: the others are looked for again, unless it was the process.
                Err(inject::Error::NotFound(_)) if !processes::threads(whose.pid).is_empty() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Restless(whose.pid))
    }

    /// Lets them go on. What the restore failed with says more than what this may fail with.
    fn release_after(self, result: Result<Report, Error>) -> Result<Report, Error> {
        let released = self.0.into_iter().try_for_each(Stopped::release);
        result.and_then(|report| released.map(|()| report).map_err(Error::from))
    }
}

/// The threads that are to be stopped and not yet are; the one that makes the calls comes first.
fn new_threads(whose: Whose, list: Option<&UndoList>, held: &[i32]) -> Vec<i32> {
    let own = processes::threads(whose.pid);
    let sharing: Vec<i32> = list.into_iter().flat_map(|list| &list.tasks).map(|task| task.tid).collect();
    let mut new: Vec<i32> = whose.tid.into_iter().collect();
    new.extend(own.iter().copied().filter(|tid| sharing.contains(tid)));
    new.extend(own);
    new.extend(sharing);
    let mut seen = held.to_vec();
    new.retain(|tid| {
        let is_new = !seen.contains(tid) && processes::is_alive(*tid);
        seen.push(*tid);
        is_new
    });
    new
}

impl Target for Held {
    fn semop(&mut self, semid: i32, ops: &[Op]) -> Result<io::Result<()>, inject::Error> {
        self.0[0].semop(semid, ops)
    }
}
