//! The table by `seqfile-core`.

use std::io::{self, Read};

use seqfile_core::{Errno, SeqBuf, SeqFile, SeqOperations, Show, SliceOps};

use super::{Printer, Row, Table};

/// A `SeqFile` over the rows, whose buffer is as large as the reads are.
pub const OURS: Printer = Printer {
    name: "seqfile-core",
    open: |rows, piece| Box::new(SeqFile::with_buffer_size(SliceOps::new(rows, show), piece.next_power_of_two())),
};

impl<O: SeqOperations> Table for SeqFile<O> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        Read::read(self, out)
    }
}

fn show(row: &Row, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
    out.put_dec_padded(row.key, 10);
    out.put_char(b' ');
    out.put_dec_padded(row.semid, 10);
    out.put_str("  ");
    out.put_oct_padded(row.mode, 4);
    out.put_char(b' ');
    out.put_dec_padded(row.nsems, 10);
    for id in row.ids {
        out.put_char(b' ');
        out.put_dec_padded(id, 5);
    }
    out.put_char(b' ');
    out.put_dec_padded(row.otime, 10);
    out.put_char(b' ');
    out.put_dec_padded(row.ctime, 10);
    out.put_char(b'\n');
    Ok(Show::Record)
}
