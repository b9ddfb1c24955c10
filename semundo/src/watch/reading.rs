//! What the view shows, read from a source of undo lists.

use anyhow::Result;
use semundo::holding::{Holding, holdings};
use semundo::ipc_namespace::IpcNamespace;
use semundo::source::{self, Error};
use semundo::{Select, Source, UndoList, processes};

use crate::cli::WatchArgs;

/// Reads the holdings that were asked for.
pub struct Reader {
    source: Box<dyn Source>,
    pids: Vec<i32>,
    all: bool,
    own_namespace: u64,
}

impl Reader {
    /// Opens the first source that works. An error also where a process that was asked for does not exist.
    pub fn open(arguments: &WatchArgs) -> Result<Self> {
        if let Some(pid) = arguments.pids.iter().find(|pid| processes::threads(**pid).is_empty()) {
            return Err(Error::NoProcess(*pid).into());
        }
        Ok(Self {
            source: source::open()?,
            pids: arguments.pids.clone(),
            all: arguments.all,
            own_namespace: IpcNamespace::own()?.inode(),
        })
    }

    /// The source's name.
    pub fn source(&self) -> &'static str {
        self.source.name()
    }

    /// The holdings now. All lists are read even where few processes are asked for: the others' lists tell who else holds a
    /// semaphore, and a process that ends must not keep the rest from being shown.
    pub fn read(&self) -> Result<Vec<Holding>> {
        let all = self.source.read(&Select::All)?;
        let wanted: Vec<UndoList> = all.iter().filter(|list| self.wants(list)).cloned().collect();
        Ok(holdings(&wanted, &all))
    }

    /// Whether the namespace must be told: where all are asked for, or a process of another one.
    pub fn tells_namespaces(&self, holdings: &[Holding]) -> bool {
        self.all || holdings.iter().any(|holding| holding.ipc_namespace != self.own_namespace)
    }

    fn wants(&self, list: &UndoList) -> bool {
        if self.pids.is_empty() {
            self.all || list.ipc_namespace == self.own_namespace
        } else {
            list.tasks.iter().any(|task| self.pids.contains(&task.pid))
        }
    }
}
