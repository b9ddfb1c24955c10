//! The caller's own list, and the program that the process then becomes.

use std::convert::Infallible;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigSet, SigmaskHow};
use semundo_core::plan::Op;

use super::apply::Target;
use super::{Error, Report, Wanted, apply_all, checked, take_back};
use crate::inject;
use crate::sysv::{self, SemSet};
use crate::undo_list::Adjustments;

/// The calling thread.
pub(super) struct Own;

impl Target for Own {
    fn semop(&mut self, semid: i32, ops: &[Op]) -> Result<io::Result<()>, inject::Error> {
        let ops: Vec<sysv::Op> = ops.iter().map(|op| sysv::Op::from(*op)).collect();
        Ok(SemSet::from_id(semid).op(&ops))
    }
}

/// Puts adjustments into the caller's own list as [`into_own`](super::into_own) does, then the process becomes `program`, which
/// keeps them (`execve(2)`). Returns only if it does not: then the list is again what it was.
///
/// `told` gets the report, before the program starts. Signals to the calling thread wait meanwhile: one that ended the process half
/// way would give half of the adjustments to the semaphores. A process of several threads can be ended all the same.
///
/// ```
/// use std::process::Command;
/// use semundo::restore::{self, Error, Wanted};
/// use semundo::sysv::TempSet;
///
/// let set = TempSet::create(1, 0o600)?;
/// let wanted = Wanted::new([(set.id(), vec![2])])?;
/// let error = restore::exec(&[], &wanted, &mut Command::new("/no/such/program"), |_| ()).unwrap_err();
/// assert!(matches!(error, Error::Exec { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn exec(
    now: &[Adjustments],
    wanted: &Wanted,
    program: &mut Command,
    told: impl FnOnce(&Report),
) -> Result<Infallible, Error> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK).expect("a mask can always be set");
    let unblock = || before.thread_set_mask().expect("a mask can always be set");
    let result = (|| {
        let (mut changes, mut report) = checked(now, wanted)?;
        report.calls = apply_all(&mut Own, &mut changes)?;
        told(&report);
        unblock();
        let error = program.exec();
        SigSet::all().thread_block().expect("a mask can always be set");
        let error = Error::Exec { program: program.get_program().display().to_string(), error };
        take_back(&mut Own, &mut changes, &error)?;
        Err(error)
    })();
    unblock();
    result
}
