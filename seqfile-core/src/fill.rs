//! The window of a `SeqFile`: its buffer, the bytes in it that are not delivered yet, and the
//! position in the sequence behind them. What `seq_read_iter` and `traverse` of `fs/seq_file.c` do
//! with the operations is here, call for call.

use alloc::vec::Vec;

use crate::{Errno, Section, SeqBuf, SeqOperations, Show, ops};

/// The kernel's `kvmalloc` gives no more than this.
const MAX_BUFFER: usize = i32::MAX as usize;

/// # Invariants
///
/// `from + count <= buf.len()`.
#[derive(Debug)]
pub(crate) struct Window {
    /// Allocated when it is first needed.
    buf: Vec<u8>,
    /// The size of a new buffer.
    initial: usize,
    /// Where the bytes to deliver begin,
    from: usize,
    /// and how many there are.
    count: usize,
    /// The position of the first record that is not in the buffer.
    index: u64,
}

/// What became of one `show`.
enum Shown {
    /// This many bytes are text now.
    Text(usize),
    Overflow,
}

impl Window {
    pub(crate) const fn new(initial: usize) -> Self {
        Self { buf: Vec::new(), initial, from: 0, count: 0, index: 0 }
    }

    /// Back to the beginning of the sequence, with nothing to deliver.
    pub(crate) fn rewind(&mut self) {
        self.index = 0;
        self.count = 0;
        self.from = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The bytes to deliver.
    #[cfg(feature = "std")]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buf[self.from..self.from + self.count]
    }

    /// Delivers as many bytes as there are and `out` holds.
    pub(crate) fn copy_to(&mut self, out: &mut [u8]) -> usize {
        let n = self.count.min(out.len());
        out[..n].copy_from_slice(&self.buf[self.from..self.from + n]);
        self.skip(n)
    }

    /// Drops the first `n` of the bytes to deliver, or all if there are fewer, and says how many.
    pub(crate) fn skip(&mut self, n: usize) -> usize {
        let n = n.min(self.count);
        // INVARIANT: the end stays.
        self.from += n;
        self.count -= n;
        n
    }

    /// Fills the empty window with the first record at or after `index` that prints something, and
    /// with further whole records while there are fewer than `wanted` bytes. At the end of the
    /// sequence it stays empty, and on an error, which comes back only when no record came before.
    pub(crate) fn fill<O: SeqOperations>(&mut self, ops: &mut O, wanted: usize) -> Result<(), Errno> {
        self.allocate()?;
        self.from = 0;
        loop {
            let mut section = ops.start(self.index)?;
            self.index = self.index.max(section.pos());
            let first = loop {
                if section.is_end() {
                    return Ok(());
                }
                match show(&mut section, &mut self.buf, 0)? {
                    Shown::Text(0) => ops::advance(&mut section, &mut self.index)?,
                    shown => break shown,
                }
            };
            if let Shown::Text(count) = first {
                self.count = count;
                self.fill_behind(&mut section, wanted);
                return Ok(());
            }
            // The same record again, in a larger buffer and a new section.
            drop(section);
            self.grow()?;
        }
    }

    /// Moves past the record just shown, and shows further ones behind it.
    fn fill_behind(&mut self, section: &mut impl Section, wanted: usize) {
        // An error here will be met again by the read that comes for what is behind it, or, if it
        // was in `next`, is lost, as in the kernel.
        while ops::advance(section, &mut self.index).is_ok() && !section.is_end() && self.count < wanted {
            match show(section, &mut self.buf, self.count) {
                Ok(Shown::Text(count)) => self.count = count,
                Ok(Shown::Overflow) | Err(_) => break,
            }
        }
    }

    /// Walks the sequence from its beginning until the window begins at byte `offset` of it, or
    /// the end is met. After an error the window is unusable until [`rewind`](Self::rewind).
    pub(crate) fn traverse<O: SeqOperations>(&mut self, ops: &mut O, offset: u64) -> Result<(), Errno> {
        self.rewind();
        if offset == 0 {
            return Ok(());
        }
        self.allocate()?;
        while self.try_traverse(ops, offset)?.is_none() {
            self.grow()?;
            self.rewind();
        }
        Ok(())
    }

    /// One walk; `None` where a record outgrew the buffer.
    fn try_traverse<O: SeqOperations>(&mut self, ops: &mut O, offset: u64) -> Result<Option<()>, Errno> {
        let mut section = ops.start(self.index)?;
        self.index = self.index.max(section.pos());
        let mut passed = 0;
        while !section.is_end() {
            let Shown::Text(count) = show(&mut section, &mut self.buf, 0)? else {
                return Ok(None);
            };
            let moved = ops::advance(&mut section, &mut self.index);
            let end = passed + count as u64;
            if end > offset {
                // INVARIANT: the end of the bytes is that of the record.
                self.from = (offset - passed) as usize;
                self.count = count - self.from;
                break;
            }
            passed = end;
            if passed == offset {
                break;
            }
            moved?;
        }
        Ok(Some(()))
    }

    /// A buffer, if there is none.
    fn allocate(&mut self) -> Result<(), Errno> {
        if self.buf.is_empty() {
            self.reallocate(self.initial)?;
        }
        Ok(())
    }

    /// A buffer of twice the size, without the text.
    fn grow(&mut self) -> Result<(), Errno> {
        let size = self.buf.len();
        self.reallocate(size.checked_mul(2).ok_or(Errno::ENOMEM)?)
    }

    fn reallocate(&mut self, size: usize) -> Result<(), Errno> {
        // INVARIANT: nothing to deliver.
        (self.from, self.count) = (0, 0);
        // The old one goes first: there is nothing in it to keep.
        self.buf = Vec::new();
        if size > MAX_BUFFER || self.buf.try_reserve_exact(size).is_err() {
            return Err(Errno::ENOMEM);
        }
        self.buf.resize(size, 0);
        Ok(())
    }
}

/// Shows the current record behind the first `count` bytes of `buf`; one to skip adds nothing.
fn show(section: &mut impl Section, buf: &mut [u8], count: usize) -> Result<Shown, Errno> {
    let mut out = SeqBuf::with_count(buf, count);
    match section.show(&mut out)? {
        Show::Skip => Ok(Shown::Text(count)),
        Show::Record if out.has_overflowed() => Ok(Shown::Overflow),
        Show::Record => Ok(Shown::Text(out.count())),
    }
}
