//! x86-64.

use std::arch::global_asm;
use std::ffi::c_long;
use std::io;
use std::slice;

use libc::user_regs_struct;
use nix::sys::ptrace;
use nix::unistd::Pid;

use super::{Arch, Batch, Made};

/// `arch/x86/include/asm/segment.h`: `__USER_CS`, the code segment of 64-bit code.
const USER_CS: u64 = 0x33;

/// `arch/x86/include/uapi/asm/processor-flags.h`: `X86_EFLAGS_TF`, a trap after each instruction.
const TRAP_FLAG: u64 = 0x100;

/// `include/linux/errno.h`: the call failed for a signal, and is made again unless the signal has a handler.
const ERESTARTNOHAND: i64 = 514;

/// The calls that fail with `EINTR` when their thread was stopped, though no handler ran: `signal(7)`; those of sockets do where they
/// have a timeout, also by `read` and `write`. `io_getevents` and `io_uring_enter` do, too (`fs/aio.c`, `io_uring/io_uring.c`).
const NOT_RESTARTED: [c_long; 22] = [
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_io_getevents,
    libc::SYS_io_uring_enter,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_connect,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_sendfile,
];

// From r12 on there is an entry a call up to r13: `batch::ENTRY`. Each call is semop(entry.semid, entry.sops, entry.nsops).
// Position-independent, because it is copied. Never run where it stands.
global_asm!(
    ".pushsection .rodata.semundo_semops, \"a\"",
    ".globl semundo_semops_begin",
    ".hidden semundo_semops_begin",
    ".globl semundo_semops_end",
    ".hidden semundo_semops_end",
    "semundo_semops_begin:",
    "2: cmp r12, r13",
    "je 3f",
    "mov edi, dword ptr [r12]",
    "mov edx, dword ptr [r12 + 4]",
    "mov rsi, qword ptr [r12 + 8]",
    "mov eax, {semop}",
    "syscall",
    "test rax, rax",
    "js 3f",
    "add r12, {entry}",
    "jmp 2b",
    "3: int3",
    "semundo_semops_end:",
    ".popsection",
    semop = const libc::SYS_semop,
    entry = const Batch::ENTRY,
);

unsafe extern "C" {
    static semundo_semops_begin: [u8; 0];
    static semundo_semops_end: [u8; 0];
}

#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Registers(user_regs_struct);

impl Arch for Registers {
    const INSTRUCTION: &[u8] = &[0x0f, 0x05];
    const ALIGNMENT: usize = 1;
    const AUDIT_ARCH: u32 = 0xc000_003e;

    fn batch_code() -> Option<&'static [u8]> {
        let (begin, end) =
            ((&raw const semundo_semops_begin).cast::<u8>(), (&raw const semundo_semops_end).cast::<u8>());
        // SAFETY: the two symbols enclose what `global_asm` put into one read-only section, which lives as long as the program.
        Some(unsafe { slice::from_raw_parts(begin, end.offset_from_unsigned(begin)) })
    }

    fn get(tid: i32) -> io::Result<Self> {
        Ok(Self(ptrace::getregs(Pid::from_raw(tid))?))
    }

    fn set(&self, tid: i32) -> io::Result<()> {
        Ok(ptrace::setregs(Pid::from_raw(tid), self.0)?)
    }

    fn is_64_bit(&self) -> bool {
        self.0.cs == USER_CS
    }

    fn instruction_pointer(&self) -> u64 {
        self.0.rip
    }

    fn calling(&self, at: u64, number: i64, [rdi, rsi, rdx, r10, r8, r9]: [u64; 6]) -> Self {
        Self(user_regs_struct {
            rip: at,
            rax: number as u64,
            // Not in a system call: there is nothing to restart.
            orig_rax: u64::MAX,
            eflags: self.0.eflags & !TRAP_FLAG,
            rdi,
            rsi,
            rdx,
            r10,
            r8,
            r9,
            ..self.0
        })
    }

    fn returned(&self, at: u64, number: i64) -> Option<i64> {
        let is_after = self.0.rip == at + Self::INSTRUCTION.len() as u64 && self.0.orig_rax == number as u64;
        is_after.then_some(self.0.rax as i64)
    }

    fn running(&self, batch: &Batch) -> Self {
        Self(user_regs_struct {
            rip: batch.code,
            orig_rax: u64::MAX,
            eflags: self.0.eflags & !TRAP_FLAG,
            r12: batch.entries,
            r13: batch.end,
            ..self.0
        })
    }

    fn ran(&self, batch: &Batch) -> Option<Made> {
        let Registers(user_regs_struct { rip, r12: at, rax, .. }) = *self;
        let calls = batch.index(at)?;
        let errno = (at != batch.end).then_some(-(rax as i64));
        (rip == batch.code_end && errno.is_none_or(|errno| (1..=4095).contains(&errno)))
            .then_some(Made { calls, errno: errno.map(|errno| errno as i32) })
    }

    fn call(&self) -> Option<c_long> {
        c_long::try_from(self.0.orig_rax.cast_signed()).ok().filter(|number| *number >= 0)
    }

    fn restarting(&self) -> Option<Self> {
        let is_interrupted = self.0.rax as i64 == -i64::from(libc::EINTR)
            && NOT_RESTARTED.iter().any(|number| *number as u64 == self.0.orig_rax);
        is_interrupted.then_some(Self(user_regs_struct { rax: -ERESTARTNOHAND as u64, ..self.0 }))
    }
}
