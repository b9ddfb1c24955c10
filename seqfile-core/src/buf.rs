//! The bounded buffer that `show` prints into: `buf`, `size` and `count` of `struct seq_file`,
//! with the kernel's rule that a full buffer has overflowed. Text that does not fit leaves nothing
//! of itself behind, only the overflow, which stays until the buffer is cut back.

use core::fmt;

/// A bounded, append-only text buffer over the caller's bytes.
///
/// Text of `len` bytes fits while `count + len < size`, strictly (`fs/seq_file.c: seq_write`).
/// Where it does not fit, `count` becomes `size`, and that is what overflow means
/// (`seq_has_overflowed`): everything after it does not fit either. Nothing here fails; the reader
/// looks at [`has_overflowed`](Self::has_overflowed) once a record.
///
/// ```
/// use seqfile_core::SeqBuf;
///
/// let mut bytes = [0; 16];
/// let mut out = SeqBuf::new(&mut bytes);
/// out.put_dec_padded(42, 5);
/// out.put_char(b' ');
/// out.put_dec(-7i16);
/// assert_eq!(out.as_bytes(), b"   42 -7");
///
/// out.put_str("does not fit");
/// assert!(out.has_overflowed());
/// out.truncate(8);
/// assert_eq!(out.as_bytes(), b"   42 -7");
/// ```
///
/// What `printf` formats print, and what prints it here:
///
/// | format | method | |
/// |---|---|---|
/// | `%s`, `%c` | [`put_str`](Self::put_str), [`put_bytes`](Self::put_bytes), [`put_char`](Self::put_char) | |
/// | `%10s`, `%-10s` | [`put_str_padded`](Self::put_str_padded), [`put_str_left`](Self::put_str_left) | |
/// | `%d`, `%u`, `%ld` ... | [`put_dec`](Self::put_dec) | all integer types |
/// | `%10d`, `%-10d`, `%010d` | [`put_dec_padded`](Self::put_dec_padded), [`put_dec_left`](Self::put_dec_left), [`put_dec_zeros`](Self::put_dec_zeros) | |
/// | `%x`, `%8x`, `%08x` | [`put_hex`](Self::put_hex), [`put_hex_padded`](Self::put_hex_padded), [`put_hex_zeros`](Self::put_hex_zeros) | |
/// | `%o`, `%4o`, `%04o` | [`put_oct`](Self::put_oct), [`put_oct_padded`](Self::put_oct_padded), [`put_oct_zeros`](Self::put_oct_zeros) | |
/// | `seq_escape`, `seq_path` | [`put_escaped`](Self::put_escaped), [`put_path`](Self::put_path) | |
/// | all else | `write!` | by `core::fmt`, slower |
///
/// # Invariants
///
/// `count <= buf.len()`.
pub struct SeqBuf<'a> {
    buf: &'a mut [u8],
    count: usize,
}

impl<'a> SeqBuf<'a> {
    /// An empty buffer over `buf`, which holds at most `buf.len() - 1` bytes of text.
    #[inline]
    pub fn new(buf: &'a mut [u8]) -> Self {
        Self::with_count(buf, 0)
    }

    /// A buffer whose first `count` bytes are text already. A `count` past the end of `buf` is
    /// taken as an overflow.
    #[inline]
    pub fn with_count(buf: &'a mut [u8], count: usize) -> Self {
        // INVARIANT: `count` is cut to the length.
        let count = count.min(buf.len());
        Self { buf, count }
    }

    /// The number of bytes of text; [`size`](Self::size) after an overflow.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The size of the bytes beneath.
    #[inline]
    pub fn size(&self) -> usize {
        self.buf.len()
    }

    /// Whether something did not fit (`seq_has_overflowed`).
    #[inline]
    pub fn has_overflowed(&self) -> bool {
        self.count == self.buf.len()
    }

    /// Cuts the text back to its first `count` bytes, which also ends an overflow. A larger
    /// `count` changes nothing.
    #[inline]
    pub fn truncate(&mut self, count: usize) {
        // INVARIANT: it only falls.
        self.count = self.count.min(count);
    }

    /// Declares the first `count` bytes to be text, as `seq_commit`; past the end it is an
    /// overflow.
    #[inline]
    pub fn set_count(&mut self, count: usize) {
        // INVARIANT: `count` is cut to the length.
        self.count = count.min(self.buf.len());
    }

    /// The text so far. After an overflow the bytes behind the last text that fitted mean nothing.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.buf[..self.count]
    }

    /// Appends bytes (`seq_write`).
    #[inline]
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        if let Some(room) = self.take(bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    /// Appends a string (`seq_puts`).
    #[inline]
    pub fn put_str(&mut self, text: &str) {
        self.put_bytes(text.as_bytes());
    }

    /// Appends one byte (`seq_putc`).
    #[inline]
    pub fn put_char(&mut self, byte: u8) {
        if let Some([room]) = self.take(1) {
            *room = byte;
        }
    }

    /// The next `len` bytes, counted as text; or the overflow.
    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Option<&mut [u8]> {
        let room = self.buf.get_mut(self.count..)?;
        if len < room.len() {
            // INVARIANT: `len` is less than what is left.
            self.count += len;
            room.get_mut(..len)
        } else {
            self.count += room.len();
            None
        }
    }
}

/// For `write!`. An overflow is remembered, not reported, as with `seq_printf`: always `Ok`.
impl fmt::Write for SeqBuf<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put_str(text);
        Ok(())
    }
}

impl fmt::Debug for SeqBuf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeqBuf")
            .field("size", &self.size())
            .field("count", &self.count)
            .field("overflowed", &self.has_overflowed())
            .finish()
    }
}
