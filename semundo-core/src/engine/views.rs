//! What can be read of undo lists while they change: the same walk as that of the kernel module, without a lock.

use alloc::sync::Arc;
use core::fmt;

use rcu_core::Flavor;
use seqfile_core::Errno;

use super::namespace::{Namespace, State};
use super::parking::Parking;
use super::storage::UndoStorage;
use crate::source::{Adjustments, OwnKey, Source, TableKey};

/// One process's undo list: `/proc/semundo`. Empty once the process has exited.
pub struct ProcessSource<F: Flavor, P: Parking, L> {
    state: Arc<State<F, P, L>>,
}

impl<F: Flavor, P: Parking, L> ProcessSource<F, P, L> {
    pub(super) const fn new(state: Arc<State<F, P, L>>) -> Self {
        Self { state }
    }
}

impl<F, P, L> Source for ProcessSource<F, P, L>
where
    F: Flavor + Clone + Send + Sync + 'static,
    P: Parking,
    L: UndoStorage<F>,
{
    type Key = OwnKey;

    fn pass(&mut self, mut visit: impl FnMut(OwnKey, Adjustments<'_>)) -> Result<(), Errno> {
        let section = self.state.undo.read();
        if let Some(undo) = self.state.undo.dereference(&section) {
            undo.entries.pass(|entry| {
                if !entry.is_removed() {
                    visit(OwnKey { semid: entry.semid() }, entry.adjustments());
                }
            });
        }
        Ok(())
    }
}

/// The undo lists of all processes: `/proc/sysvipc/semundo`.
pub struct TableSource<F: Flavor, P: Parking, L> {
    space: Arc<Namespace<F, P, L>>,
}

impl<F: Flavor, P: Parking, L> TableSource<F, P, L> {
    pub(super) const fn new(space: Arc<Namespace<F, P, L>>) -> Self {
        Self { space }
    }
}

impl<F, P, L> Source for TableSource<F, P, L>
where
    F: Flavor + Clone + Send + Sync + 'static,
    P: Parking,
    L: UndoStorage<F>,
{
    type Key = TableKey;

    fn pass(&mut self, mut visit: impl FnMut(TableKey, Adjustments<'_>)) -> Result<(), Errno> {
        let section = self.space.flavor.read_lock();
        for state in self.space.processes.iter(&section) {
            let Some(undo) = state.undo.dereference(&section) else { continue };
            let (pid, list, identity) = (state.pid, undo.lowest(), Arc::as_ptr(undo).addr());
            undo.entries.pass(|entry| {
                if !entry.is_removed() {
                    visit(TableKey { semid: entry.semid(), pid, list, identity }, entry.adjustments());
                }
            });
        }
        Ok(())
    }
}

impl<F: Flavor, P: Parking, L> fmt::Debug for ProcessSource<F, P, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessSource").field("pid", &self.state.pid).finish_non_exhaustive()
    }
}

impl<F: Flavor, P: Parking, L> fmt::Debug for TableSource<F, P, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableSource").finish_non_exhaustive()
    }
}
