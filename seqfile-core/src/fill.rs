//! The window of a `SeqFile`: its buffer, the bytes in it that are not delivered yet, and the
//! position in the sequence behind them. What `seq_read_iter` and `traverse` of `fs/seq_file.c` do
//! with the operations is here, call for call.

use crate::{Buffer, Errno, Section, SeqBuf, SeqOperations, Show, TooLarge, ops};

/// # Invariants
///
/// `from + count <= buffer.bytes().len()`.
#[derive(Debug)]
pub(crate) struct Window<B> {
    buffer: B,
    /// Where the bytes to deliver begin,
    from: usize,
    /// and how many there are.
    count: usize,
    /// The position of the first record that is not in the buffer.
    index: u64,
    /// The record that the last call met and that no buffer may hold.
    too_large: Option<TooLarge>,
}

/// What became of one `show`.
enum Shown {
    /// This many bytes are text now.
    Text(usize),
    Overflow,
}

impl<B> Window<B> {
    pub(crate) const fn new(buffer: B) -> Self {
        Self { buffer, from: 0, count: 0, index: 0, too_large: None }
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

    pub(crate) const fn too_large(&self) -> Option<TooLarge> {
        self.too_large
    }

    /// Before a call that may meet another.
    pub(crate) fn forget_too_large(&mut self) {
        self.too_large = None;
    }

    #[cfg(feature = "alloc")]
    pub(crate) const fn buffer_mut(&mut self) -> &mut B {
        &mut self.buffer
    }

    /// Drops the first `n` of the bytes to deliver, or all if there are fewer, and says how many.
    pub(crate) fn skip(&mut self, n: usize) -> usize {
        let n = n.min(self.count);
        // INVARIANT: the end stays.
        self.from += n;
        self.count -= n;
        n
    }
}

impl<B: Buffer> Window<B> {
    /// The bytes to deliver.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer.bytes()[self.from..self.from + self.count]
    }

    /// Delivers as many bytes as there are and `out` holds.
    pub(crate) fn copy_to(&mut self, out: &mut [u8]) -> usize {
        let n = self.count.min(out.len());
        out[..n].copy_from_slice(&self.bytes()[..n]);
        self.skip(n)
    }

    /// Fills `out`, with the window empty, from the first record at or after `index` that prints something on, with
    /// whole records while there are fewer bytes than `out` holds; what does not fit stays in the window. Says how many
    /// bytes went out: none at the end of the sequence, and on an error, which comes back only when no record came before.
    ///
    /// Where `out` holds as much as the buffer, the records are printed there at once.
    pub(crate) fn fill_out<O: SeqOperations>(&mut self, ops: &mut O, out: &mut [u8]) -> Result<usize, Errno> {
        loop {
            if let Some(place) = out.get_mut(..self.buffer.size()) {
                match fill(ops, &mut self.index, place, usize::MAX)? {
                    Shown::Text(count) => return Ok(count),
                    Shown::Overflow => self.grow()?,
                }
            } else if self.try_fill(ops, out.len())? {
                return Ok(self.copy_to(out));
            }
        }
    }

    /// As [`fill_out`](Self::fill_out) into the window, as much as it holds.
    pub(crate) fn fill<O: SeqOperations>(&mut self, ops: &mut O) -> Result<(), Errno> {
        while !self.try_fill(ops, usize::MAX)? {}
        Ok(())
    }

    /// One try to fill the window; `false` where it had to grow.
    fn try_fill<O: SeqOperations>(&mut self, ops: &mut O, wanted: usize) -> Result<bool, Errno> {
        self.buffer.prepare()?;
        match fill(ops, &mut self.index, self.buffer.bytes_mut(), wanted)? {
            Shown::Text(count) => {
                // INVARIANT: so much of the buffer is text.
                (self.from, self.count) = (0, count);
                Ok(true)
            }
            Shown::Overflow => self.grow().map(|()| false),
        }
    }

    /// Walks the sequence from its beginning until the window begins at byte `offset` of it, or
    /// the end is met. After an error the window is unusable until [`rewind`](Self::rewind).
    pub(crate) fn traverse<O: SeqOperations>(&mut self, ops: &mut O, offset: u64) -> Result<(), Errno> {
        self.rewind();
        if offset == 0 {
            return Ok(());
        }
        self.buffer.prepare()?;
        while self.try_traverse(ops, offset)?.is_none() {
            self.grow()?;
            self.buffer.prepare()?;
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
            let Shown::Text(count) = show(&mut section, self.buffer.bytes_mut(), 0)? else {
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

    /// A larger buffer, without the text, for the record at `index`.
    fn grow(&mut self) -> Result<(), Errno> {
        // INVARIANT: nothing to deliver.
        (self.from, self.count) = (0, 0);
        let limit = self.buffer.size();
        self.buffer.grow().inspect_err(|errno| {
            if *errno == Errno::ENOBUFS {
                self.too_large = Some(TooLarge { pos: self.index, limit });
            }
        })
    }
}

/// Fills `buf` with the first record at or after `index` that prints something, and with further whole records while
/// there are fewer than `wanted` bytes. No text is the end of the sequence.
fn fill<O: SeqOperations>(ops: &mut O, index: &mut u64, buf: &mut [u8], wanted: usize) -> Result<Shown, Errno> {
    let mut section = ops.start(*index)?;
    *index = (*index).max(section.pos());
    loop {
        if section.is_end() {
            return Ok(Shown::Text(0));
        }
        match show(&mut section, buf, 0)? {
            Shown::Text(0) => ops::advance(&mut section, index)?,
            Shown::Text(count) => return Ok(Shown::Text(fill_behind(&mut section, index, buf, count, wanted))),
            // The same record again, in a larger buffer and a new section.
            Shown::Overflow => return Ok(Shown::Overflow),
        }
    }
}

/// Moves past the record just shown, and shows further ones behind it, up to the first `count` bytes of `buf`.
fn fill_behind(section: &mut impl Section, index: &mut u64, buf: &mut [u8], mut count: usize, wanted: usize) -> usize {
    // An error here will be met again by the read that comes for what is behind it, or, if it
    // was in `next`, is lost, as in the kernel.
    while ops::advance(section, index).is_ok() && !section.is_end() && count < wanted {
        match show(section, buf, count) {
            Ok(Shown::Text(more)) => count = more,
            Ok(Shown::Overflow) | Err(_) => break,
        }
    }
    count
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
