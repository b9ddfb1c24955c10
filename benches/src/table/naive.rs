//! The table as one would write it first: all of it into a string, and slices of that.

use std::fmt::Write;
use std::io;

use super::{Printer, Row, Table};

/// `write!` into a growing `String` at the first read.
pub const NAIVE: Printer = Printer { name: "naive", open: |rows, _| Box::new(Naive { rows, text: None, at: 0 }) };

struct Naive<'a> {
    rows: &'a [Row],
    text: Option<String>,
    at: usize,
}

impl Table for Naive<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rows = self.rows;
        let rest = &self.text.get_or_insert_with(|| print(rows)).as_bytes()[self.at..];
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

fn print(rows: &[Row]) -> String {
    let mut text = String::new();
    for Row { key, semid, mode, nsems, ids: [uid, gid, cuid, cgid], otime, ctime } in rows {
        let line = writeln!(
            text,
            "{key:10} {semid:10}  {mode:4o} {nsems:10} {uid:5} {gid:5} {cuid:5} {cgid:5} {otime:10} {ctime:10}"
        );
        line.expect("a string takes all");
    }
    text
}
