//! `SeqBuf` against `core::fmt`, and its overflow rule.
#![cfg(not(miri))]

mod support;

use std::fmt::{self, Write as _};

use proptest::prelude::*;
use seqfile_core::{Integer, SeqBuf};
use support::config;

/// Whatever `put` prints into a large buffer it prints into the smallest one that may hold it, and
/// into a smaller one nothing.
fn prints(expected: &str, put: impl Fn(&mut SeqBuf<'_>)) {
    let len = expected.len();
    for before in [0, 1, 7] {
        for size in [before + len + 64, before + len + 1] {
            let mut bytes = vec![0xee; size];
            let mut out = SeqBuf::with_count(&mut bytes, before);
            put(&mut out);
            assert!(!out.has_overflowed());
            assert_eq!(out.count(), before + len);
            assert_eq!(&out.as_bytes()[before..], expected.as_bytes());
            assert!(bytes[before + len..].iter().all(|&b| b == 0xee));
        }
        for size in before..before + len + 1 {
            let mut bytes = vec![0xee; size];
            let mut out = SeqBuf::with_count(&mut bytes, before);
            put(&mut out);
            assert!(out.has_overflowed(), "{expected:?} in {size} - {before}");
            assert_eq!(out.count(), size);
            out.put_dec(1u8);
            assert_eq!(out.count(), size);
            assert!(bytes.iter().all(|&b| b == 0xee), "torn: {expected:?}");
        }
    }
}

fn number(value: impl Integer + fmt::Display + fmt::LowerHex + fmt::Octal, width: usize) {
    prints(&format!("{value}"), |out| out.put_dec(value));
    prints(&format!("{value:width$}"), |out| out.put_dec_padded(value, width));
    prints(&format!("{value:<width$}"), |out| out.put_dec_left(value, width));
    prints(&format!("{value:0width$}"), |out| out.put_dec_zeros(value, width));
    prints(&format!("{value:x}"), |out| out.put_hex(value));
    prints(&format!("{value:width$x}"), |out| out.put_hex_padded(value, width));
    prints(&format!("{value:0width$x}"), |out| out.put_hex_zeros(value, width));
    prints(&format!("{value:o}"), |out| out.put_oct(value));
    prints(&format!("{value:width$o}"), |out| out.put_oct_padded(value, width));
    prints(&format!("{value:0width$o}"), |out| out.put_oct_zeros(value, width));
}

/// As `lib/string_helpers.c: escape_octal` has it.
fn escaped(text: &[u8], escape: &[u8]) -> String {
    let printed = text.iter().map(|byte| match escape.contains(byte) {
        true => format!("\\{byte:03o}"),
        false => char::from(*byte).to_string(),
    });
    printed.collect()
}

/// Numbers of every length equally often.
fn by_length() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..64u32).prop_map(|(n, shift)| n >> shift)
}

/// The same of the widest type.
fn wide_by_length() -> impl Strategy<Value = u128> {
    (any::<u128>(), 0..128u32).prop_map(|(n, shift)| n >> shift)
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn numbers(n in by_length(), width in 0..30usize) {
        number(n as u8, width);
        number(n as u16, width);
        number(n as u32, width);
        number(n, width);
        number(n as usize, width);
        number(n as i8, width);
        number(n as i16, width);
        number(n as i32, width);
        number(n as i64, width);
        number(n as isize, width);
        number((n as i64).wrapping_neg(), width);
        number((n as i32).wrapping_neg(), width);
    }

    #[test]
    fn wide_numbers(n in wide_by_length(), width in 0..50usize) {
        number(n, width);
        number(n as i128, width);
        number((n as i128).wrapping_neg(), width);
    }

    #[test]
    fn escapes(text in "[ -~\t\n]{0,20}", escape in "[ -~\t\n]{0,4}") {
        let text = text.as_bytes();
        prints(&escaped(text, escape.as_bytes()), |out| out.put_escaped(text, escape.as_bytes()));
        prints(&escaped(text, b" \t\n\\"), |out| out.put_path(text));
    }

    #[test]
    fn strings(text in "\\PC{0,40}", width in 0..60usize) {
        prints(&text, |out| out.put_str(&text));
        prints(&text, |out| out.put_bytes(text.as_bytes()));
        prints(&text, |out| out.write_str(&text).unwrap());
        let pad = " ".repeat(width.saturating_sub(text.len()));
        prints(&format!("{pad}{text}"), |out| out.put_str_padded(&text, width));
        prints(&format!("{text}{pad}"), |out| out.put_str_left(&text, width));
    }
}

#[test]
fn edges() {
    let mut powers = vec![0u64, 1, u64::MAX, u64::MAX - 1];
    for exponent in 0..20 {
        let power = 10u64.pow(exponent);
        powers.extend([power - 1, power, power + 1]);
    }
    for value in powers {
        for width in [0, 1, 10, 20, 21] {
            number(value, width);
            number(value as i64, width);
        }
    }
    number(i64::MIN, 10);
    number(i64::MAX, 10);
    number(i32::MIN, 10);
    number(i16::MIN, 0);
    number(i8::MIN, 0);
    for exponent in 0..39 {
        let power = 10u128.pow(exponent);
        [power - 1, power, power + 1].into_iter().for_each(|value| number(value, 40));
    }
    [0, u128::MAX, u128::MAX / 10].into_iter().for_each(|value| number(value, 0));
    [i128::MIN, i128::MAX, -1].into_iter().for_each(|value| number(value, 12));
    prints(r"\377\000", |out| out.put_escaped(&[0xff, 0], &[0, 0xff]));
    prints("-7", |out| out.put_i64(-7));
    prints("7", |out| out.put_u64(7));
    prints("x", |out| out.put_char(b'x'));
}

#[test]
fn overflow_stays_until_cut() {
    let mut bytes = [0; 8];
    let mut out = SeqBuf::new(&mut bytes);
    out.put_str("abc");
    out.put_str("too long");
    assert!(out.has_overflowed());
    out.put_str("");
    assert!(out.has_overflowed());
    out.truncate(100);
    assert!(out.has_overflowed());
    out.truncate(3);
    assert!(!out.has_overflowed());
    assert_eq!(out.as_bytes(), b"abc");
    write!(out, "{}{:02x}", 1, 2).unwrap();
    assert_eq!(out.as_bytes(), b"abc102");
    out.set_count(100);
    assert!(out.has_overflowed());
}

#[test]
fn a_buffer_of_nothing_has_overflowed() {
    let mut out = SeqBuf::new(&mut []);
    out.put_str("");
    out.put_dec(0);
    assert!(out.has_overflowed());
    assert_eq!(out.count(), 0);
}
