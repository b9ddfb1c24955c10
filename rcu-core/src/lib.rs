//! Read-copy-update (RCU) for `no_std`.
//!
//! Readers of an RCU-protected structure take no lock and never wait. Updaters publish new versions, unlink
//! old ones, and reclaim them only after a *grace period*: when every read-side critical section that could
//! still hold a reference has ended.
//!
//! | what | where | needs |
//! |---|---|---|
//! | the trait of all flavors, read guards, callbacks | [`flavor`] | nothing |
//! | circular doubly linked lists, bit-compatible with the kernel's `struct list_head` | [`list`] | nothing |
//! | an owning intrusive list that is safe to use | [`List`] | feature `std` |
//! | a pointer that is published and dereferenced | [`RcuPtr`] | feature `alloc` |
//! | the flavor over `crossbeam-epoch` | [`flavor::epoch`] | feature `epoch` |
//! | the flavor of a kernel, by FFI | [`flavor::kernel`] | feature `kernel` |
//!
//! The very same iterator that walks a [`List`] in user space walks a kernel's list in a kernel module.
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "epoch")] {
//! use rcu_core::{Flavor, List, Links, flavor::epoch::Epoch, linked};
//!
//! struct Route { links: Links, prefix: u32 }
//! linked!(Route, links);
//!
//! let routes = List::new(Epoch);
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

pub mod flavor;
pub mod list;
#[cfg(feature = "std")]
mod owned_list;
#[cfg(feature = "alloc")]
mod ptr;

pub use flavor::{Flavor, RcuHead};
#[cfg(feature = "std")]
pub use owned_list::{Iter, Linked, Links, List, ListWriter};
#[cfg(feature = "alloc")]
pub use ptr::{RcuPtr, Retired};
