//! How the flavors of user space work.
//!
//! # Readers
//!
//! Each reader has a *slot*: a 64-bit word in a cache line of its own. It holds how deep the reader's sections are nested, and the number of the newest
//! grace period at the moment when the outermost one began:
//!
//! ```text
//!  63                              16  15   14   13          0
//! +----------------------------------+----+----+-------------+
//! |  number of the grace period      |free|fen.|  nesting    |
//! +----------------------------------+----+----+-------------+
//! ```
//!
//! Entering an outermost section loads the domain's newest word, which has the number and a nesting depth of one, and stores it into the slot.
//! Leaving subtracts one; a word with a depth of zero means "in no section", whatever number is left in it. Both are plain stores, and what the first one
//! stores depends on no earlier one, so the processor overlaps them with what is inside. All rare things are flags in the word, which make the one comparison
//! on the fast path fail: a slot whose reader uses full fences, and one that is nobody's, or will be when its section ends.
//!
//! A slot is found through a thread-local pointer ([`Membarrier`](crate::flavor::membarrier::Membarrier)), a search among the domains that the thread has
//! read in ([`Domain`](crate::Domain)), or not at all ([`Handle`](crate::domain::Handle)). Slots are claimed from a list that only grows, and
//! released when the thread ends.
//!
//! # Grace periods
//!
//! A grace period takes the next number, stores the new newest word, makes every thread execute a full barrier, and looks at every slot. It has
//! passed once no slot holds a section with a smaller number. Numbers never repeat, so one look suffices; a flavor whose counter
//! has one bit must flip it and look twice.
//!
//! [`synchronize`](crate::Flavor::synchronize) needs a grace period that starts after the call. The first caller drives one; who comes
//! meanwhile sleeps, and when it is over one of them drives the next, which serves all the others. So N callers at once share two or three.
//!
//! ```
//! use rcu_core::{Domain, Flavor};
//! use std::thread;
//!
//! let domain = Domain::new();
//! thread::scope(|scope| {
//!     for _ in 0..8 {
//!         scope.spawn(|| domain.synchronize());
//!     }
//! });
//! assert!((1..=8).contains(&domain.grace_periods()));
//! ```
//!
//! # Reclamation
//!
//! [`call`](crate::Flavor::call) pushes onto a lock-free stack. For each batch (1,024, or a quarter of a small bound) a caller looks, without waiting, whether
//! the batch that was set aside earlier has had its grace period; if so it runs that one, sets the next aside, and starts a grace
//! period for it. There is no thread of the library's own: writers reclaim what they have retired.
//!
//! At the *bound* (16,384, [`Domain::set_bound`](crate::Domain::set_bound)) the caller waits for a grace period and runs everything, or waits for
//! the thread that does so already.
//!
//! # QSBR
//!
//! A registered [`Reader`](crate::flavor::qsbr::Reader) stays in a section and renews it: a quiescent state stores the newest word again, and only where that has
//! changed. Sections of unregistered threads of the same domain are those of a fenced slot.
