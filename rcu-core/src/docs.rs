//! The long explanations, as modules so that their examples are tested.
//!
//! - [`which_flavor`]: membarrier, QSBR, epoch or the kernel's.
//! - [`how_it_works`]: readers, grace periods and reclamation in user space.
//! - [`memory_ordering`]: why a reader never meets a reclaimed object, flavor by flavor.
//! - [`limits`]: what a reader that never leaves does, and what else to know before relying on it.
//! - [`from_liburcu`]: C call by C call.
//! - [`from_crossbeam`]: for users of `crossbeam-epoch`.

pub mod from_crossbeam;
pub mod from_liburcu;
pub mod how_it_works;
pub mod limits;
pub mod memory_ordering;
pub mod which_flavor;
