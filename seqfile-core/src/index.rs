//! A sequence over records in no order that could be resumed: an RCU list, a hash map. Exact while they change.
//!
//! A list that is added to at its head has no position that stays. So the sequence takes an *index* when a read starts at
//! the beginning: the keys of all records, sorted. The records are printed in *batches*, one pass over the source each,
//! since the next pass may meet them anywhere. A record that is gone by then leaves a hole; one that came later is not in
//! the index. A whole read is O(n log n) in time; memory is that of the keys and of the text of an eighth of the records.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::record::{Private, ShowRecord};
use crate::{Errno, Section, SeqBuf, SeqOperations, Show};

/// A batch has this many records at least,
const BATCH_MIN: usize = 64;
/// and this part of all, so that the number of passes is bounded.
const BATCH_PART: usize = 8;
/// How much text a batch may have.
const TEXT_MAX: usize = 1 << 30;

/// Records that can be passed over, in any order.
pub trait Pass {
    /// One of them.
    type Record: ?Sized;

    /// Calls `visit` for every record.
    ///
    /// One that is there from the beginning of the pass to its end is visited once; one that comes or goes meanwhile is
    /// visited at most once.
    ///
    /// # Errors
    ///
    /// Whatever keeps the records from being passed over. Some may have been visited.
    fn pass(&mut self, visit: impl FnMut(&Self::Record)) -> Result<(), Errno>;
}

/// [`SeqOperations`] over records in any order, each known by a key, and a function that prints one record. They come out in the
/// order of their keys.
///
/// A key is a record's alone, and does not change. With the feature `rcu` the records are those of a `&rcu_core::RcuList`:
///
/// ```
/// # #[cfg(feature = "rcu")] {
/// use rcu_core::{Links, List, flavor::membarrier::Membarrier, linked};
/// use seqfile_core::{IndexOps, SeqFile, Show};
///
/// struct Route { links: Links, prefix: u32, hops: u8 }
/// linked!(Route, links);
///
/// let routes = List::new(Membarrier);
/// for prefix in [10, 30, 20] {
///     routes.lock().push_front(Box::new(Route { links: Links::new(), prefix, hops: 1 }));
/// }
/// let mut file = SeqFile::new(IndexOps::new(&routes, |route: &Route| route.prefix, |route, out| {
///     out.put_dec(route.prefix);
///     out.put_char(b'\n');
///     Ok(Show::Record)
/// }));
/// let mut out = [0; 64];
/// assert_eq!(file.read(&mut out[..4]), Ok(4));
/// routes.lock().retain(|route| route.prefix != 10);
/// routes.lock().push_front(Box::new(Route { links: Links::new(), prefix: 40, hops: 2 }));
/// assert_eq!(file.read(&mut out[4..]), Ok(5));
/// assert_eq!(&out[..9], b"10\n20\n30\n");
/// # }
/// ```
pub struct IndexOps<S, K, N, F> {
    source: S,
    key: N,
    show: F,
    /// Of all records, as they were when the walk began; `None` before that.
    index: Option<Vec<K>>,
    batch: Batch,
}

/// The printed records of a part of the index.
#[derive(Default)]
struct Batch {
    places: Range<usize>,
    slots: Vec<Slot>,
    text: Vec<u8>,
}

/// What became of a record in a batch.
#[derive(Clone)]
enum Slot {
    /// It was not met.
    Gone,
    /// Its text.
    Printed(Range<usize>),
    /// It is not to appear.
    Skip,
    /// It could not be printed.
    Failed(Errno),
}

impl<S, K, N, F> IndexOps<S, K, N, F>
where
    S: Pass,
    K: Ord,
    N: FnMut(&S::Record) -> K,
    F: FnMut(&S::Record, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    /// A sequence of the records of `source`, in the order of what `key` says, each printed by `show`.
    pub const fn new(source: S, key: N, show: F) -> Self {
        Self { source, key, show, index: None, batch: Batch::new() }
    }
}

impl<S, K, N, P, F> IndexOps<S, K, N, Private<P, F>>
where
    S: Pass,
    K: Ord,
    N: FnMut(&S::Record) -> K,
    F: FnMut(&mut P, &S::Record, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    /// As [`new`](IndexOps::new), with a state that is private to this sequence.
    pub const fn with_private(source: S, key: N, private: P, show: F) -> Self {
        Self { source, key, show: Private::new(private, show), index: None, batch: Batch::new() }
    }
}

impl<S, K, N, F> IndexOps<S, K, N, F> {
    /// The source.
    pub const fn source(&self) -> &S {
        &self.source
    }

    /// What prints.
    pub const fn show(&self) -> &F {
        &self.show
    }

    /// What prints, to be changed between reads.
    pub const fn show_mut(&mut self) -> &mut F {
        &mut self.show
    }

    fn len(&self) -> usize {
        self.index.as_ref().map_or(0, Vec::len)
    }
}

impl<S, K, N, F> IndexOps<S, K, N, F>
where
    S: Pass,
    K: Ord,
    N: FnMut(&S::Record) -> K,
    F: ShowRecord<S::Record>,
{
    /// Takes a new index: one pass.
    fn take_index(&mut self) -> Result<(), Errno> {
        self.batch.clear();
        let mut keys = self.index.take().unwrap_or_default();
        keys.clear();
        let (mut enough, key) = (Ok(()), &mut self.key);
        self.source.pass(|record| {
            if keys.try_reserve(1).is_ok() {
                keys.push(key(record));
            } else {
                enough = Err(Errno::ENOMEM);
            }
        })?;
        enough?;
        keys.sort_unstable();
        // A record that was replaced during the pass may have been met twice.
        keys.dedup();
        self.index = Some(keys);
        Ok(())
    }

    /// Prints the records from place `from` on, as many as a batch has: one pass.
    fn fill_batch(&mut self, from: usize) -> Result<(), Errno> {
        self.batch.clear();
        let index = self.index.as_deref().unwrap_or_default();
        let places = from..index.len().min(from + BATCH_MIN.max(index.len() / BATCH_PART));
        let keys = &index[places.clone()];
        let (slots, text) = (&mut self.batch.slots, &mut self.batch.text);
        slots.try_reserve(keys.len()).map_err(|_| Errno::ENOMEM)?;
        slots.resize(keys.len(), Slot::Gone);
        let (key, show, mut used) = (&mut self.key, &mut self.show, 0);
        self.source.pass(|record| {
            let wanted = keys.binary_search(&key(record)).ok().map(|place| &mut slots[place]);
            if let Some(slot @ Slot::Gone) = wanted {
                *slot = print(record, show, text, &mut used);
            }
        })?;
        self.batch.places = places;
        Ok(())
    }

    /// The first place from `from` on whose record is there, or the index's length.
    fn next_present(&mut self, from: usize) -> Result<usize, Errno> {
        let mut at = from;
        while at < self.len() {
            match self.batch.slot(at) {
                None => self.fill_batch(at)?,
                Some(Slot::Gone) => at += 1,
                Some(_) => return Ok(at),
            }
        }
        Ok(self.len())
    }
}

/// Prints a record behind the first `used` bytes of `text`, which is made longer if need be.
fn print<T: ?Sized>(record: &T, show: &mut impl ShowRecord<T>, text: &mut Vec<u8>, used: &mut usize) -> Slot {
    loop {
        let start = *used;
        let mut out = SeqBuf::with_count(text, start);
        let shown = show.show(record, &mut out);
        let (end, overflowed) = (out.count(), out.has_overflowed());
        match shown {
            Err(errno) => return Slot::Failed(errno),
            Ok(Show::Skip) => return Slot::Skip,
            Ok(Show::Record) if !overflowed => {
                *used = end;
                return Slot::Printed(start..end);
            }
            Ok(Show::Record) => {}
        }
        let more = text.len().max(4096);
        if text.len() >= TEXT_MAX || text.try_reserve(more).is_err() {
            return Slot::Failed(Errno::ENOMEM);
        }
        text.resize(text.len() + more, 0);
    }
}

impl Batch {
    const fn new() -> Self {
        Self { places: 0..0, slots: Vec::new(), text: Vec::new() }
    }

    fn clear(&mut self) {
        self.places = 0..0;
        self.slots.clear();
    }

    /// What became of the record at a place of the index; `None` where it is in another batch.
    fn slot(&self, place: usize) -> Option<&Slot> {
        self.slots.get(place.checked_sub(self.places.start)?)
    }
}

impl<S, K, N, F> SeqOperations for IndexOps<S, K, N, F>
where
    S: Pass,
    K: Ord,
    N: FnMut(&S::Record) -> K,
    F: ShowRecord<S::Record>,
{
    type Section<'a>
        = IndexSection<'a, S, K, N, F>
    where
        Self: 'a;

    /// Enters at record `pos`. Position 0 begins a new walk; any other goes on with the present one.
    fn start(&mut self, pos: u64) -> Result<Self::Section<'_>, Errno> {
        if pos == 0 || self.index.is_none() {
            self.take_index()?;
        }
        let mut section = IndexSection { ops: self, pos };
        section.settle()?;
        Ok(section)
    }
}

/// The section of [`IndexOps`]. It holds no lock: records are printed by a pass.
pub struct IndexSection<'a, S, K, N, F> {
    ops: &'a mut IndexOps<S, K, N, F>,
    pos: u64,
}

impl<S, K, N, F> IndexSection<'_, S, K, N, F> {
    /// The place in the index.
    fn place(&self) -> usize {
        // A position beyond the address space is beyond the index too.
        usize::try_from(self.pos).unwrap_or(usize::MAX)
    }
}

impl<S, K, N, F> IndexSection<'_, S, K, N, F>
where
    S: Pass,
    K: Ord,
    N: FnMut(&S::Record) -> K,
    F: ShowRecord<S::Record>,
{
    /// Moves on to the first position, from the current one, that has a record.
    fn settle(&mut self) -> Result<(), Errno> {
        let present = self.ops.next_present(self.place())?;
        // At the end the position stays where it is if it already lies beyond.
        self.pos = self.pos.max(present as u64);
        Ok(())
    }
}

impl<S, K, N, F> Section for IndexSection<'_, S, K, N, F>
where
    S: Pass,
    K: Ord,
    N: FnMut(&S::Record) -> K,
    F: ShowRecord<S::Record>,
{
    fn pos(&self) -> u64 {
        self.pos
    }

    fn is_end(&self) -> bool {
        self.place() >= self.ops.len()
    }

    fn show(&mut self, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        match self.ops.batch.slot(self.place()) {
            Some(Slot::Printed(text)) => {
                out.put_bytes(&self.ops.batch.text[text.clone()]);
                Ok(Show::Record)
            }
            Some(&Slot::Failed(errno)) => {
                // Whoever comes back for the record has it printed again.
                self.ops.batch.clear();
                Err(errno)
            }
            Some(Slot::Gone | Slot::Skip) | None => Ok(Show::Skip),
        }
    }

    fn next(&mut self) -> Result<(), Errno> {
        self.pos += 1;
        self.settle()
    }
}

impl<S, K, N, F> fmt::Debug for IndexOps<S, K, N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexOps")
            .field("records", &self.len())
            .field("batch", &self.batch.places)
            .finish_non_exhaustive()
    }
}

impl<S, K, N, F> fmt::Debug for IndexSection<'_, S, K, N, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexSection").field("pos", &self.pos).finish_non_exhaustive()
    }
}
