//! The text form: printer and parser are inverse, and everything else is refused with its place.
#![allow(missing_docs)]

use proptest::prelude::*;
use semundo_core::text::{ParseError, Reason, lines, put_line};
use seqfile_core::SeqBuf;

type Entries = Vec<(i32, Vec<i16>)>;

fn entries() -> impl Strategy<Value = Entries> {
    prop::collection::vec((0..=i32::MAX, prop::collection::vec(any::<i16>(), 1..40)), 0..20)
}

fn print(entries: &Entries) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 16];
    let mut out = SeqBuf::new(&mut bytes);
    for (semid, adjustments) in entries {
        put_line(*semid, adjustments, &mut out);
    }
    assert!(!out.has_overflowed());
    out.as_bytes().to_vec()
}

/// The form by the standard library's own formatting.
fn naive(entries: &Entries) -> String {
    entries
        .iter()
        .map(|(semid, adjustments)| {
            let words: Vec<_> = adjustments.iter().map(ToString::to_string).collect();
            format!("{semid} {}\n", words.join(" "))
        })
        .collect()
}

fn parse(text: &[u8]) -> Result<Entries, ParseError> {
    lines(text)
        .enumerate()
        .map(|(i, line)| {
            let line = line?;
            let adjustments: Vec<_> = line.adjustments().collect();
            assert_eq!((line.nsems(), line.number()), (adjustments.len(), i + 1));
            Ok((line.semid(), adjustments))
        })
        .collect()
}

proptest! {
    #[test]
    fn printer_and_parser_are_inverse(entries in entries()) {
        let text = print(&entries);
        prop_assert_eq!(String::from_utf8_lossy(&text), naive(&entries));
        prop_assert_eq!(parse(&text).unwrap(), entries);
    }

    #[test]
    fn blanks_and_line_ends_are_free(entries in entries(), blank in "[ \t]{1,3}", crlf: bool, last: bool) {
        let mut text = naive(&entries).replace(' ', &blank);
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if last && text.ends_with('\n') {
            text.truncate(text.len() - 1);
        }
        prop_assert_eq!(parse(text.as_bytes()).unwrap(), entries);
    }

    /// Whatever is taken prints back to the same numbers; nothing panics.
    #[test]
    fn any_bytes_are_taken_or_refused(text in "[ \t0-9\\-+x\r\n\0]{0,40}") {
        if let Ok(entries) = parse(text.as_bytes()) {
            prop_assert_eq!(parse(&print(&entries)).unwrap(), entries.clone());
            let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(words(&text), words(&naive(&entries)));
        }
    }

    #[test]
    fn the_error_names_its_place(entries in entries(), bad in "(x|--1|\\+1|007|-0|-|1x|\0|40000|-32769)", line: prop::sample::Index) {
        prop_assume!(!entries.is_empty());
        let mut all: Vec<_> = naive(&entries).lines().map(str::to_owned).collect();
        let at = line.index(all.len());
        let column = all[at].len() + 2;
        all[at] = format!("{} {bad} 1", all[at]);
        let reason = if bad == "40000" || bad == "-32769" { Reason::AdjustmentOutOfRange } else { Reason::NotANumber };
        prop_assert_eq!(parse(all.join("\n").as_bytes()), Err(ParseError { line: at + 1, column, reason }));
    }
}

#[test]
fn errors_by_example() {
    let cases: [(&[u8], &str); 12] = [
        (b"\n", "line 1, column 1: the line is empty"),
        (b"  \n", "line 1, column 3: the line is empty"),
        (b"1 2\n\n3 4\n", "line 2, column 1: the line is empty"),
        (b"5\n", "line 1, column 2: the semaphore set identifier is not followed by adjustments"),
        (b"-1 0\n", "line 1, column 1: the semaphore set identifier is not in 0..=2147483647"),
        (b"2147483648 0\n", "line 1, column 1: the semaphore set identifier is not in 0..=2147483647"),
        (b"99999999999999999999999999 0\n", "line 1, column 1: the semaphore set identifier is not in 0..=2147483647"),
        (b"1 32768\n", "line 1, column 3: the adjustment is not in -32768..=32767"),
        (b"1 -99999999999999999999\n", "line 1, column 3: the adjustment is not in -32768..=32767"),
        (b"1 2\r3\n", "line 1, column 3: not a number"),
        (b"1 2\r\r\n", "line 1, column 3: not a number"),
        (b"1,2\n", "line 1, column 1: not a number"),
    ];
    for (text, message) in cases {
        assert_eq!(parse(text).unwrap_err().to_string(), message, "{:?}", String::from_utf8_lossy(text));
    }
    assert_eq!(parse(b""), Ok(vec![]));
}
