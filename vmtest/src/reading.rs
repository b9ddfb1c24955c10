//! Ways to read a proc file: whole in reads of one size, and here and there by pread and lseek.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, ensure};

use crate::expect::same_text;
use crate::random::Random;

/// The whole file, by reads of `chunk` bytes.
pub fn whole(path: &str, chunk: usize) -> Result<Vec<u8>> {
    rest(&mut File::open(path).context(path.to_owned())?, chunk).context(path.to_owned())
}

/// The whole file as text.
pub fn text(path: &str) -> Result<String> {
    Ok(String::from_utf8(whole(path, 65536)?)?)
}

/// What is left of a file, by reads of `chunk` bytes.
pub fn rest(file: &mut impl Read, chunk: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; chunk];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(bytes),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

/// Reads of every kind and at random places answer the same bytes as `want`, the whole file.
pub fn check_seeks(path: &str, want: &[u8], rounds: usize, random: &mut Random) -> Result<()> {
    let mut file = File::open(path).context(path.to_owned())?;
    for _ in 0..rounds {
        let offset = random.below(want.len() + 10);
        let mut buffer = vec![0; 1 + random.below(9000)];
        let count = if random.below(2) == 0 {
            file.read_at(&mut buffer, offset as u64)?
        } else {
            file.seek(SeekFrom::Start(offset as u64))?;
            let count = file.read(&mut buffer)?;
            let position = file.stream_position()?;
            ensure!(position == (offset + count) as u64, "{path}: at {position} after {count} bytes at {offset}");
            count
        };
        let slice = want.get(offset..).unwrap_or_default();
        ensure!((count == 0) == slice.is_empty(), "{path}: {count} bytes at offset {offset} of {} bytes", want.len());
        same_text(&buffer[..count], &slice[..count.min(slice.len())])
            .with_context(|| format!("{path}, {} bytes at {offset}", buffer.len()))?;
    }
    for (what, seek) in [
        ("the end", SeekFrom::End(0)),
        ("before the end", SeekFrom::End(-1)),
        ("before the start", SeekFrom::Current(-(want.len() as i64) - 1_000_000)),
    ] {
        let error = file.seek(seek).err().and_then(|error| error.raw_os_error());
        ensure!(error == Some(libc::EINVAL), "{path}: a seek to {what} answers {error:?}");
    }
    file.seek(SeekFrom::Start(want.len() as u64 + 12_345))?;
    ensure!(file.read(&mut [0; 100])? == 0, "{path}: bytes past the end");
    file.seek(SeekFrom::Start(0))?;
    same_text(&rest(&mut file, 65536)?, want).with_context(|| format!("{path} after a seek to 0"))
}
