//! What a thread is before it is traced, and why it may not be.

use std::fs::{self, File};
use std::io::Read;

use caps::{CapSet, Capability};

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
    fn the_own_program_is_a_64_bit_one() {
        assert!(!is_32_bit(std::process::id() as i32));
    }
}
