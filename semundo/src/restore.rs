//! Restoring: adjustments put into an undo list, without a change of any semaphore's value.
//!
//! It needs no private interface of the kernel: a `semop(2)` call can move an adjustment and leave the value
//! ([`semundo_core::plan`]). The calls must be made by a thread that has the list, which is the caller's own
//! ([`into_own`]) or one of another process that [injection](crate::inject) makes call ([`into_process`]).
//!
//! Everything is checked before anything is done, and all is done or nothing: where a set fails, those before it get back what they
//! had. The sets that are named end with exactly these adjustments; others stay.

mod adopted;
mod apply;
mod check;
mod own;
mod process;
mod wanted;

use std::fmt;
use std::io;

use crate::inject;
use crate::source;
use crate::undo_list::Adjustments;
use apply::{CallError, Change, Ended, Target};
use check::check;

pub use adopted::into_adopted;
pub use own::exec;
pub use process::{clear, into_process, into_thread, preview_process};
pub use wanted::{Wanted, WantedSet};

/// What a restore did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The sets whose adjustments are others than before, ascending.
    pub changed: Vec<i32>,
    /// The sets whose adjustments were already as wanted, ascending.
    pub unchanged: Vec<i32>,
    /// How many semop calls it took.
    pub calls: usize,
    /// What is different from when the list was saved, though the restore can be done all the same.
    pub notes: Vec<String>,
}

/// Why a restore was not done. Unless it is [`Error::Lost`], nothing is changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The list that was there could not be read.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The process could not be made to call.
    #[error(transparent)]
    Inject(#[from] inject::Error),
    /// Threads of the process came and went all the time, so that they could not be stopped together.
    #[error("process {0}: its threads come and go too fast to be stopped together")]
    Restless(i32),
    /// The IPC namespace of the process could not be entered.
    #[error("the IPC namespace of process {0}: {1}")]
    Namespace(i32, io::Error),
    /// The list of a thread is not the one that was to be taken out.
    #[error("thread {0}: its undo list has changed since it was saved; nothing is changed")]
    Changed(i32),
    /// Sets that do not fit what was saved.
    #[error("nothing was changed:{}", .0.iter().map(|line| format!("\n  {line}")).collect::<String>())]
    Check(Vec<String>),
    /// A call failed; what the calls before it did was taken back.
    #[error("set {semid}: {error}; nothing is changed")]
    Call {
        /// The set.
        semid: i32,
        /// Why.
        error: io::Error,
    },
    /// The program could not be executed for which the caller's own list was restored; that was taken back.
    #[error("{program}: {error}; nothing is changed")]
    Exec {
        /// The program.
        program: String,
        /// Why.
        error: io::Error,
    },
    /// Something failed, and what was done before could not be taken back.
    #[error("{failed}; and these sets could not be given back the adjustments that they had: {sets:?} ({why})")]
    Lost {
        /// What failed first.
        failed: String,
        /// The sets that are left with other adjustments than before.
        sets: Vec<i32>,
        /// Why the first of them could not be given back.
        why: String,
    },
}

/// Puts adjustments into the caller's own list, which is `now`: the threads of the process must make no undo operation meanwhile.
///
/// A process that ends, and so also one that fails to execute another program, gives them to the semaphores: [`Wanted::zero`]
/// takes them out again. An undo list survives `execve(2)`; a child of `fork(2)` does not have it.
///
/// ```
/// use semundo::restore::{self, Wanted};
/// use semundo::sysv::TempSet;
///
/// let set = TempSet::create(2, 0o600)?;
/// set.set_values(&[5, 0])?;
/// let report = restore::into_own(&[], &Wanted::new([(set.id(), vec![3, -1])])?)?;
/// assert_eq!((report.changed, set.values()?), (vec![set.id()], vec![5, 0]));
/// // The end of this process will make that 8 and 0 (an adjustment stops at 0).
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn into_own(now: &[Adjustments], wanted: &Wanted) -> Result<Report, Error> {
    restore(&mut own::Own, now, wanted)
}

/// What [`into_own`] would do; changes nothing.
pub fn preview_own(now: &[Adjustments], wanted: &Wanted) -> Result<Report, Error> {
    let (changes, mut report) = checked(now, wanted)?;
    report.calls = apply::count(&changes).map_err(|(semid, error)| Error::Call { semid, error })?;
    Ok(report)
}

/// Checks and applies, in the calling thread's IPC namespace.
fn restore(target: &mut dyn Target, now: &[Adjustments], wanted: &Wanted) -> Result<Report, Error> {
    let (mut changes, mut report) = checked(now, wanted)?;
    report.calls = apply_all(target, &mut changes)?;
    Ok(report)
}

/// What has to be changed, if everything fits; and the report so far.
fn checked<'a>(now: &[Adjustments], wanted: &'a Wanted) -> Result<(Vec<Change<'a>>, Report), Error> {
    let (changes, notes) = check(now, wanted)?;
    let (unchanged, changed): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.is_done());
    let ids = |changes: Vec<&Change<'_>>| changes.iter().map(|change| change.semid).collect();
    let report = Report { changed: ids(changed), unchanged: ids(unchanged), calls: 0, notes };
    Ok((changes, report))
}

fn apply_all(target: &mut dyn Target, changes: &mut [Change<'_>]) -> Result<usize, Error> {
    let failed = match apply::apply(target, changes) {
        Ended::All(calls) => return Ok(calls),
        Ended::Failed(failed) => failed,
    };
    if let CallError::Inject(died @ inject::Error::Died(_)) = failed.error {
        // Its list has ended with it: there is nothing to take back, nor from where.
        return Err(died.into());
    }
    take_back(target, changes, &failed)?;
    Err(match failed.error {
        CallError::Errno(error) => Error::Call { semid: failed.semid, error },
        CallError::Inject(error) => error.into(),
    })
}

/// Takes back what was changed, because something failed.
fn take_back(target: &mut dyn Target, changes: &mut [Change<'_>], failed: &dyn fmt::Display) -> Result<(), Error> {
    apply::roll_back(target, changes).map_err(|(sets, why)| Error::Lost {
        failed: failed.to_string(),
        sets,
        why: why.to_string(),
    })
}
