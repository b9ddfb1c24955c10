//! Lines of text, and what is in them: for those who read such files.
//!
//! With the feature `memchr` the bytes are found by the crate of that name, many at a time; the results are the same.

/// Where a byte is first.
///
/// ```
/// assert_eq!(seqfile_core::lines::find_byte(b"semid pid", b' '), Some(5));
/// ```
#[inline]
pub fn find_byte(text: &[u8], byte: u8) -> Option<usize> {
    #[cfg(feature = "memchr")]
    return memchr::memchr(byte, text);
    #[cfg(not(feature = "memchr"))]
    text.iter().position(|&other| other == byte)
}

/// Where some text is first; at the beginning where there is nothing to find.
///
/// ```
/// assert_eq!(seqfile_core::lines::find(b"MemTotal: 1\nMemFree: 2\n", b"MemFree"), Some(12));
/// ```
pub fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    #[cfg(feature = "memchr")]
    return memchr::memmem::find(text, wanted);
    #[cfg(not(feature = "memchr"))]
    if wanted.is_empty() { Some(0) } else { text.windows(wanted.len()).position(|part| part == wanted) }
}

/// The lines of a text, without their newlines. A last line need not have one.
///
/// ```
/// let lines = seqfile_core::lines::lines(b"a\n\nb c");
/// assert!(lines.eq([&b"a"[..], b"", b"b c"]));
/// ```
pub const fn lines(text: &[u8]) -> Lines<'_> {
    Lines { rest: text }
}

/// What [`lines`] gives.
#[derive(Clone, Debug)]
pub struct Lines<'t> {
    rest: &'t [u8],
}

impl<'t> Iterator for Lines<'t> {
    type Item = &'t [u8];

    fn next(&mut self) -> Option<&'t [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = find_byte(self.rest, b'\n');
        let (line, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest.get(1..).unwrap_or_default();
        Some(line)
    }
}

impl core::iter::FusedIterator for Lines<'_> {}
