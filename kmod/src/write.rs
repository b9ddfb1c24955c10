//! The text written to an open file: complete lines are restored at once, an incomplete one waits for the rest of it.

use semundo_core::memory::Buffer;
use seqfile_core::Errno;

use crate::memory::KvBuffer;
use crate::restore;

/// The longest text of one write, with what waited before it.
const TEXT_MAX: usize = 8 << 20;
/// The longest text that waits: more than a line of the largest possible set (65,535 semaphores) as it is printed.
const WAITING_MAX: usize = 512 << 10;

/// What was written to an open file.
#[derive(Default)]
pub struct Text {
    buffer: KvBuffer<u8>,
    /// How much of the buffer's start is the line that is not complete yet.
    waiting: usize,
}

impl Text {
    /// How many bytes wait for the rest of their line.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Room for the text of the next write.
    ///
    /// # Errors
    ///
    /// `E2BIG` when it is more than is taken at once, `ENOMEM`.
    pub fn room(&mut self, len: usize) -> Result<&mut [u8], Errno> {
        let end = self.waiting.checked_add(len).filter(|end| *end <= TEXT_MAX).ok_or(Errno::E2BIG)?;
        let capacity = self.buffer.as_slice().len();
        if end > capacity {
            // At least twice as much, so that a long line in many small writes is not copied for each of them.
            self.buffer.grow(end.max(2 * capacity))?;
        }
        Ok(&mut self.buffer.as_mut_slice()[self.waiting..end])
    }

    /// Restores the complete lines of what waits and the `len` bytes that were put into the [room](Text::room); the rest waits.
    /// The room is given up, filled or not.
    ///
    /// # Errors
    ///
    /// Those of [`restore::all`], and `E2BIG` when more would have to wait than can. Nothing was changed: what waited waits still, and
    /// the bytes are forgotten, so that the write may be done again.
    pub fn take(&mut self, len: usize) -> Result<(), Errno> {
        let result = self.restore(self.waiting + len);
        self.shrink();
        result
    }

    /// Restores the complete lines of the first `end` bytes; the rest of these waits.
    fn restore(&mut self, end: usize) -> Result<(), Errno> {
        let text = &self.buffer.as_slice()[..end];
        // What waits has no end of a line in it.
        let new = &text[self.waiting..];
        let complete = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| self.waiting + last + 1);
        if end - complete > WAITING_MAX {
            return Err(Errno::E2BIG);
        }
        restore::all(&text[..complete])?;
        self.buffer.as_mut_slice().copy_within(complete..end, 0);
        self.waiting = end - complete;
        Ok(())
    }

    /// Keeps little more memory than what waits takes: a file may stay open.
    fn shrink(&mut self) {
        let mut smaller = KvBuffer::default();
        if self.waiting > 0 {
            // As large as what waits becomes by and by, or large because of a write.
            if self.buffer.as_slice().len() <= 2 * WAITING_MAX || smaller.grow(self.waiting).is_err() {
                return;
            }
            smaller.as_mut_slice().copy_from_slice(&self.buffer.as_slice()[..self.waiting]);
        }
        self.buffer = smaller;
    }
}
