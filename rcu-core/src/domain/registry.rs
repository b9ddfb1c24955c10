//! The slots of a domain's readers: a list that only grows, in which slots are claimed and released.
//!
//! There are as many slots as readers were ever registered at the same time.

use alloc::boxed::Box;
use core::ptr::{NonNull, null_mut};

use crate::domain::slot::{Id, Slot};
use crate::domain::stall::tid;
use crate::sync::{AtomicPtr, AtomicU64, Ordering, thread_token};

/// # Invariants
///
/// `newest_slot` leads through `older` to null over boxed slots, which are freed with the registry alone.
pub(crate) struct Registry {
    pub(crate) domain: Id,
    newest_slot: AtomicPtr<Slot>,
}

impl Registry {
    pub(crate) fn new(domain: Id) -> Self {
        Self { domain, newest_slot: AtomicPtr::new(null_mut()) }
    }

    /// Claims a slot for the calling thread.
    ///
    /// # Safety
    ///
    /// `newest` outlives the registry, and is the same in every call.
    pub(crate) unsafe fn claim(&self, newest: NonNull<AtomicU64>, fenced: bool) -> &Slot {
        let (owner, tid) = (thread_token(), tid());
        if let Some(slot) = self.slots().find(|slot| slot.claim(fenced, owner, tid)) {
            return slot;
        }
        let slot = NonNull::from(Box::leak(Box::new(Slot::new(newest, self.domain))));
        // SAFETY: slots are freed with the registry.
        let slot_ref = unsafe { slot.as_ref() };
        slot_ref.claim(fenced, owner, tid);
        let mut older = self.newest_slot.load(Ordering::Relaxed);
        loop {
            slot_ref.older.store(older, Ordering::Relaxed);
            match self.newest_slot.compare_exchange_weak(older, slot.as_ptr(), Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return slot_ref,
                Err(newer) => older = newer,
            }
        }
    }

    /// All slots, whether claimed or not.
    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        let mut at = self.newest_slot.load(Ordering::Acquire);
        core::iter::from_fn(move || {
            // SAFETY: null or a slot of this registry (type invariant), complete by Acquire.
            let slot = unsafe { at.as_ref() }?;
            at = slot.older.load(Ordering::Relaxed);
            Some(slot)
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let mut at = self.newest_slot.load(Ordering::Relaxed);
        while let Some(slot) = NonNull::new(at) {
            // SAFETY: a boxed slot of this registry (type invariant), which nobody uses any more.
            let slot = unsafe { Box::from_raw(slot.as_ptr()) };
            at = slot.older.load(Ordering::Relaxed);
        }
    }
}
