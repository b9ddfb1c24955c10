//! The readers that a thread is registered as without asking for it: one a domain, until the thread ends.

#[cfg(feature = "membarrier")]
use core::cell::Cell;
use core::cell::RefCell;
use core::ptr::NonNull;
use std::vec::Vec;

use crate::domain::Core;
#[cfg(feature = "membarrier")]
use crate::domain::grace_period::of_process;
use crate::domain::guard::Guard;
use crate::domain::slot::Slot;
#[cfg(feature = "membarrier")]
use crate::flavor::membarrier::Membarrier;
use crate::sync::Arc;

std::thread_local! {
    /// The slot of the process-wide domain, found without a search; [`NOBODY`] before the first section, and when the thread ends.
    #[cfg(feature = "membarrier")]
    static DEFAULT: Cell<*const Slot> = const { Cell::new(&raw const NOBODY) };
    static READERS: RefCell<Readers> = const { RefCell::new(Readers(Vec::new())) };
}

/// Stands for no slot, in a way that costs the fast path no comparison of its own.
#[cfg(feature = "membarrier")]
static NOBODY: Slot = Slot::nobody();

/// The calling thread's readers.
///
/// # Invariants
///
/// The thread claimed each slot, from the core beside it, and releases it when it ends.
struct Readers(Vec<(Arc<Core>, NonNull<Slot>)>);

impl Drop for Readers {
    fn drop(&mut self) {
        #[cfg(feature = "membarrier")]
        DEFAULT.set(&raw const NOBODY);
        for (_core, slot) in &self.0 {
            // SAFETY: the core owns the slot and is alive.
            unsafe { slot.as_ref() }.release();
        }
    }
}

/// Enters a section of the process-wide domain.
#[cfg(feature = "membarrier")]
#[inline]
pub(crate) fn read_lock_default() -> Guard<'static> {
    // SAFETY: the slot of nobody, or one of the process-wide domain, which is never dropped.
    let slot: &'static Slot = unsafe { &*DEFAULT.get() };
    if slot.enter_outermost(of_process()) {
        // SAFETY: entered just now. This thread claimed the slot, since that of nobody is never entered.
        unsafe { Guard::of_entered(slot) }
    } else {
        read_lock_default_rarely(slot)
    }
}

#[cfg(feature = "membarrier")]
#[cold]
#[inline(never)]
fn read_lock_default_rarely(slot: &'static Slot) -> Guard<'static> {
    if !core::ptr::eq(slot, &NOBODY) {
        // SAFETY: this thread claimed the slot, and resets `DEFAULT` before it releases it.
        return unsafe { Guard::enter(slot) };
    }
    let guard = read_lock(Membarrier::domain().core());
    // A section's own slot does not last.
    if READERS.try_with(|readers| readers.try_borrow().is_ok_and(|readers| readers.has(guard.slot))).unwrap_or(false) {
        DEFAULT.set(guard.slot);
    }
    guard
}

/// Enters a section of a domain.
pub(crate) fn read_lock(core: &Arc<Core>) -> Guard<'_> {
    match READERS.try_with(|readers| Readers::slot_of(readers, core)) {
        // SAFETY: this thread claimed the slot when it registered; the core owns it, and the caller's domain keeps that for the
        // guard's lifetime.
        Ok(Some(slot)) => unsafe { Guard::enter(slot.as_ref()) },
        // SAFETY: claimed for this section.
        Ok(None) | Err(_) => unsafe { Guard::of_one_section(core.grace_periods.claim()) },
    }
}

impl Readers {
    /// The thread's slot of a domain, registered with the first section; `None` in a signal handler that interrupts a registration.
    fn slot_of(readers: &RefCell<Self>, core: &Arc<Core>) -> Option<NonNull<Slot>> {
        let found = readers.try_borrow().ok()?.find(core);
        found.or_else(|| Some(readers.try_borrow_mut().ok()?.register(core)))
    }

    fn find(&self, core: &Arc<Core>) -> Option<NonNull<Slot>> {
        self.0.iter().find(|(of, _)| Arc::ptr_eq(of, core)).map(|(_, slot)| *slot)
    }

    #[cfg(feature = "membarrier")]
    fn has(&self, slot: &Slot) -> bool {
        self.0.iter().any(|(_, of)| core::ptr::eq(of.as_ptr(), slot))
    }

    fn register(&mut self, core: &Arc<Core>) -> NonNull<Slot> {
        self.0.retain(|(core, _)| !core.is_dropped());
        let slot = NonNull::from(core.grace_periods.claim());
        // INVARIANT: claimed from this very core.
        self.0.push((Arc::clone(core), slot));
        slot
    }
}
