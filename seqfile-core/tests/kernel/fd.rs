//! A file descriptor of the kernel's, by the bare system calls.

use std::{
    fs::{self, File},
    io,
    os::fd::AsRawFd,
};

/// What a system call answered: its value, or the error number, negated.
pub type Answer = i64;

/// An open `/proc` file.
pub struct Fd(File);

fn answer(value: i64) -> Answer {
    if value < 0 { -i64::from(io::Error::last_os_error().raw_os_error().unwrap()) } else { value }
}

impl Fd {
    pub fn open(path: &str) -> Self {
        Self(File::open(path).unwrap_or_else(|e| panic!("{path}: {e}")))
    }

    pub fn read(&self, out: &mut [u8]) -> Answer {
        // SAFETY: `out` may be written for its length.
        answer(unsafe { libc::read(self.0.as_raw_fd(), out.as_mut_ptr().cast(), out.len()) } as i64)
    }

    pub fn pread(&self, out: &mut [u8], offset: i64) -> Answer {
        let (bytes, len) = (out.as_mut_ptr().cast(), out.len());
        // SAFETY: `out` may be written for its length.
        answer(unsafe { libc::pread64(self.0.as_raw_fd(), bytes, len, offset) } as i64)
    }

    pub fn lseek(&self, offset: i64, whence: i32) -> Answer {
        // SAFETY: no memory is involved.
        answer(unsafe { libc::lseek64(self.0.as_raw_fd(), offset, whence) })
    }

    /// The file position, from `/proc/self/fdinfo`: asking `lseek` would move the buffer.
    pub fn position(&self) -> u64 {
        let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", self.0.as_raw_fd())).unwrap();
        let pos = info.lines().find_map(|line| line.strip_prefix("pos:"));
        pos.unwrap().trim().parse().unwrap()
    }
}
