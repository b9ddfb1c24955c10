//! One operation of a call, and what it makes of the adjustments.

use crate::types::SemAdj;

/// `include/uapi/linux/ipc.h`: `IPC_NOWAIT`.
const IPC_NOWAIT: i16 = 0o4000;

/// `include/uapi/linux/sem.h`: `SEM_UNDO`.
const SEM_UNDO: i16 = 0x1000;

/// One operation, laid out as the kernel's `struct sembuf`: a slice of them is what `semop(2)` takes.
///
/// Always `IPC_NOWAIT`, and never of amount 0, which would wait for zero, but for the default, which only fills a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Op {
    sem_num: u16,
    sem_op: i16,
    sem_flg: i16,
}

impl Op {
    pub(super) const fn new(semaphore: u16, amount: i16, undo: bool) -> Self {
        Self { sem_num: semaphore, sem_op: amount, sem_flg: if undo { IPC_NOWAIT | SEM_UNDO } else { IPC_NOWAIT } }
    }

    /// The semaphore's number in the set.
    #[must_use]
    pub const fn semaphore(self) -> u16 {
        self.sem_num
    }

    /// What is added to its value.
    #[must_use]
    pub const fn amount(self) -> i16 {
        self.sem_op
    }

    /// Whether the amount is taken from the adjustment, too (`SEM_UNDO`).
    #[must_use]
    pub const fn undo(self) -> bool {
        self.sem_flg & SEM_UNDO != 0
    }

    /// The flags as the kernel takes them: `IPC_NOWAIT`, and `SEM_UNDO` where [`Op::undo`].
    #[must_use]
    pub const fn flags(self) -> i16 {
        self.sem_flg
    }
}

/// Brings `adjustments` to what they are once `call` was done.
///
/// Operations on semaphores that `adjustments` does not have are passed over.
pub fn advance(adjustments: &mut [SemAdj], call: &[Op]) {
    for op in call.iter().filter(|op| op.undo()) {
        if let Some(adjustment) = adjustments.get_mut(usize::from(op.semaphore())) {
            *adjustment = adjustment.wrapping_sub(op.amount());
        }
    }
}
