//! Whether a thread's seccomp filters allow a call, found without making it (`seccomp(2)`).
//!
//! A filter can answer a forbidden call by killing the process. So the filters are read and evaluated here, as the kernel would
//! (`kernel/seccomp.c`: `seccomp_run_filters`, `seccomp_check_filter` for which instructions there are).

use std::io;

use libc::sock_filter;

use super::ptrace;
use crate::processes::Status;

/// What a thread's calls are subject to.
#[derive(Debug)]
pub(super) enum Seccomp {
    /// Nothing.
    Off,
    /// `SECCOMP_MODE_STRICT`: read, write, exit, and return from a handler.
    Strict,
    /// Filters: all must allow a call.
    Filters(Vec<Vec<sock_filter>>),
    /// Filters that cannot be read.
    Unreadable,
}

impl Seccomp {
    /// That of a thread that stands still.
    pub(super) fn of(tid: i32) -> Self {
        match Status::of(tid).unwrap_or_default().seccomp {
            0 => Self::Off,
            1 => Self::Strict,
            _ => match filters(tid) {
                Ok(filters) => Self::Filters(filters),
                Err(_) => Self::Unreadable,
            },
        }
    }

    /// Why a call is not allowed.
    pub(super) fn check(&self, call: &Call) -> Result<(), &'static str> {
        match self {
            Self::Off => Ok(()),
            Self::Strict => Err("it is in seccomp's strict mode"),
            Self::Unreadable => Err("its seccomp filters cannot be read, which takes CAP_SYS_ADMIN"),
            Self::Filters(filters) if filters.iter().all(|filter| allows(filter, call)) => Ok(()),
            Self::Filters(_) => Err("its seccomp filter forbids it"),
        }
    }
}

fn filters(tid: i32) -> io::Result<Vec<Vec<sock_filter>>> {
    let mut filters = Vec::new();
    loop {
        match ptrace::seccomp_filter(tid, filters.len()) {
            Ok(filter) => filters.push(filter),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(filters),
            Err(error) => return Err(error),
        }
    }
}

/// A call, as `struct seccomp_data` shows it to filters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) number: i64,
    pub(super) arch: u32,
    /// The address behind the instruction that makes it.
    pub(super) instruction_pointer: u64,
    pub(super) args: [u64; 6],
}

impl Call {
    /// `struct seccomp_data` as the 16 words that a filter can load.
    fn words(&self) -> [u32; 16] {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend((self.number as i32).to_ne_bytes());
        bytes.extend(self.arch.to_ne_bytes());
        bytes.extend(self.instruction_pointer.to_ne_bytes());
        bytes.extend(self.args.iter().flat_map(|arg| arg.to_ne_bytes()));
        let mut words = [0; 16];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u32::from_ne_bytes(*bytes);
        }
        words
    }
}

/// Whether a filter lets a call happen, by itself: not by leave of a tracer or a supervisor.
fn allows(filter: &[sock_filter], call: &Call) -> bool {
    let action = run(filter, &call.words()).map(|value| value & libc::SECCOMP_RET_ACTION_FULL);
    matches!(action, Some(libc::SECCOMP_RET_ALLOW | libc::SECCOMP_RET_LOG))
}

/// What the filter returns; `None` where it is none that the kernel would have accepted.
fn run(filter: &[sock_filter], data: &[u32; 16]) -> Option<u32> {
    use libc::{
        BPF_A, BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_DIV, BPF_IMM, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP,
        BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LEN, BPF_LSH, BPF_MEM, BPF_MISC, BPF_MUL, BPF_NEG, BPF_OR, BPF_RET,
        BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_TAX, BPF_TXA, BPF_W, BPF_X, BPF_XOR,
    };
    let (mut a, mut x, mut memory) = (0u32, 0u32, [0u32; 16]);
    let mut next = 0;
    loop {
        let sock_filter { code, jt, jf, k } = *filter.get(next)?;
        next += 1;
        let (code, slot) = (u32::from(code), k as usize);
        let operand = if code & BPF_X == 0 { k } else { x };
        match code & 0x07 {
            BPF_LD | BPF_LDX => {
                let value = match code & !0x07 {
                    mode if mode == BPF_W | BPF_ABS && k % 4 == 0 => *data.get(slot / 4)?,
                    mode if mode == BPF_W | BPF_LEN => 64,
                    BPF_IMM => k,
                    BPF_MEM => *memory.get(slot)?,
                    _ => return None,
                };
                if code & 0x07 == BPF_LD { a = value } else { x = value }
            }
            BPF_ST => *memory.get_mut(slot)? = a,
            BPF_STX => *memory.get_mut(slot)? = x,
            BPF_ALU => {
                a = match code & 0xf0 {
                    BPF_ADD => a.wrapping_add(operand),
                    BPF_SUB => a.wrapping_sub(operand),
                    BPF_MUL => a.wrapping_mul(operand),
                    // Division by X that is 0 ends a program with 0 (kernel/bpf/core.c), which kills.
                    BPF_DIV => a.checked_div(operand)?,
                    BPF_AND => a & operand,
                    BPF_OR => a | operand,
                    BPF_XOR => a ^ operand,
                    BPF_LSH => a.wrapping_shl(operand),
                    BPF_RSH => a.wrapping_shr(operand),
                    BPF_NEG => a.wrapping_neg(),
                    _ => return None,
                }
            }
            BPF_JMP => {
                let is_met = match code & 0xf0 {
                    BPF_JA => {
                        next += slot;
                        continue;
                    }
                    BPF_JEQ => a == operand,
                    BPF_JGT => a > operand,
                    BPF_JGE => a >= operand,
                    BPF_JSET => a & operand != 0,
                    _ => return None,
                };
                next += usize::from(if is_met { jt } else { jf });
            }
            BPF_RET if code & 0x18 == BPF_K => return Some(k),
            BPF_RET if code & 0x18 == BPF_A => return Some(a),
            BPF_MISC if code & 0xf8 == BPF_TAX => x = a,
            BPF_MISC if code & 0xf8 == BPF_TXA => a = x,
            _ => return None,
        }
    }
}
