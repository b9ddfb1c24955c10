//! The restore planner: `semop(2)` calls that change a process's adjustments and leave every semaphore's value as it is.
//!
//! A call is all or nothing, so what it does to a value on the way is seen by nobody; only its sum counts. For one semaphore a
//! *run* of operations whose sum is zero moves the adjustment by what its `SEM_UNDO` operations take: in the shortest, the pair
//! `{i, +a, 0}, {i, -a, SEM_UNDO}`, by `a`. The value must stay in 0..=32767 between the two, and a longer run that goes to and
//! fro between the two ends can move further with fewer operations than several pairs.
//!
//! # What is promised
//!
//! For every `now`, `wanted` and `values`, if nobody else touches the semaphores meanwhile:
//!
//! - each call succeeds, has 1 to SEMOPM operations, and leaves all values as they were; all operations are `IPC_NOWAIT`;
//! - after the last one the adjustments are as wanted; where they are already, there is no call;
//! - an adjustment moves towards the wanted one only, so it is never out of range on the way;
//! - each semaphore's run is as short as any that changes as much: 2 to 6 operations. Where the end of a call cuts one in two, both
//!   parts leave the value, and that costs one operation at most;
//! - **from zero, or to zero, no plan has fewer calls**, nor where no difference exceeds 32768. With larger ones there may be one
//!   that has: the plan's calls are at most `ceil(operations / (SEMOPM - 1))`, where `operations` is the sum of the shortest runs, and
//!   no plan has fewer than `ceil(operations / SEMOPM)`. With SEMOPM 500 and at most 32,000 semaphores these differ by one at most.
//!
//! If somebody does touch them, a call can fail: `EAGAIN` or `ERANGE`, and nothing was changed by it. [`advance`] the
//! adjustments by the calls that succeeded and plan again with fresh values.
//!
//! # Example
//!
//! ```
//! use semundo_core::plan::{Op, Plan, SEMOPM, advance};
//!
//! let (mut now, wanted, values) = ([0, 3, 0], [-1, 3, 20000], [0, 1, 16000]);
//! let mut buffer = [Op::default(); SEMOPM];
//! let mut plan = Plan::new(&now, &wanted, &values, &mut buffer).unwrap();
//! assert_eq!(plan.calls(), 1);
//!
//! let call = plan.next_call().unwrap().to_vec(); // semop(semid, call.as_ptr().cast(), call.len())
//! let ops = call.iter().map(|op| (op.semaphore(), op.amount(), op.undo()));
//! assert!(ops.eq([
//!     (2, 16767, false), // 20000 at once fits neither above nor below 16000: to the upper end,
//!     (2, -20000, true), // down,
//!     (2, 3233, false), //  and back
//!     (0, 1, true),
//!     (0, -1, false),
//! ]));
//! assert_eq!(plan.next_call(), None);
//!
//! advance(&mut now, &call);
//! assert_eq!(now, wanted);
//! ```

use core::fmt;

use crate::types::SemAdj;

mod change;
mod op;
mod share;

pub use op::{Op, advance};

use change::{Change, Way};
use share::Share;

/// How many operations a call may have, unless the IPC namespace's third number of `/proc/sys/kernel/sem` says otherwise.
pub const SEMOPM: usize = 500;

/// The largest value of a semaphore. Adjustments go from `-SEMVMX - 1` to `SEMVMX`.
const SEMVMX: i32 = 32767;

/// The calls that bring one process's adjustments of one set from what they are to what they shall be.
///
/// To take all adjustments back to zero, as before the end of a process whose successor has them, is the plan whose `wanted` is zero.
#[derive(Debug)]
pub struct Plan<'a> {
    rest: Rest<'a>,
    buffer: &'a mut [Op],
}

impl<'a> Plan<'a> {
    /// Plans from `now` to `wanted`, one number a semaphore, in a set whose values are `values`.
    ///
    /// A call is written into `buffer`: its length is how many operations a call may have, [`SEMOPM`] or what the IPC namespace has
    /// instead, and at least 2. One longer than six operations a semaphore is never filled.
    ///
    /// # Errors
    ///
    /// See [`PlanError`].
    pub fn new(
        now: &'a [SemAdj],
        wanted: &'a [SemAdj],
        values: &'a [u16],
        buffer: &'a mut [Op],
    ) -> Result<Self, PlanError> {
        let set = Set { now, wanted, values, semvmx: SEMVMX };
        Ok(Self { rest: Rest::new(set, buffer.len())?, buffer })
    }

    /// The next call's operations, in the order in which they must be; `None` where nothing is left to do.
    pub fn next_call(&mut self) -> Option<&[Op]> {
        let mut len = 0;
        self.rest.call(|op| {
            self.buffer[len] = op;
            len += 1;
        });
        (len > 0).then(|| &self.buffer[..len])
    }

    /// How many calls are left. Goes through all of them.
    #[must_use]
    pub fn calls(&self) -> usize {
        let mut rest = self.rest.clone();
        core::iter::from_fn(|| rest.call(|_| {}).then_some(())).count()
    }
}

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// Not one number a semaphore, in each of the three.
    LengthsDiffer {
        /// Adjustments that there are.
        now: usize,
        /// Adjustments that there shall be.
        wanted: usize,
        /// Values.
        values: usize,
    },
    /// More semaphores than an operation can name: 65,536.
    TooManySemaphores {
        /// How many.
        nsems: usize,
    },
    /// A value above 32767, which no semaphore has.
    ValueOutOfRange {
        /// The semaphore's number in the set.
        semaphore: usize,
        /// The value.
        value: u16,
    },
    /// A call of fewer than two operations cannot change an adjustment and leave the value.
    CallTooShort {
        /// How many operations a call may have.
        semopm: usize,
    },
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LengthsDiffer { now, wanted, values } => write!(
                f,
                "{now} adjustments now, {wanted} wanted and {values} values: each must be the set's number of semaphores"
            ),
            Self::TooManySemaphores { nsems } => write!(f, "{nsems} semaphores: an operation can name 65536"),
            Self::ValueOutOfRange { semaphore, value } => {
                write!(f, "semaphore {semaphore}: the value {value} is not in 0..=32767")
            }
            Self::CallTooShort { semopm } => {
                write!(f, "{semopm} operations a call: adjustments can be changed with 2 or more only")
            }
        }
    }
}

impl core::error::Error for PlanError {}

/// What the plan is for.
#[derive(Clone, Copy, Debug)]
struct Set<'a> {
    now: &'a [SemAdj],
    wanted: &'a [SemAdj],
    values: &'a [u16],
    /// Always [`SEMVMX`], but where a smaller model is searched through.
    semvmx: i32,
}

impl Set<'_> {
    /// What is to be done to one semaphore; `None` behind the last.
    fn change(&self, semaphore: usize) -> Option<Change> {
        let (now, wanted) = (self.now.get(semaphore)?, self.wanted.get(semaphore)?);
        Some(Change::new(*now, *wanted, *self.values.get(semaphore)?, self.semvmx))
    }

    fn check(&self) -> Result<(), PlanError> {
        let nsems = self.now.len();
        if self.wanted.len() != nsems || self.values.len() != nsems {
            return Err(PlanError::LengthsDiffer { now: nsems, wanted: self.wanted.len(), values: self.values.len() });
        }
        if nsems > usize::from(u16::MAX) + 1 {
            return Err(PlanError::TooManySemaphores { nsems });
        }
        match self.values.iter().position(|value| i32::from(*value) > self.semvmx) {
            Some(semaphore) => Err(PlanError::ValueOutOfRange { semaphore, value: self.values[semaphore] }),
            None => Ok(()),
        }
    }
}

/// What is left of a plan.
#[derive(Clone, Debug)]
struct Rest<'a> {
    set: Set<'a>,
    semopm: usize,
    share: Share,
    triples: Cursor,
    pairs: Cursor,
    longer: Cursor,
}

impl<'a> Rest<'a> {
    fn new(set: Set<'a>, semopm: usize) -> Result<Self, PlanError> {
        set.check()?;
        if semopm < 2 {
            return Err(PlanError::CallTooShort { semopm });
        }
        let semopm = semopm.min(change::LONGEST * set.now.len()).max(2);
        let (mut pairs, mut triples) = (0, 0);
        for change in (0..set.now.len()).filter_map(|semaphore| set.change(semaphore)) {
            match change.way() {
                Way::Pairs(number) => pairs += number,
                Way::Triple => triples += 1,
                Way::Longer => {}
            }
        }
        let share = Share::new(pairs, triples, semopm);
        let cursor = |kind| Cursor { kind, semaphore: 0, moved: 0, split: share.split() };
        let (triples, pairs, longer) = (cursor(Kind::Triple), cursor(Kind::Pair), cursor(Kind::Longer));
        Ok(Self { set, semopm, share, triples, pairs, longer })
    }

    /// Puts the operations of the next call; whether there were any.
    fn call(&mut self, mut put: impl FnMut(Op)) -> bool {
        let mut room = self.semopm;
        for _ in 0..self.share.next_call() {
            room -= self.triples.put(&self.set, 3, &mut put);
        }
        for (cursor, most) in [(&mut self.pairs, 2), (&mut self.longer, change::LONGEST)] {
            while room >= 2 {
                let len = cursor.put(&self.set, most.min(room), &mut put);
                if len == 0 {
                    break;
                }
                room -= len;
            }
        }
        room < self.semopm
    }
}

/// What a cursor looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pair,
    Triple,
    Longer,
}

/// Goes through the set for the semaphores of one kind.
#[derive(Clone, Debug)]
struct Cursor {
    kind: Kind,
    semaphore: usize,
    /// How far the semaphore's adjustment was moved already.
    moved: i32,
    /// How many of the triples still to come are done in two pairs.
    split: usize,
}

impl Cursor {
    /// Puts a run of at most `most` operations that does as much as they can of what is left. Returns how many it took, 0 at the end.
    fn put(&mut self, set: &Set<'_>, most: usize, put: &mut impl FnMut(Op)) -> usize {
        while let Some(change) = set.change(self.semaphore) {
            let way = change.way();
            let kind = match way {
                Way::Pairs(_) => Kind::Pair,
                Way::Triple if self.split > 0 => Kind::Pair,
                Way::Triple => Kind::Triple,
                Way::Longer => Kind::Longer,
            };
            if kind == self.kind && self.moved < change.amount() {
                let amount = change.reach(most).min(change.amount() - self.moved);
                self.moved += amount;
                let ops = change.run(amount);
                return ops.map(|(amount, undo)| put(Op::new(self.semaphore as u16, amount, undo))).count();
            }
            self.split -= usize::from(way == Way::Triple && self.split > 0);
            self.semaphore += 1;
            self.moved = 0;
        }
        0
    }
}

#[cfg(test)]
mod tests;
