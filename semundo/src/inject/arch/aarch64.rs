//! aarch64. Compiled, never run.
//!
//! The kernel brings a thread back to the instruction of its interrupted call before it stops, and shows neither that it did nor the
//! call's first argument (`arch/arm64/kernel/signal.c`: `do_signal`).

use std::ffi::c_long;
use std::io;

use libc::user_regs_struct;
use nix::sys::ptrace;
use nix::unistd::Pid;

use super::{Arch, Batch, Made};

/// `arch/arm64/include/uapi/asm/ptrace.h`: `PSR_MODE32_BIT`.
const MODE32: u64 = 0x10;

#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Registers(user_regs_struct);

impl Arch for Registers {
    /// `svc #0`.
    const INSTRUCTION: &[u8] = &[0x01, 0x00, 0x00, 0xd4];
    const ALIGNMENT: usize = 4;
    const AUDIT_ARCH: u32 = 0xc000_00b7;

    fn get(tid: i32) -> io::Result<Self> {
        Ok(Self(ptrace::getregs(Pid::from_raw(tid))?))
    }

    fn set(&self, tid: i32) -> io::Result<()> {
        Ok(ptrace::setregs(Pid::from_raw(tid), self.0)?)
    }

    fn is_64_bit(&self) -> bool {
        self.0.pstate & MODE32 == 0
    }

    fn instruction_pointer(&self) -> u64 {
        self.0.pc
    }

    fn calling(&self, at: u64, number: i64, args: [u64; 6]) -> Self {
        let mut registers = self.0;
        registers.regs[..6].copy_from_slice(&args);
        registers.regs[8] = number as u64;
        registers.pc = at;
        Self(registers)
    }

    fn returned(&self, at: u64, number: i64) -> Option<i64> {
        let is_after = self.0.pc == at + Self::INSTRUCTION.len() as u64 && self.0.regs[8] == number as u64;
        is_after.then_some(self.0.regs[0] as i64)
    }

    fn running(&self, _: &Batch) -> Self {
        *self
    }

    fn ran(&self, _: &Batch) -> Option<Made> {
        None
    }

    fn call(&self) -> Option<c_long> {
        None
    }

    fn restarting(&self) -> Option<Self> {
        None
    }
}
