//! `SeqFile` as a `std::io` stream: the calls are its own, the errors raw OS errors.

use std::io::{BufRead, Read, Result, Seek, SeekFrom};

use crate::{Buffer, SeqFile, SeqOperations};

impl<O: SeqOperations, B: Buffer> Read for SeqFile<O, B> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        Ok(SeqFile::read(self, out)?)
    }
}

/// [`peek`](SeqFile::peek) and [`skip`](SeqFile::skip).
impl<O: SeqOperations, B: Buffer> BufRead for SeqFile<O, B> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        Ok(self.peek()?)
    }

    fn consume(&mut self, n: usize) {
        self.skip(n);
    }
}

impl<O: SeqOperations, B: Buffer> Seek for SeqFile<O, B> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        Ok(SeqFile::seek(self, to)?)
    }

    fn stream_position(&mut self) -> Result<u64> {
        Ok(self.position())
    }
}
