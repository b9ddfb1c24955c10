//! One semaphore's change, and the shortest run of operations that makes it.
//!
//! To move an adjustment by `d` while the value keeps its place, undo operations go `d` one way and plain ones `d` the
//! other. Two of a kind in a row are as good as one, so they take turns, each going at most from one end of the value's range to
//! the other. Starting towards the farther end, `pair` away, and turning only at the ends, a run of `n` operations moves the
//! adjustment by as much as `n / 2` undo operations can: the whole range each, but with `n` even the first and the last
//! operation share what is only `pair`. No order does better.

use crate::types::SemAdj;

/// The longest shortest run: the largest difference, from -32768 to 32767, takes six operations.
pub(super) const LONGEST: usize = 6;

/// What is to be done to one semaphore.
///
/// # Invariants
///
/// `ahead + behind` is SEMVMX, an odd number; `amount` is at most `2 * SEMVMX + 1`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// How far the adjustment has to move.
    amount: i32,
    /// 1 for up, -1 for down: also the sign of the plain operations.
    sign: i32,
    /// How far the value can go the way of the undo operations.
    ahead: i32,
    /// How far it can go the way of the plain ones.
    behind: i32,
}

/// How a change is made with the fewest operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// In so many pairs, none where there is nothing to do. Each may be in another call.
    Pairs(usize),
    /// In one run of three; with one operation more, in two pairs.
    Triple,
    /// In one run of four to six; parts of it may be in another call, with one operation more in some cases.
    Longer,
}

impl Change {
    pub(super) fn new(now: SemAdj, wanted: SemAdj, value: u16, semvmx: i32) -> Self {
        let (difference, value) = (i32::from(wanted) - i32::from(now), i32::from(value));
        let (sign, ahead) = if difference >= 0 { (1, value) } else { (-1, semvmx - value) };
        Self { amount: difference.abs(), sign, ahead, behind: semvmx - ahead }
    }

    /// How far the adjustment has to move, up or down.
    pub(super) fn amount(&self) -> i32 {
        self.amount
    }

    /// How far a run of `len` operations can move it.
    pub(super) fn reach(&self, len: usize) -> i32 {
        let (range, pair) = (self.ahead + self.behind, self.ahead.max(self.behind));
        match len as i32 {
            ..2 => 0,
            len if len % 2 == 0 => (len / 2 - 1) * range + pair,
            len => len / 2 * range,
        }
    }

    /// How it is made with the fewest operations.
    pub(super) fn way(&self) -> Way {
        let pair = self.reach(2);
        // Most are one pair.
        if self.amount <= pair {
            return Way::Pairs(usize::from(self.amount > 0));
        }
        let pairs = (self.amount as u32).div_ceil(pair as u32) as usize;
        if self.amount > self.reach(2 * pairs - 1) {
            Way::Pairs(pairs)
        } else if self.amount <= self.reach(3) {
            Way::Triple
        } else {
            Way::Longer
        }
    }

    /// The shortest run that moves the adjustment by `amount`, at most what is to be moved.
    pub(super) fn run(&self, amount: i32) -> Run {
        Run { undo_left: amount, plain_left: amount, undo_next: self.ahead >= self.behind, at: *self }
    }
}

/// The operations of a run: each the amount, and whether it is an undo operation. Made by [`Change::run`].
#[derive(Clone, Debug)]
pub(super) struct Run {
    undo_left: i32,
    plain_left: i32,
    undo_next: bool,
    at: Change,
}

impl Iterator for Run {
    type Item = (i16, bool);

    fn next(&mut self) -> Option<(i16, bool)> {
        let undo = self.undo_next;
        self.undo_next = !undo;
        let (left, ahead, behind, sign) = if undo {
            (&mut self.undo_left, &mut self.at.ahead, &mut self.at.behind, -self.at.sign)
        } else {
            (&mut self.plain_left, &mut self.at.behind, &mut self.at.ahead, self.at.sign)
        };
        let amount = *left.min(ahead);
        *left -= amount;
        *ahead -= amount;
        *behind += amount;
        // Within the value's range, so it fits.
        (amount > 0).then_some(((sign * amount) as i16, undo))
    }
}
