//! Which flavor when.
//!
//! | flavor | a section costs | a grace period costs | threads | needs |
//! |---|---|---|---|---|
//! | [`Membarrier`](crate::flavor::membarrier::Membarrier) | two plain stores | one `membarrier(2)`, some microseconds | register by themselves | Linux 4.14 |
//! | [`Handle`](crate::domain::Handle) of a domain | the same, without the thread-local lookup | the same | register by hand | Linux 4.14 |
//! | [`Qsbr`](crate::flavor::qsbr::Qsbr) | nothing | waits for every registered thread's next quiescent state | register by hand, announce quiescent states | Linux |
//! | a [`Domain`](crate::Domain) with [`Strategy::Fence`](crate::domain::Strategy::Fence) | a full fence | a full fence | register by themselves | Linux |
//! | [`Epoch`](crate::flavor::epoch::Epoch) | a full fence | three epochs of `crossbeam-epoch` | register by themselves | std |
//! | [`Kernel`](crate::flavor::kernel::Kernel) | the kernel's | the kernel's | — | a kernel module |
//!
//! - Start with `Membarrier`. A library that others link does too: it asks nothing of their threads.
//! - A loop that does little else than read takes a `Handle`.
//! - An event loop whose threads come round often, a packet path for instance, can have `Qsbr`: it announces a quiescent state once a round, and
//!   goes offline before it sleeps.
//! - `Epoch` is for systems without Linux, and for a program that shares the collector of `crossbeam-epoch` with other code.
//! - A [`Domain`](crate::Domain) of one's own keeps slow readers of one structure from holding back another's reclamation.
//!
//! Containers are generic, so the choice is one type parameter:
//!
//! ```
//! use rcu_core::{Domain, Flavor, RcuCell};
//! use rcu_core::flavor::{epoch::Epoch, membarrier::Membarrier, qsbr::Qsbr};
//!
//! fn count_up<F: Flavor>(flavor: F) -> u32 {
//!     let cell = RcuCell::new(flavor, 1);
//!     drop(cell.update(|value| value + 1));
//!     let guard = cell.read();
//!     *cell.borrow(&guard)
//! }
//!
//! assert_eq!(count_up(Membarrier), 2);
//! assert_eq!(count_up(Qsbr), 2);
//! assert_eq!(count_up(Epoch), 2);
//! assert_eq!(count_up(&Domain::new()), 2);
//! ```
//!
//! A reader that must hold a value across an `.await`, or hand it to another thread, wants no section but an
//! [`ArcCell`](crate::ArcCell) (feature `arc-swap`); [`ReadMostly`](crate::ReadMostly) lets code work with either.
