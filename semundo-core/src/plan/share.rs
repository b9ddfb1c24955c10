//! How pairs and triples are shared out over the fewest calls.
//!
//! Triples alone decide how full calls are, for pairs fill what is left of a call but one place if it is odd. A call has no
//! odd place where its number of triples is as even or odd as SEMOPM. So, for a number of calls: as many triples as fit stay
//! whole, the others are split into two pairs each, and they are dealt so that the fewest calls have an odd place. A split
//! costs one operation and spares one odd place at most, so no other number of them does better.

/// Deals triples to calls.
#[derive(Clone, Debug)]
pub(super) struct Share {
    semopm: usize,
    /// Calls still to come.
    pub(super) calls: usize,
    /// Whole triples not yet dealt.
    triples: usize,
    split: usize,
}

impl Share {
    /// For so many pairs and triples, in calls of at most `semopm` operations.
    pub(super) fn new(pairs: usize, triples: usize, semopm: usize) -> Self {
        let ops = 2 * pairs + 3 * triples;
        let mut calls = ops.div_ceil(semopm);
        loop {
            let split = triples.saturating_sub(calls * (semopm / 3));
            let share = Self { semopm, calls, triples: triples - split, split };
            if ops + split + share.odd_places() <= calls * semopm {
                return share;
            }
            calls += 1;
        }
    }

    /// How many triples are done in two pairs each.
    pub(super) fn split(&self) -> usize {
        self.split
    }

    /// How many whole triples the next call has. The rest of it is for pairs.
    pub(super) fn next_call(&mut self) -> usize {
        let later = self.calls.saturating_sub(1);
        let triples = if later == 0 {
            self.triples
        } else if self.triples > self.calls * self.most() {
            self.most() + 1
        } else {
            // With SEMOPM odd each of the later calls needs one.
            self.most().min(self.triples.saturating_sub(later * self.parity()))
        };
        self.calls = later;
        self.triples -= triples;
        triples
    }

    /// What the number of triples of a call without an odd place is, modulo 2.
    fn parity(&self) -> usize {
        self.semopm % 2
    }

    /// The most triples of a call without an odd place.
    fn most(&self) -> usize {
        let fit = self.semopm / 3;
        fit - (fit + self.parity()) % 2
    }

    /// The fewest odd places that the triples leave.
    fn odd_places(&self) -> usize {
        let (least, most) = (self.calls * self.parity(), self.calls * self.most());
        if self.triples < least {
            least - self.triples
        } else if self.triples > most {
            self.triples - most
        } else {
            (self.triples - least) % 2
        }
    }
}
