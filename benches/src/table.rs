//! A table as `/proc/sysvipc/sem` is one, printed and read in pieces by engines: `src/bin/seqfile.rs` measures them.
//!
//! The rows are the kernel's own, so that all print lines of the same widths, and the kernel is one of the engines.

mod hand_loop;
mod kernel;
mod naive;
mod ours;

use std::io;

pub use hand_loop::HAND_LOOP;
pub use kernel::{Sets, system_call};
pub use naive::NAIVE;
pub use ours::OURS;

/// One line, in the kernel's types (`ipc/sem.c: sysvipc_sem_proc_show`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The set's key.
    pub key: i32,
    /// Its identifier.
    pub semid: i32,
    /// Its mode, which is printed in octal.
    pub mode: u32,
    /// How many semaphores it has.
    pub nsems: u32,
    /// Owner and creator: uid, gid, cuid, cgid.
    pub ids: [u32; 4],
    /// Last operation.
    pub otime: i64,
    /// Creation, or last change.
    pub ctime: i64,
}

impl Row {
    /// Takes a line of `/proc/sysvipc/sem` apart; `None` for what is no such line, as the header.
    pub fn parse(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let [key, semid, mode, nsems, uid, gid, cuid, cgid, otime, ctime] = words[..] else {
            return None;
        };
        let number = |word: &str| word.parse::<i64>().ok();
        Some(Self {
            key: number(key)? as i32,
            semid: number(semid)? as i32,
            mode: u32::from_str_radix(mode, 8).ok()?,
            nsems: number(nsems)? as u32,
            ids: [number(uid)? as u32, number(gid)? as u32, number(cuid)? as u32, number(cgid)? as u32],
            otime: number(otime)?,
            ctime: number(ctime)?,
        })
    }
}

/// An open table: what is left of it, in pieces.
pub trait Table {
    /// Whole records as far as `out` holds them, 0 bytes at the end.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize>;
}

/// Who prints tables.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    /// Its name in the report.
    pub name: &'static str,
    /// Opens a table over rows, to be read in pieces of so many bytes.
    pub open: fn(&[Row], usize) -> Box<dyn Table + '_>,
}

/// All printers but the kernel.
pub const PRINTERS: [Printer; 3] = [OURS, NAIVE, HAND_LOOP];

/// Reads a table to its end in pieces of the size of `piece`; says how many bytes and how many reads it took.
pub fn read_all(table: &mut dyn Table, piece: &mut [u8]) -> io::Result<(usize, usize)> {
    let (mut bytes, mut reads) = (0, 1);
    loop {
        match table.read(piece)? {
            0 => return Ok((bytes, reads)),
            n => bytes += n,
        }
        reads += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(printer: &Printer, rows: &[Row], piece: usize) -> String {
        let (mut table, mut all, mut bytes) = ((printer.open)(rows, piece), Vec::new(), vec![0; piece]);
        loop {
            match table.read(&mut bytes).unwrap() {
                0 => return String::from_utf8(all).unwrap(),
                n => all.extend_from_slice(&bytes[..n]),
            }
        }
    }

    #[test]
    fn all_print_what_the_kernel_does() {
        let sets = Sets::create(300).unwrap();
        let (header, kernel) = sets.text().unwrap();
        assert!(header.contains("semid"), "{header}");
        let rows = sets.rows().unwrap();
        assert_eq!(rows.len(), 300);
        for printer in PRINTERS {
            for piece in [4096, 65536] {
                assert_eq!(whole(&printer, &rows, piece), kernel, "{} in {piece}", printer.name);
            }
        }
        let mut table = sets.open().unwrap();
        let (bytes, reads) = read_all(&mut table, &mut [0; 4096]).unwrap();
        assert_eq!(bytes, header.len() + kernel.len());
        // A read is at most the kernel's buffer, and the last one finds the end.
        assert!(reads > bytes / 4096 + 1, "{reads} reads");
    }

    #[test]
    fn numbers_that_outgrow_their_column_are_not_cut() {
        let row = Row {
            key: i32::MIN,
            semid: i32::MAX,
            mode: 0o100_644,
            nsems: u32::MAX,
            ids: [0, 65534, 100_000, u32::MAX],
            otime: 0,
            ctime: i64::from(u32::MAX) * 10,
        };
        let line = whole(&NAIVE, &[row], 4096);
        assert_eq!(Row::parse(&line), Some(row));
        for printer in PRINTERS {
            assert_eq!(whole(&printer, &[row], 4096), line, "{}", printer.name);
        }
    }
}
