//! What differs between processor architectures: registers, and how a system call is made. A file an architecture.

#[cfg_attr(target_arch = "x86_64", path = "arch/x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "arch/aarch64.rs")]
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), path = "arch/other.rs")]
mod own;

use std::ffi::c_long;
use std::io;

use super::batch::{Batch, Made};

pub(super) use own::Registers;

/// The registers of a stopped thread.
pub(super) trait Arch: Sized {
    /// Whether calls can be injected at all.
    const SUPPORTED: bool = true;
    /// The instruction that makes a system call.
    const INSTRUCTION: &[u8];
    /// Of what the address of an instruction is a multiple.
    const ALIGNMENT: usize;
    /// `AUDIT_ARCH_*`, by which seccomp filters know the architecture (`include/uapi/linux/audit.h`).
    const AUDIT_ARCH: u32;

    /// Those of a thread that the calling thread traces.
    fn get(tid: i32) -> io::Result<Self>;

    /// Sets those of a thread that the calling thread traces.
    fn set(&self, tid: i32) -> io::Result<()>;

    /// Whether the thread executes 64-bit code.
    fn is_64_bit(&self) -> bool;

    /// The address of the instruction that is executed next.
    fn instruction_pointer(&self) -> u64;

    /// The same, but the next that is executed is a system call by the instruction at `at`.
    fn calling(&self, at: u64, number: i64, args: [u64; 6]) -> Self;

    /// What that call returned, if these are the registers after it: a negative errno for an error.
    fn returned(&self, at: u64, number: i64) -> Option<i64>;

    /// Code that makes the calls of a [`Batch`] and ends with a breakpoint. `None` where there is none.
    fn batch_code() -> Option<&'static [u8]> {
        None
    }

    /// The same, but what is executed next is the code of a batch.
    fn running(&self, batch: &Batch) -> Self;

    /// What the code did, if these are the registers at its end.
    fn ran(&self, batch: &Batch) -> Option<Made>;

    /// The call in which it is, or from which it comes.
    fn call(&self) -> Option<c_long>;

    /// The same, but the call is restarted that a stop made fail with `EINTR`, unless a handler is run first; `None` where there is no such
    /// call.
    fn restarting(&self) -> Option<Self>;
}
