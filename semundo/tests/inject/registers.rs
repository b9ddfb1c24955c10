//! What is in the registers of a target, and in its restartable sequence.
#![cfg(target_arch = "x86_64")]

use std::arch::asm;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::target::{ROUNDS, Shared, Target, exit_gives_back, inject_often, set, until};

/// What `xsave` writes and `xrstor` reads: x87, SSE and the upper halves of the AVX registers.
#[derive(Clone, PartialEq)]
#[repr(C, align(64))]
struct Extended([u8; 832]);

/// Which of its parts there are: all of the three, or without AVX.
fn parts() -> u64 {
    if is_x86_feature_detected!("avx") { 7 } else { 3 }
}

/// All registers but `rip` and `rsp`.
#[derive(Clone, PartialEq)]
#[repr(C)]
struct Everything {
    /// rax, rbx, rcx, rdx, rsi, rdi, rbp, r8 to r14; r15 is the one that holds addresses.
    general: [u64; 14],
    flags: u64,
    extended: Extended,
}

impl Everything {
    fn random(seed: u64) -> Self {
        let mut state = seed;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut extended = Extended([0; 832]);
        for word in extended.0.as_chunks_mut().0 {
            *word = random().to_le_bytes();
        }
        // The layout of the area that is no register: control words that are valid, a full x87 stack, and the parts that there are.
        extended.0[..8].copy_from_slice(&[0x7f, 0x03, 0, 0, 0xff, 0, 0, 0]);
        extended.0[8..24].fill(0);
        extended.0[24..32].copy_from_slice(&[0x80, 0x1f, 0, 0, 0xff, 0xff, 0, 0]);
        for register in 0..8 {
            extended.0[42 + 16 * register..48 + 16 * register].fill(0);
        }
        extended.0[416..576].fill(0);
        extended.0[512] = parts() as u8;
        // Carry, parity, auxiliary carry, zero, sign and overflow.
        Self { general: std::array::from_fn(|_| random()), flags: random() & 0x8d5 | 0x202, extended }
    }

    /// What is to be the same afterwards.
    fn compared(&self) -> (&[u64], u64, &[u8], &[u8]) {
        let bytes = &self.extended.0;
        let upper = if parts() == 7 { &bytes[576..] } else { &[] };
        (&self.general, self.flags & 0x8d5, &bytes[32..416], upper)
    }
}

/// Loads all registers, waits until the word is not zero without changing one, and stores them all.
fn hold(before: &Everything, after: &mut Everything, word: *const u32) {
    let block: [u64; 4] = [&raw const *before as u64, &raw mut *after as u64, word as u64, parts()];
    // SAFETY: all registers that the compiler may use are saved on the stack or declared; memory is read and written only behind the three
    // addresses: both structures are live and as large as the offsets say, and the word is.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "sub rsp, 8",
            "mov r13, [r15]",
            "mov eax, [r15 + 24]",
            "xor edx, edx",
            "xrstor64 [r13 + {extended}]",
            "push qword ptr [r13 + {flags}]",
            "mov rax, [r13]",
            "mov rbx, [r13 + 8]",
            "mov rcx, [r13 + 16]",
            "mov rdx, [r13 + 24]",
            "mov rsi, [r13 + 32]",
            "mov rdi, [r13 + 40]",
            "mov rbp, [r13 + 48]",
            "mov r8, [r13 + 56]",
            "mov r9, [r13 + 64]",
            "mov r10, [r13 + 72]",
            "mov r11, [r13 + 80]",
            "mov r12, [r13 + 88]",
            "mov r14, [r13 + 104]",
            "mov r13, [r13 + 96]",
            "popfq",
            // The flags are kept on the stack while the word is looked at.
            "2:",
            "pushfq",
            "push r15",
            "mov r15, [r15 + 16]",
            "cmp dword ptr [r15], 0",
            "pop r15",
            "jne 3f",
            "popfq",
            "jmp 2b",
            "3:",
            "push r13",
            "mov r13, [r15 + 8]",
            "mov [r13], rax",
            "mov [r13 + 8], rbx",
            "mov [r13 + 16], rcx",
            "mov [r13 + 24], rdx",
            "mov [r13 + 32], rsi",
            "mov [r13 + 40], rdi",
            "mov [r13 + 48], rbp",
            "mov [r13 + 56], r8",
            "mov [r13 + 64], r9",
            "mov [r13 + 72], r10",
            "mov [r13 + 80], r11",
            "mov [r13 + 88], r12",
            "mov [r13 + 104], r14",
            "pop qword ptr [r13 + 96]",
            "pop qword ptr [r13 + {flags}]",
            "mov eax, [r15 + 24]",
            "xor edx, edx",
            "xsave64 [r13 + {extended}]",
            "fninit",
            "add rsp, 8",
            "pop rbp",
            "pop rbx",
            in("r15") block.as_ptr(),
            extended = const std::mem::offset_of!(Everything, extended),
            flags = const std::mem::offset_of!(Everything, flags),
            out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _, out("r12") _, out("r13") _, out("r14") _,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _, out("xmm12") _, out("xmm13") _, out("xmm14") _,
            out("xmm15") _,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _, out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
        );
    }
}

#[test]
fn no_register_is_changed() {
    let set = set();
    let mut target = Target::begun(|shared| {
        let before = Everything::random(std::process::id().into());
        let mut after = Everything { general: [0; 14], flags: 0, extended: Extended([0; 832]) };
        shared.begun.store(1, SeqCst);
        hold(&before, &mut after, shared.end.as_ptr());
        let (before, after) = (before.compared(), after.compared());
        let equal = [before.0 == after.0, before.1 == after.1, before.2 == after.2, before.3 == after.3];
        for (told, equal) in shared.told.iter().zip(equal) {
            told.store(equal.into(), SeqCst);
        }
    });
    inject_often(&target, &set, Duration::ZERO);
    target.end();
    exit_gives_back(&mut target, &set);
    let equal = [0, 1, 2, 3].map(|index| target.told(index));
    assert_eq!(equal, [1; 4], "general registers, flags, x87 and SSE, AVX");
}

/// `struct rseq` and `struct rseq_cs` (`include/uapi/linux/rseq.h`), and what the target has to do with them.
#[derive(Default)]
#[repr(C, align(32))]
struct Sequence {
    rseq: [u64; 4],
    rseq_cs: [u64; 4],
    shared: u64,
}

/// Is in a restartable sequence until that is aborted, counts this, and so on until told to end. It is a process of its own in the
/// memory of another: it must not call anything.
extern "C" fn stay_in_sequences(sequence: *mut std::ffi::c_void) -> i32 {
    // SAFETY: `sequence` is a live `Sequence`, and `shared` in it the address of a live `Shared`; the system call is rseq(2), which
    // registers the first field.
    unsafe {
        asm!(
            "mov rdi, r12",
            "mov esi, 32",
            "xor edx, edx",
            "mov r10d, 0x53053053",
            "mov eax, 334",
            "syscall",
            "mov [r13 + {told} + 8], rax",
            "test rax, rax",
            "jnz 6f",
            "lea rax, [rip + 2f]",
            "mov [r12 + 32 + 8], rax",
            "lea rcx, [rip + 3f]",
            "sub rcx, rax",
            "mov [r12 + 32 + 16], rcx",
            "lea rcx, [rip + 4f]",
            "mov [r12 + 32 + 24], rcx",
            "lea rax, [r12 + 32]",
            "5:",
            "mov [r12 + 8], rax",
            "2:",
            "pause",
            "cmp dword ptr [r13 + {end}], 0",
            "je 2b",
            "3:",
            "jmp 6f",
            ".long 0x53053053",
            "4:",
            "inc qword ptr [r13 + {told}]",
            "jmp 5b",
            "6:",
            in("r12") sequence,
            in("r13") (*sequence.cast::<Sequence>()).shared,
            told = const std::mem::offset_of!(Shared, told),
            end = const std::mem::offset_of!(Shared, end),
            out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _, out("r10") _, out("r11") _,
        );
    }
    0
}

#[test]
fn a_restartable_sequence_is_aborted() {
    let set = set();
    let mut target = Target::begun(|shared| {
        let mut stack = vec![0u8; 1 << 16];
        let mut sequence = Sequence { shared: std::ptr::from_ref(shared) as u64, ..Sequence::default() };
        sequence.rseq[0] = u64::from(u32::MAX) << 32;
        // SAFETY: the stack and the sequence live until the process is waited for.
        unsafe {
            let stack = stack.as_mut_ptr_range().end.cast();
            let flags = libc::CLONE_VM | libc::SIGCHLD;
            let pid = libc::clone(stay_in_sequences, stack, flags, (&raw mut sequence).cast());
            shared.told[2].store(pid as u64, SeqCst);
            shared.begun.store(1, SeqCst);
            assert_eq!(libc::waitpid(pid, std::ptr::null_mut(), 0), pid);
        }
    });
    let in_sequence = target.told(2) as i32;
    for _ in 0..ROUNDS {
        let mut stopped = semundo::inject::Stopped::seize(&[in_sequence]).unwrap();
        assert_eq!(target.told(1), 0, "rseq(2)");
        let before = target.told(0);
        stopped.semop(set.id(), &super::target::one_more()).unwrap().unwrap();
        stopped.release().unwrap();
        until("the sequence is aborted", || target.told(0) > before);
    }
    target.end();
    exit_gives_back(&mut target, &set);
}
