//! The kernel's log, read from `/dev/kmsg` from a point in time on.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Result, bail};

/// Words of a kernel in trouble. (The boot's `Spectre V2 : WARNING` comes before any mark.)
const TROUBLE: [&str; 20] = [
    "WARNING:",
    "BUG:",
    "BUG ",
    "Oops",
    "KASAN",
    "general protection",
    "Call Trace",
    "Unable to handle",
    "unable to handle",
    "refcount",
    "buggy .next",
    "stall",
    "INFO: task",
    "lockup",
    "corruption",
    "KCSAN",
    "KFENCE",
    "suspected memory leak",
    // Checkers that give up would find nothing more.
    "Kernel memory leak detector disabled",
    "turning off the locking correctness validator",
];

/// Everything that the kernel says from a point on.
pub struct KernelLog(File);

impl KernelLog {
    /// All that is kept of the log.
    pub fn from_start() -> Result<KernelLog> {
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/kmsg")
            .context("/dev/kmsg")
            .map(KernelLog)
    }

    /// Begins to listen.
    pub fn mark() -> Result<KernelLog> {
        let mut log = KernelLog::from_start()?;
        log.0.seek(SeekFrom::End(0)).context("/dev/kmsg")?;
        Ok(log)
    }

    /// The messages since the mark or the last call.
    pub fn lines(&mut self) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut record = [0; 8192];
        loop {
            match self.0.read(&mut record) {
                // `level,sequence,time,flags;text`, then lines of key=value that begin with a blank.
                Ok(length) => {
                    let text = String::from_utf8_lossy(&record[..length]);
                    let text = text.split_once(';').map_or(&*text, |(_, text)| text);
                    lines.push(text.lines().next().unwrap_or_default().to_owned());
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(lines),
                // Some records were overwritten before we came: the next read goes on with the oldest.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(error) => return Err(error).context("/dev/kmsg"),
            }
        }
    }

    /// [`ensure_quiet`] of the messages since the mark or the last call.
    pub fn ensure_quiet(&mut self) -> Result<()> {
        ensure_quiet(&self.lines()?)
    }
}

/// An error that quotes the first trouble and what follows it, where there is any.
pub fn ensure_quiet(lines: &[String]) -> Result<()> {
    let first = lines.iter().position(|line| TROUBLE.iter().any(|word| line.contains(word)));
    if let Some(first) = first {
        let quoted = &lines[first..lines.len().min(first + 40)];
        bail!("the kernel log says:\n    {}", quoted.join("\n    "));
    }
    Ok(())
}
