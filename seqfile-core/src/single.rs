//! A file of one record: `single_open` of `fs/seq_file.c`.

use crate::record::Private;
use crate::{Errno, Section, SeqBuf, SeqOperations, Show};

/// [`SeqOperations`] of one record, printed by a function from a private state: `/proc/uptime`, `/proc/meminfo`.
///
/// A reader that takes it in pieces gets pieces of one printing, not of several.
///
/// ```
/// # #[cfg(feature = "alloc")] {
/// use seqfile_core::{SeqFile, Show, SingleOps};
///
/// let mut file = SeqFile::new(SingleOps::new(0, |reads: &mut u32, out| {
///     *reads += 1;
///     out.put_str("printed ");
///     out.put_dec(*reads);
///     Ok(Show::Record)
/// }));
/// let mut out = [0; 64];
/// assert_eq!(file.read(&mut out[..4]), Ok(4));
/// assert_eq!(file.read(&mut out[4..]), Ok(5));
/// assert_eq!(&out[..9], b"printed 1");
/// assert_eq!(file.read(&mut out), Ok(0));
/// // At offset 0 it is printed anew, as a process that polls `/proc/uptime` by `pread` wants it.
/// assert_eq!(file.read_at(&mut out, 0), Ok(9));
/// assert_eq!(&out[..9], b"printed 2");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SingleOps<P, F> {
    record: Private<P, F>,
}

impl<P, F> SingleOps<P, F>
where
    F: FnMut(&mut P, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    /// The record that `show` prints.
    pub const fn new(private: P, show: F) -> Self {
        Self { record: Private::new(private, show) }
    }
}

impl<P, F> SingleOps<P, F> {
    /// The state.
    pub const fn private(&self) -> &P {
        self.record.private()
    }

    /// The state, to be changed between reads.
    pub const fn private_mut(&mut self) -> &mut P {
        self.record.private_mut()
    }
}

/// The section of [`SingleOps`].
#[derive(Debug)]
pub struct SingleSection<'a, P, F> {
    record: &'a mut Private<P, F>,
    pos: u64,
}

impl<P, F> SeqOperations for SingleOps<P, F>
where
    F: FnMut(&mut P, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    type Section<'a>
        = SingleSection<'a, P, F>
    where
        Self: 'a;

    fn start(&mut self, pos: u64) -> Result<Self::Section<'_>, Errno> {
        Ok(SingleSection { record: &mut self.record, pos })
    }
}

impl<P, F> Section for SingleSection<'_, P, F>
where
    F: FnMut(&mut P, &mut SeqBuf<'_>) -> Result<Show, Errno>,
{
    fn pos(&self) -> u64 {
        self.pos
    }

    fn is_end(&self) -> bool {
        self.pos > 0
    }

    fn show(&mut self, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        let (private, show) = self.record.parts();
        show(private, out)
    }

    fn next(&mut self) -> Result<(), Errno> {
        self.pos += 1;
        Ok(())
    }
}
