//! What `/proc` tells of a thread before it is traced, and why it may not be.

use std::fs::{self, File};
use std::io::Read;

use caps::{CapSet, Capability};

use crate::processes;

/// Some lines of `/proc/TID/status`.
#[derive(Debug, Default)]
pub(super) struct Status {
    /// Its process.
    pub(super) tgid: i32,
    state: String,
    /// The thread that traces it; 0 for none.
    pub(super) tracer: i32,
    /// `SECCOMP_MODE_*`: 0 for none, 1 for strict, 2 for filters.
    pub(super) seccomp: i32,
    /// The signals that wait for it or for its process, those that it blocks, those that are ignored, those that have a handler.
    pub(super) pending: u64,
    pub(super) blocked: u64,
    pub(super) ignored: u64,
    pub(super) handled: u64,
}

impl Status {
    /// `None` where there is no such thread.
    pub(super) fn of(tid: i32) -> Option<Self> {
        let status = processes::file(&format!("/proc/{tid}/status")).ok()?;
        // The name may be no text.
        Some(Self::parse(&String::from_utf8_lossy(&status)))
    }

    fn parse(text: &str) -> Self {
        let field = |name| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
        let number = |name| field(name).parse().unwrap_or_default();
        let signals = |name| u64::from_str_radix(field(name), 16).unwrap_or_default();
        Self {
            tgid: number("Tgid:"),
            state: field("State:").to_owned(),
            tracer: number("TracerPid:"),
            seccomp: number("Seccomp:"),
            pending: signals("SigPnd:") | signals("ShdPnd:"),
            blocked: signals("SigBlk:"),
            ignored: signals("SigIgn:"),
            handled: signals("SigCgt:"),
        }
    }

    /// Whether it still runs code, which a zombie does not.
    pub(super) fn is_alive(&self) -> bool {
        !self.state.starts_with(['Z', 'X'])
    }

    /// Whether it is of the caller's process.
    pub(super) fn is_own(&self) -> bool {
        u32::try_from(self.tgid) == Ok(std::process::id())
    }
}

/// Whether the program that it runs is a 32-bit one, as far as the caller may know: the class in its ELF header.
pub(super) fn is_32_bit(tid: i32) -> bool {
    let mut header = [0; 5];
    let read = File::open(format!("/proc/{tid}/exe")).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header == *b"\x7fELF\x01"
}

/// Why the kernel said that a thread may not be traced (`ptrace(2)`, "Ptrace access mode checking").
pub(super) fn why_denied() -> &'static str {
    let yama = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let is_capable = caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_PTRACE).unwrap_or(false);
    match (yama.trim(), is_capable) {
        ("3", _) => "the sysctl kernel.yama.ptrace_scope is 3: nobody may trace",
        (_, true) => {
            "it is a kernel thread, of a user namespace in which CAP_SYS_PTRACE is not held, or a security module forbids it"
        }
        ("2", false) => "it takes CAP_SYS_PTRACE (the sysctl kernel.yama.ptrace_scope is 2)",
        ("1", false) => "it takes CAP_SYS_PTRACE, unless it is a descendant (the sysctl kernel.yama.ptrace_scope is 1)",
        (_, false) => "it takes CAP_SYS_PTRACE, because it is of another user, has capabilities, or is not dumpable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_status() {
        let status = Status::parse(
            "Name:\tTgid: 9\nTgid:\t12\nState:\tZ (zombie)\nTracerPid:\t7\nSeccomp:\t2\nSeccomp_filters:\t1\n",
        );
        assert_eq!((status.tgid, status.tracer, status.seccomp, status.is_alive()), (12, 7, 2, false));
        assert_eq!(Status::parse("State:\tS (sleeping)\n").seccomp, 0);
    }

    #[test]
    fn the_own_process() {
        let own = std::process::id() as i32;
        let status = Status::of(own).unwrap();
        assert!(status.is_own() && status.is_alive() && !is_32_bit(own));
        assert!(Status::of(i32::MAX).is_none());
    }
}
