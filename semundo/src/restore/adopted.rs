//! Into the list of a thread that a tracer holds already.

use std::io;

use semundo_core::plan::Op;

use super::apply::Target;
use super::{Error, Report, Wanted, restore};
use crate::inject::{self, Adopted};
use crate::undo_list::Adjustments;

/// Puts adjustments into the list of a thread that was [adopted](inject::adopt), which is `now`. The caller is in the thread's IPC
/// namespace ([`IpcNamespace::run_here`](crate::ipc_namespace::IpcNamespace::run_here)), and whoever else could use the sets or the
/// list stands still, too.
pub fn into_adopted(thread: &mut Adopted, now: &[Adjustments], wanted: &Wanted) -> Result<Report, Error> {
    restore(thread, now, wanted)
}

impl Target for Adopted {
    fn semop(&mut self, semid: i32, ops: &[Op]) -> Result<io::Result<()>, inject::Error> {
        self.semop(semid, ops)
    }

    fn takes_many(&self) -> bool {
        true
    }

    fn semops(&mut self, calls: &[(i32, Vec<Op>)]) -> Result<(usize, io::Result<()>), inject::Error> {
        self.semops(calls)
    }
}
