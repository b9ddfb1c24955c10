//! The plan's calls, made one after the other; and taken back.

use std::fmt;
use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use semundo_core::plan::{Op, Plan, SEMOPM, advance};

use crate::inject;
use crate::sysv::SemSet;

/// How often a call is planned anew because somebody changed a value meanwhile.
const ATTEMPTS: u32 = 1_000;

/// What moves the adjustment of one semaphore: an operation with `SEM_UNDO`, and one that takes the value back.
const PAIR: usize = 2;

/// Whose undo list it is: who makes the calls.
pub(super) trait Target {
    /// The errno of the call, or why it could not be made.
    fn semop(&mut self, semid: i32, ops: &[Op]) -> Result<io::Result<()>, inject::Error>;

    /// Whether many calls at once are faster than one after the other.
    fn takes_many(&self) -> bool {
        false
    }

    /// Calls one after the other, until one fails: how many succeeded, and the errno of that one.
    fn semops(&mut self, calls: &[(i32, Vec<Op>)]) -> Result<(usize, io::Result<()>), inject::Error> {
        for (made, (semid, ops)) in calls.iter().enumerate() {
            if let Err(error) = self.semop(*semid, ops)? {
                return Ok((made, Err(error)));
            }
        }
        Ok((calls.len(), Ok(())))
    }
}

/// What is to be changed in one set.
pub(super) struct Change<'a> {
    pub(super) semid: i32,
    before: Vec<i16>,
    now: Vec<i16>,
    wanted: &'a [i16],
    /// The set's values, as they were just read.
    values: Vec<u16>,
}

impl<'a> Change<'a> {
    pub(super) fn new(semid: i32, now: Vec<i16>, wanted: &'a [i16], values: Vec<u16>) -> Self {
        Self { semid, before: now.clone(), now, wanted, values }
    }

    pub(super) fn is_done(&self) -> bool {
        self.now == *self.wanted
    }
}

/// How applying ended.
pub(super) enum Ended {
    /// All changes are made, by so many calls.
    All(usize),
    /// A call failed.
    Failed(Failed),
}

/// The call that failed.
pub(super) struct Failed {
    pub(super) semid: i32,
    pub(super) error: CallError,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set {}: {}", self.semid, self.error)
    }
}

/// Why a call failed.
pub(super) enum CallError {
    Errno(io::Error),
    Inject(inject::Error),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(error) => error.fmt(f),
            Self::Inject(error) => error.fmt(f),
        }
    }
}

/// Makes all changes, set after set, until one fails.
pub(super) fn apply(target: &mut dyn Target, changes: &mut [Change<'_>]) -> Ended {
    let (mut buffer, mut calls) = (buffer(changes), 0);
    if target.takes_many() {
        match apply_at_once(target, changes, &mut buffer) {
            Ok(made) => calls += made,
            Err(failed) => return Ended::Failed(failed),
        }
    }
    for change in changes {
        let Change { semid, now, wanted, .. } = change;
        match bring(target, *semid, now, wanted, &mut buffer) {
            Ok(made) => calls += made,
            Err(error) => return Ended::Failed(Failed { semid: *semid, error }),
        }
    }
    Ended::All(calls)
}

/// Makes all changes by calls that are planned before the first of them is made; those from the first on that fails are left. How many
/// were made.
fn apply_at_once(target: &mut dyn Target, changes: &mut [Change<'_>], buffer: &mut [Op]) -> Result<usize, Failed> {
    let (mut calls, mut owners) = (Vec::new(), Vec::new());
    for (owner, Change { semid, now, wanted, values, .. }) in changes.iter().enumerate() {
        let failed = |error| Failed { semid: *semid, error: CallError::Errno(io::Error::other(error)) };
        let mut plan = Plan::new(now, wanted, values, buffer).map_err(failed)?;
        while let Some(ops) = plan.next_call() {
            calls.push((*semid, ops.to_vec()));
            owners.push(owner);
        }
    }
    let Some((first, _)) = calls.first() else { return Ok(0) };
    let (made, _) = target.semops(&calls).map_err(|error| Failed { semid: *first, error: CallError::Inject(error) })?;
    for (owner, (_, ops)) in owners.iter().zip(&calls).take(made) {
        advance(&mut changes[*owner].now, ops);
    }
    Ok(made)
}

/// Takes back what was changed, the last first. The sets that could not be, and why the first of them.
pub(super) fn roll_back(target: &mut dyn Target, changes: &mut [Change<'_>]) -> Result<(), (Vec<i32>, CallError)> {
    let (mut buffer, mut left, mut why) = (buffer(changes), Vec::new(), None);
    for change in changes.iter_mut().rev() {
        let Change { semid, before, now, .. } = change;
        if let Err(error) = bring(target, *semid, now, before, &mut buffer) {
            left.push(*semid);
            why.get_or_insert(error);
        }
    }
    why.map_or(Ok(()), |why| Err((left, why)))
}

/// How many calls the changes take, if no value changes meanwhile.
pub(super) fn count(changes: &[Change<'_>]) -> Result<usize, (i32, io::Error)> {
    let mut buffer = buffer(changes);
    let mut calls = 0;
    for Change { semid, now, wanted, .. } in changes {
        let values = SemSet::from_id(*semid).values().map_err(|error| (*semid, error))?;
        let plan = Plan::new(now, wanted, &values, &mut buffer).map_err(|error| (*semid, io::Error::other(error)))?;
        calls += plan.calls();
    }
    Ok(calls)
}

/// Brings a set's adjustments from `now` to `wanted`; `now` is what they are, also after an error.
fn bring(
    target: &mut dyn Target,
    semid: i32,
    now: &mut [i16],
    wanted: &[i16],
    buffer: &mut [Op],
) -> Result<usize, CallError> {
    let (mut calls, mut attempt) = (0, 0);
    while *now != *wanted {
        let values = SemSet::from_id(semid).values().map_err(CallError::Errno)?;
        let planned_from = now.to_vec();
        let mut plan = Plan::new(&planned_from, wanted, &values, buffer)
            .map_err(|error| CallError::Errno(io::Error::other(error)))?;
        while let Some(ops) = plan.next_call() {
            match target.semop(semid, ops).map_err(CallError::Inject)? {
                Ok(()) => {
                    calls += 1;
                    advance(now, ops);
                }
                // A value is not what it was any more: the call changed nothing, and is planned again.
                Err(error) if is_transient(&error) && attempt < ATTEMPTS => {
                    attempt += 1;
                    thread::sleep(Duration::from_micros(u64::from(attempt)));
                    break;
                }
                Err(error) => return Err(CallError::Errno(error)),
            }
        }
    }
    Ok(calls)
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::ERANGE))
}

/// As long as a call may be: the third number of `/proc/sys/kernel/sem`, in the calling thread's IPC namespace. Where no set has more
/// than one semaphore, two operations are enough, and nobody is asked.
fn buffer(changes: &[Change<'_>]) -> Vec<Op> {
    if changes.iter().all(|change| change.wanted.len() <= 1) {
        return vec![Op::default(); PAIR];
    }
    let limits = fs::read_to_string("/proc/sys/kernel/sem").unwrap_or_default();
    let semopm = limits.split_ascii_whitespace().nth(2).and_then(|number| number.parse().ok()).unwrap_or(SEMOPM);
    vec![Op::default(); semopm.clamp(PAIR, 1 << 16)]
}
