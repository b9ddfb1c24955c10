//! Read-copy-update (RCU) for `no_std`.
//!
//! Readers of an RCU-protected structure take no lock and never wait. Updaters publish new versions, unlink
//! old ones, and reclaim them only after a *grace period*: when every read-side critical section that could
//! still hold a reference has ended.
//!
//! | what | where | feature |
//! |---|---|---|
//! | the trait of all flavors, callbacks | [`Flavor`], [`RcuHead`] | |
//! | the flavor whose readers execute no barrier | [`flavor::membarrier`] | `membarrier` (Linux) |
//! | the flavor whose readers announce quiescent states | [`flavor::qsbr`] | `qsbr` (Linux) |
//! | the flavor over `crossbeam-epoch` | [`flavor::epoch`] | `epoch` |
//! | the flavor of a kernel, by FFI | [`flavor::kernel`] | `kernel` |
//! | separate domains, registered readers, polled grace periods, bounds, stalls | [`domain`] | `membarrier` or `qsbr` |
//! | owning intrusive lists that are safe to use | [`List`], [`HList`] | `alloc` |
//! | a pointer that is published and dereferenced; a cell that is never empty | [`RcuPtr`], [`RcuCell`] | `alloc` |
//! | a cell whose readers may hold the value across an `.await`; the trait of both | [`ArcCell`], [`ReadMostly`] | `arc-swap`, `alloc` |
//! | the raw lists, bit-compatible with the kernel's `struct list_head` and `struct hlist_head` | [`list`], [`hlist`] | |
//!
//! The very same iterator that walks a [`List`] in user space walks a kernel's list in a kernel module. The long
//! explanations are in the module [`docs`]: which flavor when, how it works, why it is right, limits, and moving over from liburcu and crossbeam-epoch.
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "membarrier")] {
//! use rcu_core::{Flavor, List, Links, flavor::membarrier::Membarrier, linked};
//!
//! struct Route { links: Links, prefix: u32 }
//! linked!(Route, links);
//!
//! let routes = List::new(Membarrier);
//! routes.lock().push_front(Box::new(Route { links: Links::new(), prefix: 10 }));
//! routes.lock().push_back(Box::new(Route { links: Links::new(), prefix: 20 }));
//!
//! let guard = routes.read();
//! let mut seen = routes.iter(&guard).map(|route| route.prefix);
//! assert_eq!(seen.next(), Some(10));
//! // Unlinked while the reader stands on it: the reader passes on unharmed.
//! routes.lock().retain(|route| route.prefix != 10);
//! assert_eq!(seen.next(), Some(20));
//! assert_eq!(seen.next(), None);
//! # }
//! ```
#![no_std]
#![warn(missing_debug_implementations)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "arc-swap")]
mod arc_cell;
#[cfg(any(feature = "membarrier", feature = "qsbr", feature = "epoch"))]
mod callbacks;
#[cfg(feature = "alloc")]
mod cell;
#[cfg(all(doctest, feature = "epoch"))]
mod compile_fail;
#[cfg(all(
    any(doc, doctest),
    feature = "membarrier",
    feature = "qsbr",
    feature = "epoch",
    feature = "kernel",
    feature = "arc-swap"
))]
pub mod docs;
#[cfg(any(feature = "membarrier", feature = "qsbr"))]
pub mod domain;
pub mod flavor;
pub mod hlist;
#[cfg(feature = "alloc")]
mod links;
pub mod list;
#[cfg(feature = "alloc")]
mod owned_list;
#[cfg(feature = "alloc")]
mod ptr;
#[cfg(feature = "alloc")]
mod sync;
#[cfg(feature = "alloc")]
mod turn;

#[cfg(feature = "arc-swap")]
pub use arc_cell::{ArcCell, ArcRef};
#[cfg(feature = "alloc")]
pub use cell::{RcuCell, RcuRef, ReadMostly};
#[cfg(any(feature = "membarrier", feature = "qsbr"))]
pub use domain::Domain;
pub use flavor::{Flavor, RcuHead};
#[cfg(feature = "alloc")]
pub use links::{HLinks, Linked, Links};
#[cfg(feature = "alloc")]
pub use owned_list::{HList, Iter, List, ListWriter, RcuList};
#[cfg(feature = "alloc")]
pub use ptr::{RcuPtr, Retired};
