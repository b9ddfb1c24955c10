//! Moving over from `crossbeam-epoch`.
//!
//! | `crossbeam_epoch` | here |
//! |---|---|
//! | `pin()` | [`read_lock`](crate::Flavor::read_lock) of [`Membarrier`](crate::flavor::membarrier::Membarrier), or of [`Epoch`](crate::flavor::epoch::Epoch) |
//! | `Collector`, `LocalHandle` | [`Domain`](crate::Domain), [`Handle`](crate::domain::Handle) |
//! | `Atomic<T>` and `load` | [`RcuPtr`](crate::RcuPtr) and [`dereference`](crate::RcuPtr::dereference), never `unsafe` |
//! | `Atomic::swap`, then `unsafe { guard.defer_destroy(old) }` | [`RcuPtr::replace`](crate::RcuPtr::replace); dropping what it returns defers |
//! | `Atomic::compare_exchange` in a loop | [`RcuPtr::update`](crate::RcuPtr::update) |
//! | `guard.defer(f)` | [`defer`](crate::Flavor::defer) |
//! | `guard.flush()` | [`barrier`](crate::Flavor::barrier), which also waits |
//! | `guard.repin()` | a quiescent state: [`Reader::quiescent_state`](crate::flavor::qsbr::Reader::quiescent_state) |
//! | `is_pinned()` | nothing: waiting for oneself panics |
//! | `unprotected()` | `get_mut`, `into_inner`, and drops, which take the container exclusively |
//!
//! New here: [`synchronize`](crate::Flavor::synchronize), which tells *when* nobody holds the old value; a bound on what is unreclaimed; sections without a fence; linked
//! lists; stalls that are told. Not here: tagged pointers, and lock-free structures built from several `Atomic`s that are changed by many writers at once;
//! `crossbeam-epoch` remains the crate for these.
//!
//! ```
//! use rcu_core::{RcuPtr, flavor::membarrier::Membarrier};
//!
//! let newest = RcuPtr::new(Membarrier, Some("first"));
//! let guard = newest.read();
//! let value = newest.dereference(&guard);
//! newest.replace(Some("second")); // what was there is reclaimed after a grace period
//! assert_eq!(value, Some(&"first"));
//! ```
