//! Why a reader never meets a reclaimed object.
//!
//! Let a writer unlink X and then wait for a grace period with number *n*; let a reader be in a section. Either the section ends before the grace period
//! does, or the reader does not find X. The steps:
//!
//! ```text
//!  writer                                   reader
//!  W1  unlink X                             R1  begun = newest        (Acquire)
//!  W2  lock; newest = n; unlock (Release)   R2  slot = begun          (Release)
//!  W3  heavy barrier                        R3  light barrier
//!  W4  read slot                (Acquire)   R4  read the list         (Acquire)
//!  W5  reclaim X                            R5  slot -= 1             (Release)
//! ```
//!
//! # The two cases
//!
//! **W4 sees the section.** Its number is below *n*: then the writer waits until the slot changes. The store that it then sees is R5 or a later one of
//! the same slot: every one is a Release (R2 too, for this sake alone), and W4 is an Acquire, so R4 happens before W5. Or its number is *n* or more: then R1 read what W2, or a later grace period, stored with Release. So
//! W1 happens before R4, and the reader does not find X.
//!
//! **W4 does not see the section**: it reads what the slot held before R2. Then R4 must see W1. This is *store buffering*: two threads store, then load what
//! the other has stored, and must not both miss the other's store. It takes a full barrier between store and load on both sides, W3 and R3.
//!
//! - [`Strategy::Fence`](crate::domain::Strategy::Fence): both are `fence(SeqCst)`. One of them is first in the single order of such fences;
//!   if it is R3, then W4 sees R2; if it is W3, then R4 sees W1.
//! - [`Strategy::Membarrier`](crate::domain::Strategy::Membarrier): R3 keeps only the compiler from reordering. W3 is a fence and
//!   `membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)`, which makes every thread of the process that is running execute a full barrier before it returns, and
//!   relies on the scheduler's barriers for the others. So there is a point in the reader's instructions at which it executes a full barrier
//!   between W2 and W4. If R2 is before that point, W4 sees it. If R2 is after, so is R4, which then sees W1.
//!
//! # Who shares a grace period
//!
//! A caller of [`synchronize`](crate::Flavor::synchronize) that is served by another's grace period has unlinked before it took the lock in which it read
//! the number *s* of the newest one; the grace period *s* + 1 was begun under the same lock later. So its W1 happens before the driver's W2, and the argument
//! holds. The driver marks the end under the lock as well, so all that readers did happens before the caller goes on.
//!
//! What [`call`](crate::Flavor::call) defers is pushed with Release and taken with Acquire before the grace period is begun.
//!
//! # Registration
//!
//! A slot is pushed onto the list, or claimed again, before R2. A scan that does not find it is the second case: W4 did not see R2.
//!
//! # QSBR
//!
//! A quiescent state is R5, R1, R2 and a full fence at once: one Release store. If the newest word has not changed it does nothing: no grace period has begun
//! since the last one, so nobody waits. Going offline is R5, coming online R1 to R3.
//!
//! # Epoch and the kernel
//!
//! [`Epoch`](crate::flavor::epoch::Epoch) defers a function with `crossbeam-epoch` and takes its running for the end of a grace period: it runs only after the epoch
//! has advanced twice, and a pinned thread keeps it from advancing more than once. The [`Kernel`](crate::flavor::kernel::Kernel) flavor has the kernel's guarantee
//! (`Documentation/RCU/Design/Requirements`).
//!
//! # How it is checked
//!
//! Models of these steps run under [loom](https://docs.rs/loom), with every interleaving up to a number of preemptions. The store-buffering litmus runs a million
//! rounds on real processors through [`start_poll`](crate::Domain::start_poll). A torture test ages removed objects as the kernel's `rcutorture` does. Miri and
//! ThreadSanitizer run the rest. Each of these is run against a build with the barriers or the waiting taken out, and must fail there.
