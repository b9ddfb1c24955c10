//! What an engine is: a subject under its protection, and the readers and the writer of that subject.

use std::arch::asm;

use crate::node;

/// Sections between two quiescent states of a reader that must announce them.
pub const SECTIONS: u64 = 1024;

/// Walks between two quiescent states of a reader that must announce them.
pub const WALKS: u64 = 16;

/// One engine of the table.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// Its name in the report.
    pub name: &'static str,
    /// Makes a subject: the measured list, and an object for the `retire` cases.
    pub start: fn() -> Box<dyn Subject>,
    /// What it can do besides reading.
    pub skills: Skills,
}

/// Which cases besides the plain reading ones an engine takes part in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Skills {
    /// It reclaims what it replaced: `retire`.
    pub retire: bool,
    /// It can wait for the readers: `synchronize`.
    pub synchronize: bool,
}

impl Skills {
    /// Reads only.
    pub const NONE: Self = Self { retire: false, synchronize: false };
    /// Reclaims, without a grace period that one could wait for.
    pub const RETIRE: Self = Self { retire: true, synchronize: false };
    /// All that RCU does.
    pub const RCU: Self = Self { retire: true, synchronize: true };
}

/// A list and an object, protected by an engine.
pub trait Subject: Send + Sync {
    /// Makes the calling thread a reader, which it stops to be at the drop.
    fn reader(&self) -> Box<dyn Reader + '_>;

    /// Makes the calling thread the writer, which it stops to be at the drop.
    fn writer(&self) -> Box<dyn Writer + '_>;

    /// Waits for all sections that exist now.
    fn synchronize(&self) {
        unreachable!("not in the engine's skills");
    }

    /// Does `inside` in a section, for engines that tell their grace periods.
    fn hold(&self, _inside: &mut dyn FnMut()) {
        unreachable!("only for engines that tell their grace periods");
    }

    /// How many grace periods were completed, where the engine tells.
    fn grace_periods(&self) -> Option<u64> {
        None
    }

    /// How many nodes and objects were freed so far.
    fn dropped(&self) -> u64 {
        node::dropped()
    }

    /// Waits until all that was retired is reclaimed, as far as the engine has a way to.
    fn drain(&self) {}
}

/// The read side as the harness drives it: whole loops, so that a call through the table does not count.
pub trait Reader {
    /// Enters and leaves `count` sections, a multiple of [`SECTIONS`].
    fn sections(&mut self, count: u64);

    /// Walks the list `count` times, a multiple of [`WALKS`], each in a section; returns the sum of all values met.
    fn walks(&mut self, count: u64) -> u64;
}

/// The read side as a Rust engine writes it. The loops around it are [`Reader`]'s, the same for all.
pub trait Section {
    /// Does `inside` in a section.
    fn section(&mut self, inside: impl FnOnce());

    /// Sums up the list in a section.
    fn walk(&mut self) -> u64;

    /// Announces a quiescent state, where the engine needs that.
    #[inline(always)]
    fn quiescent(&mut self) {}
}

impl<S: Section> Reader for S {
    fn sections(&mut self, count: u64) {
        for _ in 0..count / SECTIONS {
            let mut done = 0;
            while done < SECTIONS {
                self.section(
                    #[inline(always)]
                    || done = opaque(done),
                );
                done += 1;
            }
            self.quiescent();
        }
    }

    fn walks(&mut self, count: u64) -> u64 {
        let mut sum = 0_u64;
        for _ in 0..count / WALKS {
            let mut done = 0;
            while done < WALKS {
                settle();
                sum = sum.wrapping_add(self.walk());
                done = opaque(done) + 1;
            }
            self.quiescent();
        }
        sum
    }
}

/// The update side.
pub trait Writer {
    /// Replaces the list's first node by a copy at its end (or the whole list by a copy, where the engine protects it as a
    /// whole) and hands the old one to the engine's reclamation.
    fn replace(&mut self);

    /// Replaces the object `count` times, each old one handed to the engine's reclamation.
    fn retire(&mut self, count: u64);

    /// As [`retire`](Writer::retire); returns the most objects that were ever replaced and not yet reclaimed.
    fn retire_peak(&mut self, count: u64) -> u64;
}

/// The update side as a Rust engine writes it.
pub trait Update {
    /// As [`Writer::replace`].
    fn replace(&mut self);

    /// Replaces the object by one with this value and hands the old one to the engine's reclamation.
    fn retire(&mut self, value: u64);
}

impl<U: Update> Writer for U {
    fn replace(&mut self) {
        Update::replace(self);
    }

    fn retire(&mut self, count: u64) {
        (0..count).for_each(|value| Update::retire(self, value));
    }

    fn retire_peak(&mut self, count: u64) -> u64 {
        let before = node::dropped();
        let mut peak = 0;
        for value in 0..count {
            Update::retire(self, value);
            peak = peak.max((value + 1).saturating_sub(node::dropped() - before));
        }
        peak
    }
}

/// Returns `value`, of which the compiler then knows nothing, and makes it forget all it knows of memory.
///
/// The loops of the C peers have the very same statement. It costs no instruction; `std::hint::black_box` passes
/// the value through memory.
#[inline(always)]
pub fn opaque(mut value: u64) -> u64 {
    // SAFETY: no instruction at all.
    unsafe { asm!("/* {0} */", inout(reg) value, options(nostack, preserves_flags)) };
    value
}

/// Waits until the loads before have their values, so that a walk does not begin before the one before it has ended.
///
/// Without it a processor that foresees the end of a walk runs the next one beside it, and whether it foresees the end of 100 nodes is
/// a matter of luck: the same loop then takes 1.2 or 1.6 ns a node. A lone walk has no such help.
#[inline(always)]
pub fn settle() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has SSE2; the fence changes no memory.
    unsafe {
        std::arch::x86_64::_mm_lfence();
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: an instruction barrier changes no register and no memory.
    unsafe {
        asm!("isb", options(nostack, preserves_flags));
    };
}
