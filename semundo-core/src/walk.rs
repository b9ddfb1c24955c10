//! The walk: seq operations over a [`Source`] that may change between and during reads, exact all the same.
//!
//! **The exactness rule.** Every entry that is there from the first read to the end of the file comes out exactly once, in
//! ascending order of its key, whatever is added or removed meanwhile and whatever the size of the reads.
//!
//! The kernel adds new entries at a list's head, so a position counted from there moves. The walk therefore takes an
//! *index* when a read starts at the beginning: the keys of all entries, sorted. A position is a place in the index. The
//! adjustments themselves are copied in *batches*: one pass over the source fetches those of many following keys at once.
//! An entry that is gone by then leaves a hole; one that came later is not in the index.
//!
//! A whole read costs O(n log n) for n entries of bounded width: a batch holds a number of adjustments proportional to n, so the
//! number of passes does not grow with n. Memory is proportional to the number of entries, or to the widest one. No lock of
//! the source is held outside a pass: not while records are formatted, and not between reads.

use core::fmt;
use core::ops::Range;
use core::sync::atomic::Ordering;

use seqfile_core::{Errno, Section, SeqBuf, SeqOperations, Show};

use crate::memory::{Buffer, Memory};
use crate::source::{Adjustments, Key, Source};
use crate::text::put_adjustments;
use crate::types::SemAdj;

/// A walk that keeps its memory in vectors.
#[cfg(feature = "alloc")]
pub type HeapWalk<S> = Walk<S, crate::memory::Heap>;

/// A batch holds at least this many adjustments if nothing else is asked for, so that small lists take one pass.
const BATCH_MIN: usize = 4096;
/// A batch holds this many adjustments for each entry of the index, so that the number of passes is bounded.
const BATCH_PER_ENTRY: usize = 8;

/// Seq operations over the entries of a source: one record an entry with something to undo.
pub struct Walk<S: Source, M: Memory> {
    source: S,
    index: Index<S::Key, M>,
    batch: Batch<M>,
    batch_min: usize,
}

/// The keys of all entries, as they were when the walk began.
struct Index<K: Key, M: Memory> {
    /// The entries by name.
    slots: M::Buffer<Slot<K>>,
    /// The places in `slots`, in the order of the keys: that of the output.
    order: M::Buffer<usize>,
    len: usize,
    /// Whether it was taken at all.
    taken: bool,
}

/// The adjustments of the entries at some places of the index's order.
struct Batch<M: Memory> {
    places: Range<usize>,
    adjustments: M::Buffer<SemAdj>,
}

/// An entry of the index.
#[derive(Clone, Copy, Default)]
struct Slot<K> {
    key: K,
    nsems: usize,
    /// Where in the batch the adjustments are, or will be.
    start: usize,
    /// Whether the entry is one of the batch's.
    wanted: bool,
    /// Whether the batch has its adjustments and one of them is not zero.
    present: bool,
}

impl<S: Source, M: Memory> Walk<S, M> {
    /// A walk over `source`. Nothing is read before [`start`](SeqOperations::start).
    pub fn new(source: S) -> Self {
        Self::with_batch_min(source, BATCH_MIN)
    }

    /// A walk whose batches hold at least `batch_min` adjustments, for those who would rather pass over the source more often
    /// than keep some 8 KiB for a small list.
    pub fn with_batch_min(source: S, batch_min: usize) -> Self {
        Self {
            source,
            batch_min,
            index: Index { slots: Default::default(), order: Default::default(), len: 0, taken: false },
            batch: Batch { places: 0..0, adjustments: Default::default() },
        }
    }

    /// Takes a new index: one pass, and another for each time that the source outgrew the memory.
    fn take_index(&mut self) -> Result<(), Errno> {
        self.batch.places = 0..0;
        self.index.taken = false;
        let len = loop {
            let slots = self.index.slots.as_mut_slice();
            let mut met = 0;
            self.source.pass(|key, adjustments| {
                if let Some(slot) = slots.get_mut(met) {
                    *slot = Slot { key, nsems: adjustments.len(), start: 0, wanted: false, present: false };
                }
                met += 1;
            })?;
            if met <= slots.len() {
                break met;
            }
            self.index.slots.grow(met + met / 8 + 16)?;
        };
        self.index.order.grow(len)?;
        let slots = &mut self.index.slots.as_mut_slice()[..len];
        slots.sort_unstable_by_key(|slot| slot.key.name());
        let order = &mut self.index.order.as_mut_slice()[..len];
        order.iter_mut().enumerate().for_each(|(place, slot)| *slot = place);
        order.sort_unstable_by_key(|slot| slots[*slot].key);
        (self.index.len, self.index.taken) = (len, true);
        Ok(())
    }

    /// Fetches the adjustments of the entries from place `from` on, as many as a batch holds: one pass.
    fn fill_batch(&mut self, from: usize) -> Result<(), Errno> {
        let limit = self.batch_min.max(BATCH_PER_ENTRY * self.index.len);
        let slots = &mut self.index.slots.as_mut_slice()[..self.index.len];
        let order = &self.index.order.as_slice()[..self.index.len];
        for slot in &order[core::mem::take(&mut self.batch.places)] {
            slots[*slot].wanted = false;
        }
        let mut total = 0;
        let mut end = from;
        while let Some(slot) = order.get(end).map(|slot| &mut slots[*slot]) {
            if end > from && total + slot.nsems > limit {
                break;
            }
            (slot.start, slot.wanted, slot.present) = (total, true, false);
            total += slot.nsems;
            end += 1;
        }
        let places = from..end;
        let fetched = self.batch.adjustments.grow(total).and_then(|()| {
            let copies = self.batch.adjustments.as_mut_slice();
            let mut last = slots.len();
            self.source.pass(|key, adjustments| {
                if let Some(slot) = find(slots, last, &key.name()) {
                    slots[slot].copy(adjustments, copies);
                    last = slot;
                }
            })
        });
        match fetched {
            Ok(()) => self.batch.places = places,
            Err(_) => order[places].iter().for_each(|slot| slots[*slot].wanted = false),
        }
        fetched
    }

    /// The first entry from `from` on that has something to undo, or the index's length.
    fn next_present(&mut self, from: usize) -> Result<usize, Errno> {
        let mut at = from;
        while at < self.index.len {
            if !self.batch.places.contains(&at) {
                self.fill_batch(at)?;
            }
            if self.index.slots.as_slice()[self.index.order.as_slice()[at]].present {
                return Ok(at);
            }
            at += 1;
        }
        Ok(self.index.len)
    }
}

/// The slot of a name. It is looked for beside the last one first: most sources pass over their entries in the order in which they
/// came, or in the reverse.
fn find<K: Key>(slots: &[Slot<K>], last: usize, name: &K::Name) -> Option<usize> {
    let is_it = |at: &usize| slots.get(*at).is_some_and(|slot| slot.key.name() == *name);
    let beside = [last.wrapping_sub(1), last.wrapping_add(1)];
    beside.into_iter().find(is_it).or_else(|| slots.binary_search_by(|slot| slot.key.name().cmp(name)).ok())
}

impl<K> Slot<K> {
    /// Copies an entry's adjustments to their place in the batch. An entry of another size is another entry: the set was
    /// removed and its identifier given anew.
    fn copy(&mut self, adjustments: Adjustments<'_>, batch: &mut [SemAdj]) {
        if !self.wanted || adjustments.len() != self.nsems {
            return;
        }
        let mut any = 0;
        for (copy, adjustment) in batch[self.start..].iter_mut().zip(adjustments) {
            *copy = adjustment.load(Ordering::Relaxed);
            any |= *copy;
        }
        self.present = any != 0;
    }
}

impl<S: Source, M: Memory> SeqOperations for Walk<S, M> {
    type Section<'a>
        = WalkSection<'a, S, M>
    where
        Self: 'a;

    /// Enters at record `pos`. Position 0 begins a new walk; any other goes on with the present one.
    fn start(&mut self, pos: u64) -> Result<WalkSection<'_, S, M>, Errno> {
        if pos == 0 || !self.index.taken {
            self.take_index()?;
        }
        let mut section = WalkSection { walk: self, pos };
        section.settle()?;
        Ok(section)
    }
}

/// A section of a [`Walk`]. It holds no lock: records are printed from the batch.
pub struct WalkSection<'a, S: Source, M: Memory> {
    walk: &'a mut Walk<S, M>,
    pos: u64,
}

impl<S: Source, M: Memory> WalkSection<'_, S, M> {
    const HEADER_RECORDS: u64 = !<S::Key as Key>::HEADER.is_empty() as u64;

    /// The place in the index of the current record; `None` on the header.
    fn place(&self) -> Option<usize> {
        // A position beyond the address space is beyond the index too.
        self.pos.checked_sub(Self::HEADER_RECORDS).map(|place| usize::try_from(place).unwrap_or(usize::MAX))
    }

    /// Moves on to the first position, from the current one, that has a record.
    fn settle(&mut self) -> Result<(), Errno> {
        if let Some(place) = self.place() {
            let present = self.walk.next_present(place)?;
            // At the end the position stays where it is if it already lies beyond.
            self.pos = self.pos.max(present as u64 + Self::HEADER_RECORDS);
        }
        Ok(())
    }
}

impl<S: Source, M: Memory> Section for WalkSection<'_, S, M> {
    fn pos(&self) -> u64 {
        self.pos
    }

    fn is_end(&self) -> bool {
        self.place().is_some_and(|place| place >= self.walk.index.len)
    }

    fn show(&mut self, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        let Some(place) = self.place() else {
            out.put_str(S::Key::HEADER);
            return Ok(Show::Record);
        };
        let slot = &self.walk.index.slots.as_slice()[self.walk.index.order.as_slice()[place]];
        slot.key.show(out);
        put_adjustments(&self.walk.batch.adjustments.as_slice()[slot.start..slot.start + slot.nsems], out);
        Ok(Show::Record)
    }

    fn next(&mut self) -> Result<(), Errno> {
        self.pos += 1;
        self.settle()
    }
}

impl<S: Source, M: Memory> fmt::Debug for Walk<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk")
            .field("entries", &self.index.len)
            .field("batch", &self.batch.places)
            .finish_non_exhaustive()
    }
}

impl<S: Source, M: Memory> fmt::Debug for WalkSection<'_, S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalkSection").field("pos", &self.pos).finish_non_exhaustive()
    }
}
