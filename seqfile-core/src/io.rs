//! `SeqFile` as a `std::io` stream: the calls are its own, the errors raw OS errors.

use std::io::{BufRead, Read, Result, Seek, SeekFrom};

use crate::{SeqFile, SeqOperations};

impl<O: SeqOperations> Read for SeqFile<O> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        Ok(SeqFile::read(self, out)?)
    }
}

/// Not a system call: it looks into the file's own buffer, which a file descriptor does not let
/// one do. It does not restart the sequence at offset 0 while bytes from there are in the buffer.
impl<O: SeqOperations> BufRead for SeqFile<O> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        Ok(self.peek()?)
    }

    fn consume(&mut self, n: usize) {
        self.skip(n);
    }
}

impl<O: SeqOperations> Seek for SeqFile<O> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        Ok(SeqFile::seek(self, to)?)
    }

    fn stream_position(&mut self) -> Result<u64> {
        Ok(self.position())
    }
}
