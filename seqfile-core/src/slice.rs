//! A sequence over a slice: one record an item, its position the item's index.

use core::ops::Deref;

use crate::record::{Private, ShowRecord};
use crate::{Errno, Section, SeqBuf, SeqOperations, Show};

/// [`SeqOperations`] over a slice and a function that prints one item.
///
/// The slice is anything that dereferences to one: `&[T]`, `Vec<T>`, `Box<[T]>`, `Arc<[T]>`. Between two reads it may be
/// changed ([`items_mut`](Self::items_mut)): an item that keeps its index comes out exactly once.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use seqfile_core::{SeqBuf, SeqFile, Show, SliceOps};
///
/// let ops = SliceOps::new(vec!["a\n", "b\n"], |line: &&str, out: &mut SeqBuf<'_>| {
///     out.put_str(line);
///     Ok(Show::Record)
/// });
/// let mut bytes = [0; 8];
/// assert_eq!(SeqFile::new(ops).read(&mut bytes), Ok(4));
/// assert_eq!(&bytes[..4], b"a\nb\n");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SliceOps<S, F> {
    items: S,
    show: F,
}

impl<T, S, F> SliceOps<S, F>
where
    S: Deref<Target = [T]>,
    F: FnMut(&T, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    /// A sequence of `items`, each printed by `show`.
    pub const fn new(items: S, show: F) -> Self {
        Self { items, show }
    }
}

impl<T, S, P, F> SliceOps<S, Private<P, F>>
where
    S: Deref<Target = [T]>,
    F: FnMut(&mut P, &T, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    /// A sequence of `items`, each printed by `show` with a state that is private to this sequence.
    pub const fn with_private(items: S, private: P, show: F) -> Self {
        Self { items, show: Private::new(private, show) }
    }
}

impl<S, F> SliceOps<S, F> {
    /// The items.
    pub const fn items(&self) -> &S {
        &self.items
    }

    /// The items, to be changed between reads.
    pub const fn items_mut(&mut self) -> &mut S {
        &mut self.items
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

/// The section of [`SliceOps`].
#[derive(Debug)]
pub struct SliceSection<'a, S, F> {
    items: &'a S,
    show: &'a mut F,
    pos: u64,
}

impl<T, S, F> SeqOperations for SliceOps<S, F>
where
    S: Deref<Target = [T]>,
    F: ShowRecord<T>,
{
    type Section<'a>
        = SliceSection<'a, S, F>
    where
        Self: 'a;

    fn start(&mut self, pos: u64) -> Result<Self::Section<'_>, Errno> {
        Ok(SliceSection { items: &self.items, show: &mut self.show, pos })
    }
}

impl<T, S, F> Section for SliceSection<'_, S, F>
where
    S: Deref<Target = [T]>,
    F: ShowRecord<T>,
{
    fn pos(&self) -> u64 {
        self.pos
    }

    fn is_end(&self) -> bool {
        self.pos >= self.items.len() as u64
    }

    fn show(&mut self, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        match self.items.get(self.pos as usize) {
            Some(item) => self.show.show(item, out),
            None => Ok(Show::Skip),
        }
    }

    fn next(&mut self) -> Result<(), Errno> {
        self.pos += 1;
        Ok(())
    }
}
