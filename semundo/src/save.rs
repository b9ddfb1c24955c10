//! Saving: undo lists as an image.

use std::collections::BTreeSet;
use std::io;

use crate::image::{Image, ParseError, SavedSet};
use crate::ipc_namespace::IpcNamespace;
use crate::source::{self, Select, Source};
use crate::undo_list::UndoList;

/// How often a set may vanish between the reading of the lists and a look at it, before that is an error.
const ATTEMPTS: u32 = 10;

/// Saves the lists of the selected processes, with the sets that they name.
///
/// Exact for processes that stand still (a stopped or frozen tree). The sets' values are read after the lists.
///
/// ```no_run
/// use semundo::{Select, save, source};
///
/// let image = save::save(&*source::open()?, &Select::Pids(vec![841]))?;
/// image.write(&mut std::fs::File::create("worker.semundo")?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save(source: &dyn Source, select: &Select) -> Result<Image, Error> {
    let mut attempt = 1;
    loop {
        let lists = source.read(select)?;
        match sets(&lists) {
            Ok(sets) => return Ok(Image::new(sets, lists)?),
            // Removed meanwhile, and its adjustments with it: the lists are other ones now.
            Err(Error::Set { error, .. }) if is_removed(&error) && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Why nothing was saved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The lists could not be read.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// No process of the IPC namespace is left to enter it by, or it may not be entered.
    #[error("the IPC namespace {inode} cannot be entered: {error}")]
    Namespace {
        /// Its inode number.
        inode: u64,
        /// Why.
        error: io::Error,
    },
    /// A set could not be looked at.
    #[error("set {semid} of the IPC namespace {ipc_namespace} cannot be looked at: {error}")]
    Set {
        /// The namespace's inode number.
        ipc_namespace: u64,
        /// The set.
        semid: i32,
        /// Why.
        error: io::Error,
    },
    /// What was read contradicts itself.
    #[error(transparent)]
    Inconsistent(#[from] ParseError),
}

fn sets(lists: &[UndoList]) -> Result<Vec<SavedSet>, Error> {
    let named =
        |list: &UndoList| list.adjustments.iter().map(|set| (list.ipc_namespace, set.semid)).collect::<Vec<_>>();
    let all: BTreeSet<(u64, i32)> = lists.iter().flat_map(named).collect();
    let mut sets = Vec::with_capacity(all.len());
    let all: Vec<_> = all.into_iter().collect();
    for of_namespace in all.chunk_by(|one, other| one.0 == other.0) {
        let inode = of_namespace[0].0;
        let not_entered = |error| Error::Namespace { inode, error };
        let namespace = IpcNamespace::find(inode);
        let namespace = namespace.ok_or_else(|| not_entered(io::Error::from_raw_os_error(libc::ESRCH)))?;
        let read = || {
            let read = |&(ipc_namespace, semid)| {
                SavedSet::read(ipc_namespace, semid).map_err(|error| Error::Set { ipc_namespace, semid, error })
            };
            of_namespace.iter().map(read).collect::<Result<Vec<_>, _>>()
        };
        sets.extend(namespace.run(read).map_err(not_entered)??);
    }
    Ok(sets)
}

fn is_removed(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EIDRM))
}
