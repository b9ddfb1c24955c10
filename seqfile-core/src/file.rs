//! `SeqFile`: the state of an open seq_file and its three calls, read, pread and lseek, with the
//! observable behaviour of `fs/seq_file.c`. The buffer's filling is in `fill.rs`.

use crate::{Errno, SeekFrom, SeqOperations, fill::Window};

/// The largest file offset (`loff_t`).
const MAX_OFFSET: u64 = i64::MAX as u64;

/// A reader over [`SeqOperations`] that answers as a `/proc` file does: the same bytes, lengths,
/// positions and errors, whatever the sizes and offsets asked for.
///
/// * A read delivers what is left of the last record, then whole records, as many as the buffer
///   holds (4,096 bytes at first) or the caller wants, whichever is less.
/// * A record that does not fit in the buffer doubles it.
/// * An error is reported by a read that has nothing else to deliver; a record is never cut short
///   by one.
/// * Reading at offset 0 starts the sequence anew.
/// * Seeking anywhere succeeds, past the end too, where a read answers 0 bytes.
///
/// With the feature `std` it is `Read`, `BufRead` and `Seek`.
#[derive(Debug)]
pub struct SeqFile<O> {
    ops: O,
    window: Window,
    /// The offset in the file of the window's first byte (`seq_file.read_pos`).
    read_pos: u64,
    /// The file position (`file.f_pos`).
    pos: u64,
}

impl<O: SeqOperations> SeqFile<O> {
    /// The buffer size of a new file: `PAGE_SIZE` of most kernels.
    pub const BUFFER_SIZE: usize = 4096;

    /// Opens the sequence (`seq_open`) at its beginning. Nothing is read or allocated yet.
    pub const fn new(ops: O) -> Self {
        Self::with_buffer_size(ops, Self::BUFFER_SIZE)
    }

    /// As [`new`](Self::new), with another initial buffer size. How many bytes one read delivers
    /// depends on it, the bytes do not.
    ///
    /// # Panics
    ///
    /// If `size` is not a power of two.
    pub const fn with_buffer_size(ops: O, size: usize) -> Self {
        assert!(size.is_power_of_two(), "not a power of two");
        Self { ops, window: Window::new(size), read_pos: 0, pos: 0 }
    }

    /// Reads at the file position and moves it on (`read(2)`). 0 bytes are the end, for now: a
    /// sequence may grow.
    ///
    /// # Errors
    ///
    /// What the operations report, if no byte came before it; `ENOMEM`.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, Errno> {
        let copied = self.read_at(out, self.pos)?;
        self.pos += copied as u64;
        Ok(copied)
    }

    /// Reads at `offset` (`pread(2)`). The file position stays; the buffer follows, so that
    /// alternating with reads elsewhere walks the sequence from its beginning every time.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); `EINVAL` where the offset, or the offset of the last byte wanted,
    /// is beyond `i64::MAX`.
    pub fn read_at(&mut self, out: &mut [u8], offset: u64) -> Result<usize, Errno> {
        // fs/read_write.c: rw_verify_area
        match offset.checked_add(out.len() as u64) {
            Some(end) if end <= MAX_OFFSET => {}
            _ => return Err(Errno::EINVAL),
        }
        if out.is_empty() {
            return Ok(0);
        }
        if offset == 0 {
            self.window.rewind();
        }
        self.move_window(offset)?;

        let left_over = self.window.copy_to(out);
        let rest = &mut out[left_over..];
        if self.window.is_empty() {
            match self.window.fill(&mut self.ops, rest.len()) {
                Err(errno) if left_over == 0 => return Err(errno),
                _ => {}
            }
        }
        let copied = left_over + self.window.copy_to(rest);
        self.read_pos += copied as u64;
        Ok(copied)
    }

    /// Moves the file position (`lseek(2)`, `seq_lseek`) and returns it.
    ///
    /// # Errors
    ///
    /// `EINVAL` for [`SeekFrom::End`], for a position below zero and for one beyond `i64::MAX`;
    /// then nothing moves. An error that the operations report on the way there; then the file
    /// position is 0.
    pub fn seek(&mut self, to: impl Into<SeekFrom>) -> Result<u64, Errno> {
        let offset = match to.into() {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(by) => self.pos.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        let offset = offset.filter(|&o| o <= MAX_OFFSET).ok_or(Errno::EINVAL)?;
        if offset == 0 {
            self.window.rewind();
        }
        if let Err(errno) = self.move_window(offset) {
            self.pos = 0;
            return Err(errno);
        }
        self.pos = offset;
        Ok(offset)
    }

    /// The bytes at the file position, at least one unless it is the end; the file position stays.
    #[cfg(feature = "std")]
    pub(crate) fn peek(&mut self) -> Result<&[u8], Errno> {
        self.move_window(self.pos)?;
        if self.window.is_empty() {
            self.window.fill(&mut self.ops, usize::MAX)?;
        }
        Ok(self.window.bytes())
    }

    /// Moves the file position over the first `n` of the bytes that `peek` gave.
    #[cfg(feature = "std")]
    pub(crate) fn skip(&mut self, n: usize) {
        let n = self.window.skip(n) as u64;
        self.read_pos += n;
        self.pos += n;
    }

    /// Makes the window begin at `offset`, by walking the sequence from its beginning if it does
    /// not yet.
    fn move_window(&mut self, offset: u64) -> Result<(), Errno> {
        if offset == self.read_pos {
            return Ok(());
        }
        match self.window.traverse(&mut self.ops, offset) {
            Ok(()) => {
                self.read_pos = offset;
                Ok(())
            }
            Err(errno) => {
                self.window.rewind();
                self.read_pos = 0;
                Err(errno)
            }
        }
    }
}

impl<O> SeqFile<O> {
    /// The file position.
    pub const fn position(&self) -> u64 {
        self.pos
    }

    /// The operations.
    pub const fn get_ref(&self) -> &O {
        &self.ops
    }

    /// The operations, to be changed between reads.
    pub const fn get_mut(&mut self) -> &mut O {
        &mut self.ops
    }

    /// The operations, without the file.
    pub fn into_inner(self) -> O {
        self.ops
    }
}
