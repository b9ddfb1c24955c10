//! Where to seek to: `lseek(2)`'s offset and whence in one value.

/// A position in a [`SeqFile`](crate::SeqFile), as `std::io::SeekFrom`, which converts into it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SeekFrom {
    /// This many bytes from the beginning (`SEEK_SET`).
    Start(u64),
    /// This many bytes from the file position (`SEEK_CUR`).
    Current(i64),
    /// This many bytes from the end (`SEEK_END`), which no seq_file knows: always `EINVAL`.
    End(i64),
}

#[cfg(feature = "std")]
impl From<std::io::SeekFrom> for SeekFrom {
    fn from(to: std::io::SeekFrom) -> Self {
        match to {
            std::io::SeekFrom::Start(offset) => Self::Start(offset),
            std::io::SeekFrom::Current(offset) => Self::Current(offset),
            std::io::SeekFrom::End(offset) => Self::End(offset),
        }
    }
}
