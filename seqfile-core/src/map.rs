//! A sequence over an ordered map: one record an entry, in the order of the keys, resumed behind the key that came last.
//!
//! A position alone could not say where to go on in a map that changes: entries come before it and go. The sequence
//! remembers the last key instead, so that an entry that is there from the first read to the end comes out exactly once.

use core::fmt;
use core::ops::{Bound, Deref};

use crate::enter::{Enter, Unlocked};
use crate::record::{Private, ShowEntry};
use crate::{Errno, Section, SeqBuf, SeqOperations, Show};

/// A map that finds its next key: `BTreeMap`, a radix tree, a skip list.
pub trait OrderedMap {
    /// What the entries are ordered by.
    type Key: Clone;

    /// What they hold.
    type Value;

    /// The first entry from a key on, or behind it.
    fn first_from(&self, from: Bound<&Self::Key>) -> Option<(&Self::Key, &Self::Value)>;
}

#[cfg(feature = "alloc")]
impl<K: Ord + Clone, V> OrderedMap for alloc::collections::BTreeMap<K, V> {
    type Key = K;

    type Value = V;

    fn first_from(&self, from: Bound<&K>) -> Option<(&K, &V)> {
        self.range((from, Bound::Unbounded)).next()
    }
}

/// [`SeqOperations`] over an ordered map and a function that prints one entry.
///
/// ```
/// # #[cfg(feature = "std")] {
/// use std::{collections::BTreeMap, sync::RwLock};
/// use seqfile_core::{MapOps, SeqFile, Show};
///
/// let map = RwLock::new(BTreeMap::from([("b", 2), ("d", 4)]));
/// let mut file = SeqFile::with_buffer_size(MapOps::locked(&map, |key: &&str, value: &u32, out| {
///     out.put_str(key);
///     out.put_dec(*value);
///     Ok(Show::Record)
/// }), 4);
/// let mut out = [0; 64];
/// assert_eq!(file.read(&mut out), Ok(2));
/// // No lock is held between two reads.
/// map.write().unwrap().extend([("a", 1), ("c", 3)]);
/// assert_eq!(file.read(&mut out[2..]), Ok(2));
/// assert_eq!(file.read(&mut out[4..]), Ok(2));
/// assert_eq!(&out[..6], b"b2c3d4");
/// # }
/// ```
pub struct MapOps<L, K, F> {
    map: L,
    show: F,
    cursor: Cursor<K>,
}

/// What a position stands for: the record at `pos` is the first one behind the key `after`.
struct Cursor<K> {
    pos: u64,
    after: Option<K>,
}

impl<M, D, F> MapOps<Unlocked<D>, M::Key, F>
where
    M: OrderedMap,
    D: Deref<Target = M>,
    F: FnMut(&M::Key, &M::Value, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    /// A sequence of the entries of a map that needs no lock: `&M`, `Box<M>`, `Arc<M>`.
    pub const fn new(map: D, show: F) -> Self {
        Self { map: Unlocked(map), show, cursor: Cursor { pos: 0, after: None } }
    }
}

impl<M, L, F> MapOps<L, M::Key, F>
where
    M: OrderedMap,
    L: Enter<Target = M>,
    F: FnMut(&M::Key, &M::Value, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    /// A sequence of the entries of a map under a lock, which is held while records are printed, and not between two reads.
    pub const fn locked(map: L, show: F) -> Self {
        Self { map, show, cursor: Cursor { pos: 0, after: None } }
    }
}

impl<M, L, P, F> MapOps<L, M::Key, Private<P, F>>
where
    M: OrderedMap,
    L: Enter<Target = M>,
    F: FnMut(&mut P, &M::Key, &M::Value, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    /// As [`locked`](MapOps::locked), with a state that is private to this sequence. A map that needs no lock is
    /// [`Unlocked`].
    pub const fn with_private(map: L, private: P, show: F) -> Self {
        Self { map, show: Private::new(private, show), cursor: Cursor { pos: 0, after: None } }
    }
}

impl<L, K, F> MapOps<L, K, F> {
    /// The map, or the lock that it is under.
    pub const fn map(&self) -> &L {
        &self.map
    }

    /// The map, or the lock that it is under, to be changed between reads.
    pub const fn map_mut(&mut self) -> &mut L {
        &mut self.map
    }

    /// What prints.
    pub const fn show(&self) -> &F {
        &self.show
    }

    /// What prints, to be changed between reads.
    pub const fn show_mut(&mut self) -> &mut F {
        &mut self.show
    }
}

impl<K: Clone> Cursor<K> {
    /// Makes the cursor stand at `pos`, which is most often where it stands already.
    fn move_to(&mut self, pos: u64, map: &impl OrderedMap<Key = K>) {
        if pos == self.pos {
            return;
        }
        *self = Self { pos: 0, after: None };
        // A position that no walk has led to is counted from the beginning.
        while self.pos < pos {
            match self.current(map) {
                Some(key) => self.pass(key),
                None => break,
            }
        }
        self.pos = pos;
    }

    /// The key of the record that the cursor stands at.
    fn current(&self, map: &impl OrderedMap<Key = K>) -> Option<K> {
        let from = self.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        map.first_from(from).map(|(key, _)| key.clone())
    }

    /// Moves on behind the record of this key.
    fn pass(&mut self, key: K) {
        self.pos += 1;
        self.after = Some(key);
    }
}

/// The section of [`MapOps`].
pub struct MapSection<'a, L: Enter + 'a, K, F> {
    map: L::Guard<'a>,
    show: &'a mut F,
    cursor: &'a mut Cursor<K>,
    current: Option<K>,
}

impl<M, L, F> SeqOperations for MapOps<L, M::Key, F>
where
    M: OrderedMap,
    L: Enter<Target = M>,
    F: ShowEntry<M::Key, M::Value>,
{
    type Section<'a>
        = MapSection<'a, L, M::Key, F>
    where
        Self: 'a;

    fn start(&mut self, pos: u64) -> Result<Self::Section<'_>, Errno> {
        let map = self.map.enter();
        self.cursor.move_to(pos, &*map);
        let current = self.cursor.current(&*map);
        Ok(MapSection { map, show: &mut self.show, cursor: &mut self.cursor, current })
    }
}

impl<M, L, F> Section for MapSection<'_, L, M::Key, F>
where
    M: OrderedMap,
    L: Enter<Target = M>,
    F: ShowEntry<M::Key, M::Value>,
{
    fn pos(&self) -> u64 {
        self.cursor.pos
    }

    fn is_end(&self) -> bool {
        self.current.is_none()
    }

    fn show(&mut self, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        let entry = self.current.as_ref().and_then(|key| self.map.first_from(Bound::Included(key)));
        match entry {
            Some((key, value)) => self.show.show(key, value, out),
            None => Ok(Show::Skip),
        }
    }

    fn next(&mut self) -> Result<(), Errno> {
        if let Some(key) = self.current.take() {
            self.cursor.pass(key);
            self.current = self.cursor.current(&*self.map);
        }
        Ok(())
    }
}

impl<L, K, F> fmt::Debug for MapOps<L, K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapOps").field("pos", &self.cursor.pos).finish_non_exhaustive()
    }
}

impl<'a, L: Enter + 'a, K, F> fmt::Debug for MapSection<'a, L, K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapSection").field("pos", &self.cursor.pos).finish_non_exhaustive()
    }
}
