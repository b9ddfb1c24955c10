//! The numbers that undo lists are made of, and their limits (`include/uapi/linux/sem.h`, `semop(2)`).

/// Identifier of a semaphore set, as `semget(2)` returns it. Never negative.
pub type SemId = i32;

/// What is added to one semaphore when the process exits: the kernel's `semadj`.
pub type SemAdj = i16;

/// Largest value of a semaphore, and largest adjustment (`SEMVMX`, `SEMAEM`).
pub const SEMVMX: i32 = 32767;

/// Largest number of semaphores in a set that Linux can be set to (`/proc/sys/kernel/sem`, first field).
pub const SEMMSL_MAX: usize = 65536;
