//! Where undo lists are read from: one trait, a file a source, and the choice among them.

pub mod bpf;
pub mod in_tree;
pub mod module;

use std::io;
use std::path::Path;

use crate::proc;
use crate::undo_list::{self, Adjustments, UndoList};

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
    pub fn check(&self) -> Result<(), Error> {
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
pub trait Source: Sync {
    /// Its name, as `semundo check` prints it.
    fn name(&self) -> &'static str;

    /// The lists of the selected processes, ascending by their first task; a list comes once, with all the tasks that share it,
    /// also those of processes that were not selected. Lists with nothing to undo are left out.
    fn read(&self, select: &Select) -> Result<Vec<UndoList>, Error>;
}

/// The sources, in the order in which they are tried: the kernel's own files, where it has them, need no privilege for own processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The files of a kernel with the patch series: [`in_tree::InTree`].
    InTree,
    /// The table of the kernel module: [`module::Module`].
    Module,
    /// A BPF iterator: [`bpf::Bpf`].
    Bpf,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::InTree, Self::Module, Self::Bpf];

    /// Its name, which is that of the [`Source`].
    pub fn name(self) -> &'static str {
        match self {
            Self::InTree => "in-tree",
            Self::Module => "module",
            Self::Bpf => "bpf",
        }
    }

    /// Makes it ready, or says why it cannot be had.
    pub fn open(self) -> Result<Box<dyn Source>, Error> {
        Ok(match self {
            Self::InTree => Box::new(in_tree::InTree::open()?),
            Self::Module => Box::new(module::Module::open()?),
            Self::Bpf => Box::new(bpf::Bpf::load()?),
        })
    }
}

/// The first source that works here. [`Error::NoSource`] tells of each why it does not.
///
/// ```no_run
/// use semundo::{Select, source};
///
/// let source = source::open()?;
/// println!("{} lists, by {}", source.read(&Select::All)?.len(), source.name());
/// # Ok::<(), source::Error>(())
/// ```
pub fn open() -> Result<Box<dyn Source>, Error> {
    let mut reasons = Vec::new();
    for kind in Kind::ALL {
        match kind.open() {
            Ok(source) => return Ok(source),
            Err(error) => reasons.push((kind.name(), error)),
        }
    }
    Err(Error::NoSource(reasons))
}

/// The undo list of the calling process, or of its first thread that has one.
pub fn own_list(source: &dyn Source) -> Result<Vec<Adjustments>, Error> {
    let pid = std::process::id() as i32;
    let lists = source.read(&Select::Pids(vec![pid]))?;
    Ok(undo_list::of_process(&lists, pid).map(|list| list.adjustments.clone()).unwrap_or_default())
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
    #[error("{0}: {1}")]
    Io(String, io::Error),
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
