//! The cases, and how each is measured.
//!
//! | case | threads | unit | what |
//! |---|---|---|---|
//! | `empty-section` | readers | ns | CPU time of entering and leaving a section with nothing in it |
//! | `walk-100` | readers | ns | CPU time of a section that walks the list |
//! | `walk-100-writer` | readers | ns | the same, while a writer replaces [`RATE`] nodes a second |
//! | `synchronize` | readers | ns | time of one call while readers walk the list, section after section |
//! | `synchronize-8` | 8 | grace periods | grace periods that 8 threads wait for that call at once, counted by the domain |
//! | `synchronize-8-time` | 8 | calls | time of 8 threads' calls, one each, over the time of a call by one thread alone |
//! | `retire` | readers | ops/s | replacing an object and handing the old one to the engine, while readers walk the list |
//! | `retire-peak` | readers | objects | the most objects replaced and not yet freed, of [`PEAK_OF`] retired without a pause |
//!
//! Reading is measured by the CPU time of the reading threads, so that neither the writer on the same core nor other tenants
//! of the machine count. Readers and, where there is a core left, the writer are pinned to cores of their own.
//!
//! What a replacement is depends on what the engine protects. For most it is one node of the list. `arc-swap` and `haphazard`
//! protect the list as a whole, so their writer replaces all of it, at the same rate.
//! In `walk-100-writer` a run in which the writer did not reach 95 % of its rate does not count.

mod read;
mod reclaim;
mod wait;

use crate::harness::Measurement;

pub use read::{RATE, RUN_ONE, Work, beside_writer, run_one};
pub use reclaim::PEAK_OF;

/// One case of the group; it measures all engines that can.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// Measures it, and hands over what it measured bit by bit.
    pub measure: fn(&mut dyn FnMut(Measurement)),
}

/// All cases, the ones that churn memory last.
pub const ALL: [Case; 7] = [
    Case { name: "empty-section", measure: |out| read::measure(Work::Section, out) },
    Case { name: "walk-100", measure: |out| read::measure(Work::Walk, out) },
    Case { name: "walk-100-writer", measure: |out| read::measure(Work::WalkWithWriter, out) },
    Case { name: "synchronize", measure: wait::latency },
    Case { name: "synchronize-8", measure: wait::together },
    Case { name: "retire", measure: reclaim::throughput },
    Case { name: "retire-peak", measure: reclaim::peak },
];
