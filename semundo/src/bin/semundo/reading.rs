//! Who holds what, read from a source of undo lists.

use anyhow::Result;
use semundo::holding::{Holding, holdings};
use semundo::ipc_namespace::IpcNamespace;
use semundo::{Select, Source, UndoList};

/// Reads the holdings that were asked for.
pub struct Reader {
    source: Box<dyn Source>,
    pids: Vec<i32>,
    all: bool,
    own_namespace: u64,
}

impl Reader {
    /// Of these processes, else of all in the own IPC namespace or everywhere. An error where a process that was asked for does not exist.
    pub fn new(source: Box<dyn Source>, pids: &[i32], all: bool) -> Result<Self> {
        Select::Pids(pids.to_vec()).check()?;
        Ok(Self { source, pids: pids.to_vec(), all, own_namespace: IpcNamespace::own()?.inode() })
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
