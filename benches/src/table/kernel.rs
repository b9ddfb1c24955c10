//! The kernel's own table, of sets in an IPC namespace of their own.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::thread;

use rustix::thread::{UnshareFlags, unshare_unsafe};
use semundo::sysv::SemSet;

use super::{Row, Table};

/// Of the namespace that its opener is in.
const PATH: &str = "/proc/sysvipc/sem";

/// Semaphore sets in a namespace of their own, which goes with this, and the kernel's table of them.
#[derive(Debug)]
pub struct Sets {
    table: File,
}

impl Sets {
    /// Makes so many sets of one semaphore; at most 32,000. Takes root.
    pub fn create(count: usize) -> io::Result<Self> {
        // A thread leaves its namespace alone; the open file keeps the new one.
        let inside = thread::spawn(move || {
            // SAFETY: an IPC namespace has no part in memory safety, and this thread is the only one to move.
            unsafe { unshare_unsafe(UnshareFlags::NEWIPC) }?;
            for _ in 0..count {
                SemSet::create(1, 0o600)?;
            }
            File::open(PATH)
        });
        let table = inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Self { table })
    }

    /// The table, read from its beginning.
    pub fn open(&self) -> io::Result<&File> {
        (&self.table).rewind()?;
        Ok(&self.table)
    }

    /// The table's header, and all its lines.
    pub fn text(&self) -> io::Result<(String, String)> {
        let mut text = String::new();
        self.open()?.read_to_string(&mut text)?;
        let header = text.find('\n').map_or(0, |newline| newline + 1);
        let lines = text.split_off(header);
        Ok((text, lines))
    }

    /// Its lines as rows.
    pub fn rows(&self) -> io::Result<Vec<Row>> {
        let (_, lines) = self.text()?;
        let rows: Option<Vec<_>> = lines.lines().map(Row::parse).collect();
        rows.ok_or_else(|| io::Error::other(format!("{PATH} has lines of another form")))
    }
}

impl Table for &File {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        Read::read(self, out)
    }
}

/// A system call that goes as far as a read of a proc file, and prints nothing: 0 bytes of it.
pub fn system_call(sets: &Sets) -> io::Result<usize> {
    Read::read(&mut &sets.table, &mut [])
}
