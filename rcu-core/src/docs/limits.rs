//! Limits, and what happens at them.
//!
//! # A reader that never leaves
//!
//! It holds back every grace period of its domain. [`synchronize`](crate::Flavor::synchronize) and [`barrier`](crate::Flavor::barrier) wait as long. What is
//! deferred piles up to the bound; there, writers wait in [`call`](crate::Flavor::call) until the reader leaves. Memory stays bounded, at the price of
//! the writers' time. After 21 s, and again after each further 21 s, the stall hook names the reader's thread:
//!
//! ```
//! use rcu_core::{Domain, Flavor, domain::Stall};
//! use std::sync::mpsc;
//! use std::thread;
//! use std::time::Duration;
//! use std::sync::atomic::{AtomicBool, Ordering};
//!
//! static TOLD: AtomicBool = AtomicBool::new(false);
//! fn hook(stall: &Stall) {
//!     assert_eq!(stall.thread, "slow reader");
//!     TOLD.store(true, Ordering::Relaxed);
//! }
//!
//! let domain = Domain::new();
//! domain.set_stall_hook(Duration::from_millis(20), hook);
//! let (entered, has_entered) = mpsc::channel();
//! thread::scope(|scope| {
//!     let reader = || {
//!         let _guard = domain.read_lock();
//!         entered.send(()).unwrap();
//!         while !TOLD.load(Ordering::Relaxed) {
//!             thread::yield_now();
//!         }
//!     };
//!     thread::Builder::new().name("slow reader".into()).spawn_scoped(scope, reader).unwrap();
//!     has_entered.recv().unwrap();
//!     domain.synchronize();
//! });
//! ```
//!
//! A forgotten guard (`mem::forget`) is such a reader, and so is a QSBR reader that neither announces quiescent states nor goes offline.
//!
//! # The bound
//!
//! - It counts objects, not bytes.
//! - A caller inside a section of its own, or in a callback, cannot wait for a grace period: it exceeds the bound by what it defers there. So does a registered QSBR
//!   reader until its next quiescent state.
//! - W writers at once leave at most `bound + W - 1` objects.
//! - What is below a batch waits for more, for [`barrier`](crate::Flavor::barrier), or for the domain's drop. A program that is done
//!   with updating for long, and wants its memory back, calls `barrier`.
//!
//! # Callbacks run in their callers
//!
//! A destructor of a retired object may run in any [`call`](crate::Flavor::call), [`barrier`](crate::Flavor::barrier), or QSBR quiescent state, on any
//! thread, which may be inside a section. So it must not wait for a lock that somebody holds while deferring, nor for a grace period, as a
//! callback of the kernel's `call_rcu` must not: `synchronize` and `barrier` in it panic, and a panic in it aborts the process. It may defer more.
//!
//! There is no thread in the background. What a process has deferred and not yet reclaimed when it exits, in a domain that is never
//! dropped, is not reclaimed.
//!
//! # Waiting for oneself
//!
//! [`synchronize`](crate::Flavor::synchronize) and [`barrier`](crate::Flavor::barrier) inside a section of the same thread and domain panic. So does
//! `synchronize` in the stall hook of a grace period that the thread itself waits for. Two threads that wait for each other's sections are
//! not noticed, except by the stall hook: inside a section of one domain, a thread should not defer in another that is at its bound.
//!
//! # Depth, threads, numbers
//!
//! Sections nest up to 16,383 deep; one more panics. A domain keeps a slot of 128 bytes for as many readers as were ever registered at once, and a grace
//! period looks at each. Grace periods are numbered with 48 bits.
//!
//! # Signals
//!
//! A signal handler may enter sections of a domain that its thread has read in before: a thread's first section registers it, which allocates. It
//! must not defer, synchronize or wait for a barrier.
//!
//! # fork
//!
//! The child of `fork(2)` can use every [`Domain`](crate::Domain), and `Membarrier` and `Qsbr`, whatever the parent's other threads were doing: their sections are over in
//! the child, and what they had deferred and not begun to reclaim is the child's as well. What another thread was reclaiming at that moment leaks in the child.
//! Callbacks that the child inherits must not wait for locks of the program's own that its other threads may have held.
//!
//! Not so:
//!
//! - children made without the C library's `fork` (a raw `clone(2)`, `_Fork`): they may only `exec` or exit;
//! - a fork while another thread is making the process's very first use of `Membarrier` or `Qsbr`: the child would wait for it;
//! - a fork by a thread's last destructors, or by a callback;
//! - a reference that one thread lends another under its own guard: in the child of the borrower's fork, the lender and its section are gone;
//! - [`Epoch`](crate::flavor::epoch::Epoch) after a fork of a process with many threads: `crossbeam-epoch` knows of no forks, and the child may wait for ever.
