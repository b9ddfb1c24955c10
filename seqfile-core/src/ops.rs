//! The operations that describe a sequence of records: `struct seq_operations` of
//! `include/linux/seq_file.h` as two traits. `start` returns a section, an owned guard over
//! whatever must be held while the sequence is walked; dropping the section is `stop`.

use crate::{Errno, SeqBuf};

/// A sequence of records that can be entered at any position.
///
/// Every record has a position. Positions ascend strictly along the sequence, and a record keeps
/// its position for as long as it exists; they need not be consecutive. A position is a cursor, not
/// a byte offset: the reader that drives these operations counts the bytes. Position 0 is the
/// beginning. Positions are at most `i64::MAX`, since the kernel's are `loff_t`.
///
/// A reader may enter the same position more than once (a record that outgrew the buffer, a seek
/// backwards), and it enters a new section for each read.
///
/// [`SliceOps`](crate::SliceOps) is a small complete implementation.
pub trait SeqOperations {
    /// What is held from `start` to `stop`.
    type Section<'a>: Section
    where
        Self: 'a;

    /// Enters a section that stands on the first record whose position is at least `pos`, or at
    /// the end where there is none.
    ///
    /// # Errors
    ///
    /// Whatever the source reports; nothing is held then.
    fn start(&mut self, pos: u64) -> Result<Self::Section<'_>, Errno>;
}

/// A walk along the records, from `start` to its drop, which is `stop`.
pub trait Section {
    /// The position of the current record. At the end: a position past that of every record that
    /// was walked, and not below the one that the section was entered at. Grows with every
    /// [`next`](Self::next).
    fn pos(&self) -> u64;

    /// Whether the walk has passed the last record.
    fn is_end(&self) -> bool;

    /// Prints the current record. What does not fit is remembered by `out`: the reader drops the
    /// record and comes back with a larger buffer, so `show` need not look.
    ///
    /// Not called at the end.
    ///
    /// # Errors
    ///
    /// The error is what the reader gets, once the records before this one are delivered. Nothing
    /// of this record is.
    fn show(&mut self, out: &mut SeqBuf<'_>) -> Result<Show, Errno>;

    /// Moves to the next record, or to the end. Not called at the end.
    ///
    /// # Errors
    ///
    /// After an error the section is only dropped. As `seq_read_iter`, a reader that has records to
    /// deliver drops the error and goes on past the position at which it happened.
    fn next(&mut self) -> Result<(), Errno>;
}

/// What [`Section::show`] made of the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Show {
    /// The record is in the buffer (0 in C). Printing nothing is a record of no bytes.
    Record,
    /// The record is not to appear; what was printed of it is dropped (`SEQ_SKIP` in C).
    Skip,
}

impl<O: SeqOperations + ?Sized> SeqOperations for &mut O {
    type Section<'a>
        = O::Section<'a>
    where
        Self: 'a;

    #[inline]
    fn start(&mut self, pos: u64) -> Result<Self::Section<'_>, Errno> {
        (**self).start(pos)
    }
}

/// Moves `section` on, and `index` with it: to the section's new position, and by one at least,
/// even on an error (`seq_read_iter` complains about a `next` that leaves the index alone).
#[inline]
pub(crate) fn advance(section: &mut impl Section, index: &mut u64) -> Result<(), Errno> {
    let moved = section.next();
    let least = index.wrapping_add(1);
    *index = if moved.is_ok() { section.pos().max(least) } else { least };
    moved
}
