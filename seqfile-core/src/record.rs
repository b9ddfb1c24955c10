//! How the ready-made sequences print a record: by a function, or by a function and a state that is private to the file.

use crate::{Errno, SeqBuf, Show};

/// Prints records of one type. Any `FnMut(&T, &mut SeqBuf<'_>) -> Result<Show, Errno>` does, and [`Private`].
pub trait ShowRecord<T: ?Sized> {
    /// Prints `record`, as [`Section::show`](crate::Section::show) does.
    ///
    /// # Errors
    ///
    /// Those of the record; it is not delivered then.
    fn show(&mut self, record: &T, out: &mut SeqBuf<'_>) -> Result<Show, Errno>;
}

impl<T: ?Sized, F: FnMut(&T, &mut SeqBuf<'_>) -> Result<Show, Errno>> ShowRecord<T> for F {
    #[inline]
    fn show(&mut self, record: &T, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        self(record, out)
    }
}

/// Prints entries of a map. Any `FnMut(&K, &V, &mut SeqBuf<'_>) -> Result<Show, Errno>` does, and [`Private`].
pub trait ShowEntry<K: ?Sized, V: ?Sized> {
    /// Prints the entry, as [`Section::show`](crate::Section::show) does.
    ///
    /// # Errors
    ///
    /// Those of the entry; it is not delivered then.
    fn show(&mut self, key: &K, value: &V, out: &mut SeqBuf<'_>) -> Result<Show, Errno>;
}

impl<K: ?Sized, V: ?Sized, F: FnMut(&K, &V, &mut SeqBuf<'_>) -> Result<Show, Errno>> ShowEntry<K, V> for F {
    #[inline]
    fn show(&mut self, key: &K, value: &V, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        self(key, value, out)
    }
}

/// A state of the open file, and a function that prints with it: `seq_file.private` and what `show` does with it.
///
/// The `with_private` constructors make one; `show()` of the sequence gives it back, to look at or to change between reads.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use seqfile_core::{SeqBuf, SeqFile, Show, SliceOps};
///
/// struct Format { unit: &'static str }
///
/// let ops = SliceOps::with_private(&[3, 5][..], Format { unit: "kB" }, |format, n: &u32, out| {
///     out.put_dec_padded(*n, 4);
///     out.put_char(b' ');
///     out.put_str(format.unit);
///     out.put_char(b'\n');
///     Ok(Show::Record)
/// });
/// let mut file = SeqFile::new(ops);
/// let mut out = [0; 64];
/// assert_eq!(file.read_at(&mut out, 0), Ok(16));
/// assert_eq!(&out[..16], b"   3 kB\n   5 kB\n");
/// file.get_mut().show_mut().private_mut().unit = "MB";
/// assert_eq!(file.read_at(&mut out, 0), Ok(16));
/// assert_eq!(&out[..8], b"   3 MB\n");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Private<P, F> {
    private: P,
    show: F,
}

impl<P, F> Private<P, F> {
    pub(crate) const fn new(private: P, show: F) -> Self {
        Self { private, show }
    }

    /// The state.
    pub const fn private(&self) -> &P {
        &self.private
    }

    /// The state, to be changed.
    pub const fn private_mut(&mut self) -> &mut P {
        &mut self.private
    }

    pub(crate) const fn parts(&mut self) -> (&mut P, &mut F) {
        (&mut self.private, &mut self.show)
    }
}

impl<T, P, F> ShowRecord<T> for Private<P, F>
where
    T: ?Sized,
    F: FnMut(&mut P, &T, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    #[inline]
    fn show(&mut self, record: &T, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        (self.show)(&mut self.private, record, out)
    }
}

impl<K, V, P, F> ShowEntry<K, V> for Private<P, F>
where
    K: ?Sized,
    V: ?Sized,
    F: FnMut(&mut P, &K, &V, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    #[inline]
    fn show(&mut self, key: &K, value: &V, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        (self.show)(&mut self.private, key, value, out)
    }
}
