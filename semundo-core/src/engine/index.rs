//! A table from small numbers to shared values, which is read under RCU while it changes and grows: the kernel's `idr`.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::array;

use rcu_core::{Flavor, RcuPtr};

/// How many slots a chunk has.
const CHUNK: usize = 64;

type Chunk<T, F> = [RcuPtr<Arc<T>, F>; CHUNK];
type Chunks<T, F> = Vec<Arc<Chunk<T, F>>>;

/// The table. Its writers take turns by a lock of its owner's.
pub(super) struct Index<T, F: Flavor> {
    chunks: RcuPtr<Chunks<T, F>, F>,
    flavor: F,
}

impl<T, F> Index<T, F>
where
    T: Send + Sync + 'static,
    F: Flavor + Clone + Send + Sync + 'static,
{
    pub(super) fn new(flavor: F) -> Self {
        Self { chunks: RcuPtr::new(flavor.clone(), None), flavor }
    }

    /// The value at a place.
    #[inline]
    pub(super) fn get<'g>(&'g self, place: usize, section: &'g F::Guard<'_>) -> Option<&'g Arc<T>> {
        let chunk = self.chunks.dereference(section)?.get(place / CHUNK)?;
        chunk[place % CHUNK].dereference(section)
    }

    /// All values: one that stays in its place meanwhile comes once.
    pub(super) fn iter<'g>(&'g self, section: &'g F::Guard<'_>) -> impl Iterator<Item = &'g Arc<T>> {
        let chunks = self.chunks.dereference(section).into_iter().flatten();
        chunks.flat_map(|chunk| chunk.iter()).filter_map(|slot| slot.dereference(section))
    }

    /// Puts a value, or none, in a place where `replaces` agrees with what is there. Outside a section it may wait for a grace period.
    pub(super) fn set(&self, place: usize, value: Option<Arc<T>>, replaces: impl FnOnce(Option<&Arc<T>>) -> bool) {
        let chunk = self.chunk(place / CHUNK);
        let slot = &chunk[place % CHUNK];
        let section = self.flavor.read_lock();
        let agreed = replaces(slot.dereference(&section));
        drop(section);
        if agreed {
            drop(slot.replace(value));
        }
    }

    /// The chunk of a number, made if there is none yet.
    fn chunk(&self, number: usize) -> Arc<Chunk<T, F>> {
        let section = self.flavor.read_lock();
        let chunks = self.chunks.dereference(&section);
        if let Some(chunk) = chunks.and_then(|chunks| chunks.get(number)) {
            return Arc::clone(chunk);
        }
        let mut more = chunks.cloned().unwrap_or_default();
        more.resize_with(number + 1, || Arc::new(array::from_fn(|_| RcuPtr::new(self.flavor.clone(), None))));
        drop(section);
        let chunk = Arc::clone(&more[number]);
        drop(self.chunks.replace(Some(more)));
        chunk
    }
}
