//! A reader's slot: the word in which one thread says that it is in a read-side critical section, and since when.

use core::ptr::NonNull;

use crate::domain::barrier;
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// The bits of a word that count nested sections.
const NESTING: u64 = (1 << 14) - 1;
/// The slot's owner uses full fences.
const FENCED: u64 = 1 << 14;
/// The slot is nobody's, once its last section has ended.
const FREE: u64 = 1 << 15;
/// All that is not the number of the grace period.
const LOW: u64 = (1 << PERIOD) - 1;
/// Where the number of the newest grace period at the section's beginning starts.
const PERIOD: u32 = 16;

/// Which domain a slot is of. No two domains of a process have the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) u64);

/// The word of an outermost section that begins when grace period `number` is the newest.
pub(crate) const fn section_of(number: u64) -> u64 {
    number << PERIOD | 1
}

/// One reader's place in a domain; a pair of cache lines of its own, since only its reader writes it.
///
/// # Invariants
///
/// - Every store to `word` is a Release, so that whichever one a scan reads, it comes after the sections before.
/// - `word` is written by the thread that claimed the slot, and by others only where it says that the slot is free, or where that thread cannot run
///   (the child of a fork).
/// - A word whose nesting count is zero means "in no section", whatever its number; one with a nesting count has the number of the
///   domain's `newest` as it was when the section began, or an older one.
/// - `newest` points into the domain's core, which owns the slot; in the slot of nobody, which is never entered, it dangles.
#[repr(align(128))]
pub(crate) struct Slot {
    word: AtomicU64,
    /// The word of a section that begins now.
    newest: NonNull<AtomicU64>,
    domain: Id,
    /// The slot made before this one.
    pub(crate) older: AtomicPtr<Slot>,
    owner: AtomicUsize,
    tid: AtomicU32,
}

// SAFETY: `newest` points to an atomic; all else is atomic too.
unsafe impl Send for Slot {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

impl Slot {
    /// A free slot. `newest` outlives it.
    pub(crate) fn new(newest: NonNull<AtomicU64>, domain: Id) -> Self {
        Self {
            word: AtomicU64::new(FREE),
            newest,
            domain,
            older: AtomicPtr::new(core::ptr::null_mut()),
            owner: AtomicUsize::new(0),
            tid: AtomicU32::new(0),
        }
    }

    /// A slot that is in no domain; its word is such that no section is [entered as the outermost](Slot::enter_outermost).
    #[cfg(all(feature = "membarrier", not(loom)))]
    pub(crate) const fn nobody() -> Self {
        Self {
            word: AtomicU64::new(FREE),
            newest: NonNull::dangling(),
            domain: Id(u64::MAX),
            older: AtomicPtr::new(core::ptr::null_mut()),
            owner: AtomicUsize::new(0),
            tid: AtomicU32::new(0),
        }
    }

    /// Claims the slot if it is free.
    pub(crate) fn claim(&self, fenced: bool, owner: usize, tid: u32) -> bool {
        let word = self.word.load(Ordering::Relaxed);
        let idle = if fenced { FENCED } else { 0 };
        let free = word & (FREE | NESTING) == FREE
            // Acquire pairs with the Release of whoever had the slot before: its sections are over, and this thread's words come after.
            && self.word.compare_exchange(word, idle, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if free {
            self.owner.store(owner, Ordering::Relaxed);
            self.tid.store(tid, Ordering::Relaxed);
        }
        free
    }

    /// Makes the slot free, now or with the end of the section that its thread is still in.
    pub(crate) fn release(&self) {
        let word = self.word.load(Ordering::Relaxed);
        self.word.store(word | FREE, Ordering::Release);
    }

    /// Begins a section, or one inside another. Only the thread that claimed the slot may call it.
    #[inline]
    pub(crate) fn enter(&self) {
        if !self.enter_outermost(self.newest()) {
            self.enter_rarely();
        }
    }

    /// Begins a section if that is the common case: the slot is in none, and has no flags. `newest` is the slot's own.
    #[inline]
    pub(crate) fn enter_outermost(&self, newest: &AtomicU64) -> bool {
        let common = self.word.load(Ordering::Relaxed) & LOW == 0;
        if common {
            self.begin(newest, false);
        }
        common
    }

    /// Ends a section that [`enter`](Slot::enter) began.
    ///
    /// Without a branch, which would come right after the one that ends a walk, and is foreseen no better.
    #[inline]
    pub(crate) fn leave(&self) {
        // Release pairs with the Acquire of `holds_back`: the section's reads are over before the object is reclaimed.
        self.word.store(self.word.load(Ordering::Relaxed) - 1, Ordering::Release);
    }

    /// Begins a section that holds no other, in a slot that is used for such only; `newest` is the slot's own.
    #[inline]
    pub(crate) fn begin(&self, newest: &AtomicU64, fenced: bool) {
        self.begin_with(newest, 0);
        if fenced {
            barrier::full();
        } else {
            barrier::light();
        }
    }

    /// Ends what [`begin`](Slot::begin) began.
    #[inline]
    pub(crate) fn end(&self) {
        // Release as in `leave`.
        self.word.store(0, Ordering::Release);
    }

    /// Whether a section that [`begin`](Slot::begin) began would begin with the same word now.
    #[inline]
    #[cfg(feature = "qsbr")]
    pub(crate) fn is_newest(&self) -> bool {
        self.word.load(Ordering::Relaxed) == self.newest().load(Ordering::Acquire)
    }

    #[inline]
    fn begin_with(&self, newest: &AtomicU64, flags: u64) {
        // Acquire pairs with the Release of `GracePeriods::begin`: who begins under a number sees what was unlinked before it.
        let begun = newest.load(Ordering::Acquire);
        self.word.store(begun | flags, Ordering::Release);
    }

    #[cold]
    #[inline(never)]
    fn enter_rarely(&self) {
        let word = self.word.load(Ordering::Relaxed);
        if word & NESTING == 0 {
            self.begin_with(self.newest(), word & FENCED);
            if word & FENCED == 0 {
                barrier::light();
            } else {
                barrier::full();
            }
        } else {
            assert!(word & NESTING < NESTING, "read-side critical sections are nested more than {NESTING} deep");
            self.word.store(word + 1, Ordering::Release);
        }
    }

    /// Whether the slot's reader is in a section that began before grace period `number`.
    pub(crate) fn holds_back(&self, number: u64) -> bool {
        let word = self.word.load(Ordering::Acquire);
        word & NESTING != 0 && word >> PERIOD < number
    }

    /// Whether `thread` is in a section of this slot.
    pub(crate) fn is_entered_by(&self, thread: usize) -> bool {
        // Acquire: the owner that is read is not an earlier one than that which entered.
        self.word.load(Ordering::Acquire) & NESTING != 0 && self.owner.load(Ordering::Relaxed) == thread
    }

    /// The kernel's number of the thread that claimed the slot.
    pub(crate) fn tid(&self) -> u32 {
        self.tid.load(Ordering::Relaxed)
    }

    /// In the child of a fork, where `thread` alone lives on as `tid`: frees the slot of a thread that is gone.
    #[cfg(not(loom))]
    pub(crate) fn after_fork(&self, thread: usize, tid: u32) {
        if self.owner.load(Ordering::Relaxed) == thread {
            self.tid.store(tid, Ordering::Relaxed);
        } else {
            self.word.store(FREE, Ordering::Release);
        }
    }

    /// The domain that the slot is of.
    #[inline]
    pub(crate) fn domain(&self) -> Id {
        self.domain
    }

    /// Where the word of a section that begins now is read.
    #[inline]
    pub(crate) fn newest(&self) -> &AtomicU64 {
        // SAFETY: `newest` points into the core that owns this slot (type invariant).
        unsafe { self.newest.as_ref() }
    }
}
