//! The table by a loop that can print nothing else: the limit. Digits by `itoa`, straight into the reader's bytes.

use std::io;

use super::{Printer, Row, Table};

/// A loop over the rows that stops where a row might not fit.
pub const HAND_LOOP: Printer = Printer { name: "hand-loop", open: |rows, _| Box::new(HandLoop { rows: rows.iter() }) };

/// More than the widest row takes.
const WIDEST: usize = 192;

struct HandLoop<'a> {
    rows: std::slice::Iter<'a, Row>,
}

impl Table for HandLoop<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut at = 0;
        while out.len() - at >= WIDEST
            && let Some(row) = self.rows.next()
        {
            at += print(row, &mut out[at..]);
        }
        // It serves large reads only.
        if at == 0 && self.rows.len() > 0 { Err(io::ErrorKind::InvalidInput.into()) } else { Ok(at) }
    }
}

/// Prints a row at the beginning of `out` and says how long it is.
fn print(row: &Row, out: &mut [u8]) -> usize {
    let mut line = Line { out, at: 0, digits: itoa::Buffer::new() };
    line.padded::<10>(row.key);
    line.blanks::<1>();
    line.padded::<10>(row.semid);
    line.blanks::<2>();
    line.octal::<4>(row.mode);
    line.blanks::<1>();
    line.padded::<10>(row.nsems);
    for id in row.ids {
        line.blanks::<1>();
        line.padded::<5>(id);
    }
    line.blanks::<1>();
    line.padded::<10>(row.otime);
    line.blanks::<1>();
    line.padded::<10>(row.ctime);
    line.out[line.at] = b'\n';
    line.at + 1
}

struct Line<'a> {
    out: &'a mut [u8],
    at: usize,
    digits: itoa::Buffer,
}

impl Line<'_> {
    fn blanks<const N: usize>(&mut self) {
        self.out[self.at..self.at + N].fill(b' ');
        self.at += N;
    }

    fn padded<const WIDTH: usize>(&mut self, value: impl itoa::Integer) {
        let digits = self.digits.format(value).as_bytes();
        let end = self.at + digits.len().max(WIDTH);
        self.out[self.at..self.at + WIDTH].fill(b' ');
        self.out[end - digits.len()..end].copy_from_slice(digits);
        self.at = end;
    }

    fn octal<const WIDTH: usize>(&mut self, mut value: u32) {
        let digits = (u32::BITS - value.leading_zeros()).div_ceil(3).max(1) as usize;
        let end = self.at + digits.max(WIDTH);
        self.out[self.at..self.at + WIDTH].fill(b' ');
        for digit in self.out[end - digits..end].iter_mut().rev() {
            *digit = b'0' + (value & 7) as u8;
            value >>= 3;
        }
        self.at = end;
    }
}
