//! The text form: one line a semaphore set, `semid adj0 adj1 ... adjN-1`.
//!
//! [`put_line`] prints exactly that: single spaces, a newline at the end. [`lines`] parses it back, without allocating: it takes
//! any run of blanks (space, tab) around the numbers, LF or CRLF, and a missing last newline; anything else is an
//! error that says in which line and column and why. Numbers are as they are printed: no `+`, no leading zero, no `-0`.
//!
//! ```
//! use semundo_core::text;
//!
//! let line = text::lines(b"32770 -1 0 12\n").next().unwrap().unwrap();
//! assert_eq!((line.semid(), line.nsems()), (32770, 3));
//! assert!(line.adjustments().eq([-1, 0, 12]));
//!
//! let error = text::lines(b"7 1\n8 1 x\n").nth(1).unwrap().unwrap_err();
//! assert_eq!(error.to_string(), "line 2, column 5: not a number");
//! ```

use core::fmt;

use seqfile_core::SeqBuf;

use crate::types::{SemAdj, SemId};

/// Prints one line.
pub fn put_line(semid: SemId, adjustments: &[SemAdj], out: &mut SeqBuf<'_>) {
    out.put_dec(semid);
    put_adjustments(adjustments, out);
}

/// Prints a line's adjustments, each after a space, and ends the line.
pub(crate) fn put_adjustments(adjustments: &[SemAdj], out: &mut SeqBuf<'_>) {
    for adjustment in adjustments {
        out.put_char(b' ');
        out.put_dec(*adjustment);
    }
    out.put_char(b'\n');
}

/// Parses the lines of `text`. The first error ends the iteration.
pub fn lines(text: &[u8]) -> Lines<'_> {
    Lines { rest: text, number: 0 }
}

/// A line that was checked whole.
///
/// # Invariants
///
/// `numbers` holds the line's adjustments, at least one, each valid, with blanks around them.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    number: usize,
    semid: SemId,
    numbers: &'a [u8],
    nsems: usize,
}

impl<'a> Line<'a> {
    /// The number of the line in the text, from 1.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The semaphore set.
    pub fn semid(&self) -> SemId {
        self.semid
    }

    /// How many adjustments the line has: at least 1.
    pub fn nsems(&self) -> usize {
        self.nsems
    }

    /// The adjustments, one a semaphore.
    pub fn adjustments(&self) -> impl Iterator<Item = SemAdj> + use<'a> {
        // INVARIANT: every word was parsed before, so none is lost here.
        words(self.numbers)
            .filter_map(|(_, word)| number(word, SemAdj::MIN.into(), SemAdj::MAX.into()).ok())
            .map(|adjustment| adjustment as SemAdj)
    }
}

/// Where and why a text is not of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The byte in the line, from 1.
    pub column: usize,
    /// What is wrong there.
    pub reason: Reason,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The line has no number.
    EmptyLine,
    /// A word is not a decimal number as it would be printed.
    NotANumber,
    /// The identifier is negative or larger than 2147483647.
    SemIdOutOfRange,
    /// The adjustment does not fit -32768..=32767.
    AdjustmentOutOfRange,
    /// The identifier is not followed by any adjustment.
    NoAdjustments,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EmptyLine => "the line is empty",
            Self::NotANumber => "not a number",
            Self::SemIdOutOfRange => "the semaphore set identifier is not in 0..=2147483647",
            Self::AdjustmentOutOfRange => "the adjustment is not in -32768..=32767",
            Self::NoAdjustments => "the semaphore set identifier is not followed by adjustments",
        })
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

impl core::error::Error for ParseError {}

/// Iterator over the lines of a text; made by [`lines`].
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let (line, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, &[][..]),
        };
        self.number += 1;
        let parsed = parse_line(line.strip_suffix(b"\r").unwrap_or(line), self.number);
        self.rest = if parsed.is_ok() { rest } else { &[] };
        Some(parsed)
    }
}

impl core::iter::FusedIterator for Lines<'_> {}

fn parse_line(line: &[u8], number_of_line: usize) -> Result<Line<'_>, ParseError> {
    let at = |offset: usize, reason| ParseError { line: number_of_line, column: offset + 1, reason };
    let mut words = words(line);
    let (start, word) = words.next().ok_or(at(line.len(), Reason::EmptyLine))?;
    let semid =
        number(word, 0, SemId::MAX.into()).map_err(|wrong| at(start, wrong.reason(Reason::SemIdOutOfRange)))? as SemId;
    let numbers = &line[start + word.len()..];
    let mut nsems = 0;
    for (start, word) in words {
        number(word, SemAdj::MIN.into(), SemAdj::MAX.into())
            .map_err(|wrong| at(start, wrong.reason(Reason::AdjustmentOutOfRange)))?;
        nsems += 1;
    }
    if nsems == 0 {
        return Err(at(line.len(), Reason::NoAdjustments));
    }
    // INVARIANT: every word behind the identifier was parsed.
    Ok(Line { number: number_of_line, semid, numbers, nsems })
}

/// The words of a line, each with its offset.
fn words(line: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let mut at = 0;
    core::iter::from_fn(move || {
        at += line[at..].iter().take_while(|byte| blank(byte)).count();
        let len = line[at..].iter().take_while(|byte| !blank(byte)).count();
        let word = (at, &line[at..at + len]);
        at += len;
        (len > 0).then_some(word)
    })
}

/// Why a word is not a number of the wanted range.
enum Wrong {
    Form,
    Range,
}

impl Wrong {
    fn reason(self, range: Reason) -> Reason {
        match self {
            Self::Form => Reason::NotANumber,
            Self::Range => range,
        }
    }
}

/// A decimal number as it is printed, in `min..=max`.
fn number(word: &[u8], min: i64, max: i64) -> Result<i64, Wrong> {
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let printed = match digits {
        [] => false,
        [b'0'] => !negative,
        [first, ..] => *first != b'0' && digits.iter().all(u8::is_ascii_digit),
    };
    if !printed {
        return Err(Wrong::Form);
    }
    let magnitude =
        digits.iter().fold(0_i64, |value, digit| value.saturating_mul(10).saturating_add((digit - b'0').into()));
    let value = if negative { -magnitude } else { magnitude };
    if (min..=max).contains(&value) { Ok(value) } else { Err(Wrong::Range) }
}
