//! An exact model of one process's `semop(2)` on one set (`ipc/sem.c: do_semtimedop, perform_atomic_semop_slow, exit_sem`).

extern crate std;

use std::vec::Vec;

/// `semnum`, amount and flags, as in `struct sembuf`.
pub type Sembuf = (u16, i16, i16);

/// Why a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// `EINVAL`: no operations.
    Invalid,
    /// `E2BIG`: more operations than SEMOPM.
    TooMany,
    /// `EFBIG`: no such semaphore.
    NoSuchSemaphore,
    /// `EAGAIN`: it would have to wait.
    Again,
    /// It waits, without `IPC_NOWAIT`.
    Sleeps,
    /// `ERANGE`: a value or an adjustment out of range.
    Range,
}

/// A set, and the process's adjustments of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub values: Vec<i32>,
    pub adjustments: Vec<i32>,
    pub semopm: usize,
    pub semvmx: i32,
}

impl Model {
    pub fn new(values: &[u16], adjustments: &[i16], semopm: usize) -> Self {
        Self {
            values: values.iter().copied().map(i32::from).collect(),
            adjustments: adjustments.iter().copied().map(i32::from).collect(),
            semopm,
            semvmx: 32767,
        }
    }

    /// One call: all of it, or nothing.
    pub fn semop(&mut self, sops: &[Sembuf]) -> Result<(), Error> {
        if sops.is_empty() {
            return Err(Error::Invalid);
        }
        if sops.len() > self.semopm {
            return Err(Error::TooMany);
        }
        if sops.iter().any(|sop| usize::from(sop.0) >= self.values.len()) {
            return Err(Error::NoSuchSemaphore);
        }
        for (done, sop) in sops.iter().enumerate() {
            if let Err(error) = self.one(*sop) {
                for (semaphore, amount, flags) in sops[..done].iter().rev() {
                    self.values[usize::from(*semaphore)] -= i32::from(*amount);
                    if i32::from(*flags) & libc::SEM_UNDO != 0 {
                        self.adjustments[usize::from(*semaphore)] += i32::from(*amount);
                    }
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn one(&mut self, (semaphore, amount, flags): Sembuf) -> Result<(), Error> {
        let (semaphore, amount, flags) = (usize::from(semaphore), i32::from(amount), i32::from(flags));
        let value = self.values[semaphore] + amount;
        if (amount == 0 && value != 0) || value < 0 {
            return Err(if flags & libc::IPC_NOWAIT != 0 { Error::Again } else { Error::Sleeps });
        }
        if value > self.semvmx {
            return Err(Error::Range);
        }
        if flags & libc::SEM_UNDO != 0 {
            let adjustment = self.adjustments[semaphore] - amount;
            if !(-self.semvmx - 1..=self.semvmx).contains(&adjustment) {
                return Err(Error::Range);
            }
            self.adjustments[semaphore] = adjustment;
        }
        self.values[semaphore] = value;
        Ok(())
    }

    /// The values after the process exits.
    #[allow(dead_code)]
    pub fn exit(&self) -> Vec<i32> {
        let ends = self.values.iter().zip(&self.adjustments);
        ends.map(|(value, adjustment)| (value + adjustment).clamp(0, self.semvmx)).collect()
    }
}
