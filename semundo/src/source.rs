//! Where undo lists are read from: one trait, a file a source, and the choice among them.

pub mod bpf;

use std::io;
use std::path::Path;

use crate::proc;
use crate::undo_list::UndoList;

/// Which processes' undo lists are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// Those of all processes that the source sees.
    All,
    /// Those that a thread of one of these processes has: thread-group ids in the caller's pid namespace.
    Pids(Vec<i32>),
}

impl Select {
    /// Whether a process's lists are wanted.
    pub fn takes(&self, pid: i32) -> bool {
        match self {
            Self::All => true,
            Self::Pids(pids) => pids.contains(&pid),
        }
    }

    /// [`Error::NoProcess`] where a selected process does not exist.
    fn check(&self) -> Result<(), Error> {
        match self {
            Self::All => Ok(()),
            Self::Pids(pids) => {
                let gone = pids.iter().find(|pid| !Path::new(&format!("/proc/{pid}/task/{pid}")).exists());
                gone.map_or(Ok(()), |pid| Err(Error::NoProcess(*pid)))
            }
        }
    }
}

/// A way to read undo lists.
pub trait Source {
    /// Its name, as `semundo check` prints it.
    fn name(&self) -> &'static str;

    /// The lists of the selected processes, ascending by their first task; a list comes once, with all the tasks that share it,
    /// also those of processes that were not selected. Lists with nothing to undo are left out.
    fn read(&self, select: &Select) -> Result<Vec<UndoList>, Error>;
}

/// Why undo lists could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A selected process does not exist.
    #[error("process {0}: there is none")]
    NoProcess(i32),
    /// A proc file.
    #[error(transparent)]
    Proc(#[from] proc::Error),
    /// A system call or file, and what it was for.
    #[error("{0}")]
    Io(String, #[source] io::Error),
    /// The source cannot work here; the text says why and what would make it work.
    #[error("{0}")]
    Unavailable(String),
    /// None of the sources works here.
    #[error("undo lists cannot be read here:{}", reasons(.0))]
    NoSource(Vec<(&'static str, Error)>),
}

fn reasons(all: &[(&'static str, Error)]) -> String {
    all.iter().map(|(name, error)| format!("\n  {name}: {error}")).collect()
}
