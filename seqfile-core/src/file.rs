//! `SeqFile`: the state of an open seq_file and its three calls, read, pread and lseek, with the
//! observable behaviour of `fs/seq_file.c`. The buffer's filling is in `fill.rs`.

use core::{error, fmt};

use crate::{Buffer, Errno, Heap, SeekFrom, SeqOperations, fill::Window};

/// The largest file offset (`loff_t`).
const MAX_OFFSET: u64 = i64::MAX as u64;

/// A reader over [`SeqOperations`] that answers as a `/proc` file does: the same bytes, lengths,
/// positions and errors, whatever the sizes and offsets asked for.
///
/// * A read delivers what is left of the last record, then whole records, as many as the buffer
///   holds (4,096 bytes at first) or the caller wants, whichever is less.
/// * A record that does not fit in the buffer doubles it, up to a limit; see [`Buffer`].
/// * An error is reported by a read that has nothing else to deliver, once by each that comes to it; a record is never
///   cut short by one.
/// * Reading at offset 0 starts the sequence anew.
/// * Seeking anywhere succeeds, past the end too, where a read answers 0 bytes.
///
/// With the feature `std` it is `Read`, `BufRead` and `Seek`. A read into as many bytes as the buffer has prints the records
/// there: nothing is copied, so `std::io::copy` is as good as a loop of one's own.
///
/// No section, and so no lock of the operations, is open between two calls. A file may be kept across an `.await`, and it
/// is `Send` where the operations are:
///
/// ```
/// # #[cfg(feature = "std")] {
/// use seqfile_core::{SeqBuf, SeqFile, Show, SliceOps};
///
/// /// Sends a file through anything that is awaited.
/// async fn serve<F: Future<Output = ()>>(send: impl Fn(Vec<u8>) -> F) -> Result<(), seqfile_core::Errno> {
///     let show = |n: &u32, out: &mut SeqBuf<'_>| {
///         out.put_dec(*n);
///         Ok(Show::Record)
///     };
///     let mut file = SeqFile::new(SliceOps::new(vec![1, 2, 3], show));
///     let mut piece = [0; 4096];
///     loop {
///         match file.read(&mut piece)? {
///             0 => return Ok(()),
///             n => send(piece[..n].to_vec()).await,
///         }
///     }
/// }
///
/// fn any_thread_may_run_it<T: Send>(_: T) {}
/// any_thread_may_run_it(serve(|_| std::future::ready(())));
/// # }
/// ```
///
/// Without `alloc` it works in the caller's bytes:
///
/// ```
/// use seqfile_core::{Errno, SeqBuf, SeqFile, Show, SliceOps};
///
/// let show = |word: &&str, out: &mut SeqBuf<'_>| {
///     out.put_str(word);
///     Ok(Show::Record)
/// };
/// let mut memory = [0; 8];
/// let mut file = SeqFile::in_buffer(SliceOps::new(&["a ", "few ", "words ", "immeasurable"][..], show), &mut memory[..]);
/// let mut out = [0; 32];
/// assert_eq!(file.read(&mut out), Ok(6));
/// assert_eq!(file.read(&mut out), Ok(6));
/// assert_eq!(&out[..6], b"words ");
/// // A record that the bytes do not hold is an error where it would come.
/// assert_eq!(file.read(&mut out), Err(Errno::ENOBUFS));
/// assert_eq!(file.too_large().unwrap().to_string(), "the record at position 3 takes more than 7 bytes");
/// ```
#[derive(Debug)]
pub struct SeqFile<O, B = Heap> {
    ops: O,
    window: Window<B>,
    /// The offset in the file of the window's first byte (`seq_file.read_pos`).
    read_pos: u64,
    /// The file position (`file.f_pos`).
    pos: u64,
}

#[cfg(feature = "alloc")]
impl<O> SeqFile<O> {
    /// The buffer size of a new file: `PAGE_SIZE` of most kernels.
    pub const BUFFER_SIZE: usize = 4096;

    /// How far a buffer grows if nothing else is asked for: no doubling goes beyond this in the kernel (`MAX_RW_COUNT`
    /// bounds what `kvmalloc` gives).
    pub const BUFFER_LIMIT: usize = 1 << 30;

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
        Self::in_buffer(ops, Heap::new(size, Self::BUFFER_LIMIT))
    }

    /// The file with a bound on its memory: the buffer grows to `limit` bytes, and a record that takes as many or more is
    /// `ENOBUFS` ([`too_large`](Self::too_large) names it). A limit below the buffer's size keeps it from growing.
    ///
    /// ```
    /// use seqfile_core::{Errno, SeqBuf, SeqFile, Show, SliceOps};
    ///
    /// let show = |len: &usize, out: &mut SeqBuf<'_>| {
    ///     (0..*len).for_each(|_| out.put_char(b'x'));
    ///     Ok(Show::Record)
    /// };
    /// let mut file = SeqFile::new(SliceOps::new(&[9000, 20_000][..], show)).with_limit(10_000);
    /// let mut out = vec![0; 100_000];
    /// assert_eq!(file.read(&mut out), Ok(9000));
    /// assert_eq!(file.read(&mut out), Err(Errno::ENOBUFS));
    /// assert_eq!(file.too_large().unwrap().pos(), 1);
    /// ```
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.window.buffer_mut().set_limit(limit);
        self
    }
}

impl<O, B> SeqFile<O, B> {
    /// Opens the sequence in this memory: the caller's bytes, or a [`Buffer`] of another kind.
    pub const fn in_buffer(ops: O, buffer: B) -> Self {
        Self { ops, window: Window::new(buffer), read_pos: 0, pos: 0 }
    }
}

impl<O: SeqOperations, B: Buffer> SeqFile<O, B> {
    /// Reads at the file position and moves it on (`read(2)`). 0 bytes are the end, for now: a
    /// sequence may grow.
    ///
    /// # Errors
    ///
    /// What the operations report, if no byte came before it; `ENOBUFS` for a record that no buffer may hold; `ENOMEM`.
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize, Errno> {
        let copied = self.read_at(out, self.pos)?;
        self.pos += copied as u64;
        Ok(copied)
    }

    /// Reads at `offset` (`pread(2)`). The file position stays; the buffer follows, so that
    /// alternating with reads elsewhere walks the sequence from its beginning every time. What of `out` lies behind the
    /// bytes read may be written, too.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); `EINVAL` where the offset, or the offset of the last byte wanted,
    /// is beyond `i64::MAX`.
    pub fn read_at(&mut self, out: &mut [u8], offset: u64) -> Result<usize, Errno> {
        self.window.forget_too_large();
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

        let mut copied = self.window.copy_to(out);
        if self.window.is_empty() {
            match self.window.fill_out(&mut self.ops, &mut out[copied..]) {
                Ok(more) => copied += more,
                Err(errno) if copied == 0 => return Err(errno),
                // It will be met again.
                Err(_) => self.window.forget_too_large(),
            }
        }
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
        self.window.forget_too_large();
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

    /// The bytes at the file position, at least one unless it is the end; the file position stays. `std::io::BufRead`'s
    /// `fill_buf` without `std`.
    ///
    /// Not a system call: it looks into the file's own buffer, which a file descriptor does not let
    /// one do. It does not restart the sequence at offset 0 while bytes from there are in the buffer.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn peek(&mut self) -> Result<&[u8], Errno> {
        self.window.forget_too_large();
        self.move_window(self.pos)?;
        if self.window.is_empty() {
            self.window.fill(&mut self.ops)?;
        }
        Ok(self.window.bytes())
    }

    /// Moves the file position over the first `n` of the bytes that [`peek`](Self::peek) gave, or over all if there are
    /// fewer.
    pub fn skip(&mut self, n: usize) {
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

impl<O, B> SeqFile<O, B> {
    /// The record that the last call answered `ENOBUFS` for; `None` after any other answer.
    pub const fn too_large(&self) -> Option<TooLarge> {
        self.window.too_large()
    }

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

/// A record that is larger than a file's buffer may become; see [`SeqFile::too_large`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLarge {
    pub(crate) pos: u64,
    pub(crate) limit: usize,
}

impl TooLarge {
    /// The record's position in the sequence.
    pub const fn pos(self) -> u64 {
        self.pos
    }

    /// The size that the buffer may have, one more than what the record would have to fit in.
    pub const fn limit(self) -> usize {
        self.limit
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the record at position {} takes more than {} bytes", self.pos, self.limit.saturating_sub(1))
    }
}

impl error::Error for TooLarge {}
