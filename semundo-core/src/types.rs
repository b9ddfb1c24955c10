//! The numbers that undo lists are made of (`include/uapi/linux/sem.h`, `semop(2)`).

/// Identifier of a semaphore set, as `semget(2)` returns it. Never negative.
pub type SemId = i32;

/// What is added to one semaphore when the process exits: the kernel's `semadj`.
pub type SemAdj = i16;
