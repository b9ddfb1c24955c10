//! The text form: what is taken, what it means and where an error is, against a naive parser over the standard library.

use semundo_core::text::{ParseError, Reason, lines, put_line};
use seqfile_core::SeqBuf;

type Entries = Vec<(i32, Vec<i16>)>;

/// Checks the parser with these bytes.
pub fn check(text: &[u8]) {
    let parsed = parse(text);
    assert_eq!(parsed, naive(text));
    match parsed {
        Ok(entries) => {
            let printed = print(&entries, text.len());
            assert_eq!(parse(&printed), Ok(entries));
        }
        Err(error) => {
            let line = text.split(|byte| *byte == b'\n').nth(error.line - 1).expect("the line is one of the text");
            assert!((1..=line.len() + 1).contains(&error.column), "{error}");
        }
    }
}

fn parse(text: &[u8]) -> Result<Entries, ParseError> {
    let mut entries = Vec::new();
    let mut lines = lines(text);
    while let Some(line) = lines.next() {
        let Ok(line) = line else {
            assert!(lines.next().is_none(), "an error is the last");
            return line.map(|_| entries);
        };
        let adjustments: Vec<_> = line.adjustments().collect();
        assert_eq!((line.number(), line.nsems()), (entries.len() + 1, adjustments.len()));
        entries.push((line.semid(), adjustments));
    }
    Ok(entries)
}

/// Prints entries that were parsed from `len` bytes: no printed form is longer, but for a last newline.
fn print(entries: &Entries, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len + 2];
    let mut out = SeqBuf::new(&mut bytes);
    for (semid, adjustments) in entries {
        put_line(*semid, adjustments, &mut out);
    }
    assert!(!out.has_overflowed());
    out.as_bytes().to_vec()
}

fn naive(text: &[u8]) -> Result<Entries, ParseError> {
    let mut all: Vec<_> = text.split(|byte| *byte == b'\n').collect();
    if all.last().is_some_and(|last| last.is_empty()) {
        all.pop();
    }
    let entries = all.iter().zip(1..).map(|(line, number)| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        naive_line(line).map_err(|(offset, reason)| ParseError { line: number, column: offset + 1, reason })
    });
    entries.collect()
}

fn naive_line(line: &[u8]) -> Result<(i32, Vec<i16>), (usize, Reason)> {
    let mut numbers = Vec::new();
    let mut offset = 0;
    for word in line.split(|byte| b" \t".contains(byte)) {
        if !word.is_empty() {
            let number = naive_number(word).ok_or((offset, Reason::NotANumber))?;
            if numbers.is_empty() && !(0..=0x7fff_ffff).contains(&number) {
                return Err((offset, Reason::SemIdOutOfRange));
            }
            if !numbers.is_empty() && !(-0x8000..=0x7fff).contains(&number) {
                return Err((offset, Reason::AdjustmentOutOfRange));
            }
            numbers.push(number);
        }
        offset += word.len() + 1;
    }
    match numbers[..] {
        [] => Err((line.len(), Reason::EmptyLine)),
        [_] => Err((line.len(), Reason::NoAdjustments)),
        [semid, ref adjustments @ ..] => {
            Ok((semid as i32, adjustments.iter().map(|adjustment| *adjustment as i16).collect()))
        }
    }
}

/// A number as it is printed; one that is too large for the type stands for any that is out of range.
fn naive_number(word: &[u8]) -> Option<i128> {
    let word = str::from_utf8(word).ok()?;
    let digits = word.trim_start_matches('-');
    if digits.is_empty() || digits.contains(|c: char| !c.is_ascii_digit()) {
        return None;
    }
    // More digits than any number in range has; none of those that lead may be 0.
    let short = &digits[..digits.len().min(20)];
    let number: i128 = short.parse().ok()?;
    let number = if word.starts_with('-') { -number } else { number };
    let printed = word.strip_suffix(&digits[short.len()..])?;
    (number.to_string() == printed).then_some(number)
}
