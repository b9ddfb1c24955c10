//! Restoring sets of the caller's own undo list, all of them or none.
//!
//! Every call is the kernel's `semop` in the caller's context. The adjustments are looked at again after a set's last call: a thread
//! that shares the list may have changed them meanwhile, as anybody may have changed the values that the plan stood on.

use core::mem;
use core::ptr::NonNull;
use core::sync::atomic::Ordering;

use rcu_core::Flavor;
use rcu_core::flavor::kernel::Kernel;
use semundo_core::memory::Buffer;
use semundo_core::plan::{Op, Plan, SEMOPM};
use semundo_core::text::{self, Line, ParseError, Reason};
use semundo_core::types::{SemAdj, SemId};
use seqfile_core::Errno;

use crate::ffi;
use crate::memory::KvBuffer;
use crate::set::LockedSet;

/// How often a set is planned anew because somebody else has changed it meanwhile.
const ATTEMPTS: usize = 1_000;

/// Restores the sets that `text` names, one after the other; each ends with exactly the adjustments of its line.
///
/// # Errors
///
/// Nothing was changed by it:
///
/// - `EINVAL`: the text is not of the form, or a line has not one adjustment for each semaphore;
/// - `ERANGE`: a number is out of range;
/// - `EIDRM`: there is no such set (any more);
/// - `EACCES` and others of `semop(2)`;
/// - `EAGAIN`: others change the set all the time;
/// - `EINTR`: the caller is being killed;
/// - `ENOMEM`.
///
/// `EIO`: another error came first, and then what had been changed before could not be taken back.
pub fn all(text: &[u8]) -> Result<(), Errno> {
    let Size { adjustments, widest } = check(text)?;
    if adjustments == 0 {
        return Ok(());
    }
    let mut moved = KvBuffer::default();
    moved.grow(adjustments)?;
    let mut set = Scratch::new(widest)?;
    let done = each(text, moved.as_mut_slice(), |line, moved| {
        ffi::between_passes()?;
        set.bring(line.semid(), moved, |_, _, wanted| {
            wanted.iter_mut().zip(line.adjustments()).for_each(|(wanted, adjustment)| *wanted = adjustment);
        })
    });
    let Err(error) = done else { return Ok(()) };
    Err(if take_back(text, moved.as_mut_slice(), &mut set) { error } else { Errno::EIO })
}

/// Takes back what was moved, in all sets where it can be; whether that was all of them. It does so even where the caller is being
/// killed: its exit finds the list as before.
fn take_back(text: &[u8], moved: &mut [i32], set: &mut Scratch) -> bool {
    let before = |now: &[SemAdj], moved: &[i32], wanted: &mut [SemAdj]| {
        for ((wanted, now), moved) in wanted.iter_mut().zip(now).zip(moved) {
            let before = i32::from(*now) - moved;
            *wanted = before.clamp(SemAdj::MIN.into(), SemAdj::MAX.into()) as SemAdj;
        }
    };
    let mut all = true;
    let lines = each(text, moved, |line, moved| {
        // With a set that was removed its adjustments are gone.
        all &= matches!(set.bring(line.semid(), moved, before), Ok(()) | Err(Errno::EIDRM));
        Ok(())
    });
    lines.is_ok() && all
}

/// What has to be made room for.
#[derive(Default)]
struct Size {
    /// Of all lines.
    adjustments: usize,
    /// Of one line, the most.
    widest: usize,
}

/// Checks all that can be told before anything is done.
fn check(text: &[u8]) -> Result<Size, Errno> {
    let mut size = Size::default();
    for line in text::lines(text) {
        ffi::between_passes()?;
        let line = line.map_err(errno)?;
        let section = Kernel.read_lock();
        // SAFETY: inside the section.
        let nsems = unsafe { ffi::semundo_set_size(line.semid()) };
        drop(section);
        if nsems == 0 {
            return Err(Errno::EIDRM);
        }
        if nsems as usize != line.nsems() {
            return Err(Errno::EINVAL);
        }
        size.adjustments += line.nsems();
        size.widest = size.widest.max(line.nsems());
    }
    Ok(size)
}

fn errno(error: ParseError) -> Errno {
    match error.reason {
        Reason::SemIdOutOfRange | Reason::AdjustmentOutOfRange => Errno::ERANGE,
        Reason::EmptyLine | Reason::NotANumber | Reason::NoAdjustments => Errno::EINVAL,
    }
}

/// Goes over the lines of a text that was checked, each with its part of `moved`.
fn each(
    text: &[u8],
    mut moved: &mut [i32],
    mut visit: impl FnMut(Line<'_>, &mut [i32]) -> Result<(), Errno>,
) -> Result<(), Errno> {
    for line in text::lines(text) {
        let line = line.map_err(errno)?;
        let (part, rest) = mem::take(&mut moved).split_at_mut(line.nsems());
        moved = rest;
        visit(line, part)?;
    }
    Ok(())
}

/// Room for one set, and for a call.
struct Scratch {
    now: KvBuffer<SemAdj>,
    wanted: KvBuffer<SemAdj>,
    values: KvBuffer<u16>,
    ops: KvBuffer<Op>,
}

impl Scratch {
    /// For sets of up to `widest` semaphores.
    fn new(widest: usize) -> Result<Self, Errno> {
        let (mut now, mut wanted, mut values, mut ops) =
            (KvBuffer::default(), KvBuffer::default(), KvBuffer::default(), KvBuffer::default());
        now.grow(widest)?;
        wanted.grow(widest)?;
        values.grow(widest)?;
        ops.grow(usize::try_from(ffi::semundo_semopm()).unwrap_or(0).clamp(1, SEMOPM))?;
        Ok(Self { now, wanted, values, ops })
    }

    /// Brings a set's adjustments to what `want` says, who is told what they are and how far they were moved already, and adds to
    /// `moved` what the calls move.
    fn bring(
        &mut self,
        semid: SemId,
        moved: &mut [i32],
        want: impl Fn(&[SemAdj], &[i32], &mut [SemAdj]),
    ) -> Result<(), Errno> {
        let nsems = moved.len();
        let now = &mut self.now.as_mut_slice()[..nsems];
        let wanted = &mut self.wanted.as_mut_slice()[..nsems];
        let values = &mut self.values.as_mut_slice()[..nsems];
        for _ in 0..ATTEMPTS {
            ffi::semundo_relax();
            look_at(semid, now, values)?;
            want(now, moved, wanted);
            if now == wanted {
                return Ok(());
            }
            // Refused is only a SEMOPM of 1: the rest holds here.
            let mut plan = Plan::new(now, wanted, values, self.ops.as_mut_slice()).map_err(|_| Errno::E2BIG)?;
            while let Some(call) = plan.next_call() {
                match ffi::semop(semid, call) {
                    Ok(()) => count(moved, call),
                    // A value or an adjustment is not what it was any more. The call has changed nothing.
                    Err(Errno::EAGAIN | Errno::ERANGE) => break,
                    // No set has the identifier: it did when it was looked at.
                    Err(Errno::EINVAL) => return Err(Errno::EIDRM),
                    Err(error) => return Err(error),
                }
            }
        }
        Err(Errno::EAGAIN)
    }
}

/// The caller's adjustments of a set, and the set's values.
fn look_at(semid: SemId, now: &mut [SemAdj], values: &mut [u16]) -> Result<(), Errno> {
    let section = Kernel.read_lock();
    // SAFETY: inside the section.
    let set = NonNull::new(unsafe { ffi::semundo_find_set(semid) }).ok_or(Errno::EIDRM)?;
    // SAFETY: the set was found inside the section, which ends after the lock.
    let set = unsafe { LockedSet::lock(set) }.ok_or(Errno::EIDRM)?;
    set.values(values).ok_or(Errno::EIDRM)?;
    let own = ffi::semundo_own_list();
    match set.undos().find(|undo| own != 0 && undo.undo_list() == own) {
        Some(undo) => now
            .iter_mut()
            .zip(set.adjustments(&undo))
            .for_each(|(now, adjustment)| *now = adjustment.load(Ordering::Relaxed)),
        None => now.fill(0),
    }
    drop(set);
    drop(section);
    Ok(())
}

/// Adds to `moved` by how much a call has moved each adjustment.
fn count(moved: &mut [i32], call: &[Op]) {
    for op in call.iter().filter(|op| op.undo()) {
        moved[usize::from(op.semaphore())] -= i32::from(op.amount());
    }
}
