//! Read guards, and the explicitly registered reader.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;

use crate::domain::Domain;
use crate::domain::slot::Slot;
use crate::sync::AtomicU64;

/// A read-side critical section of a [`Domain`].
///
/// Sections nest, and may end in any order. A guard that is forgotten holds back every later grace period.
///
/// # Invariants
///
/// The calling thread is in a section of `slot` that nothing but this guard ends.
#[must_use = "the read-side critical section ends when the guard is dropped"]
pub struct Guard<'a> {
    pub(crate) slot: &'a Slot,
    // A raw pointer: the section is the thread's own.
    _not_send: PhantomData<*mut ()>,
}

impl<'a> Guard<'a> {
    /// Enters a section.
    ///
    /// # Safety
    ///
    /// The calling thread claimed `slot` and has not released it.
    #[inline]
    pub(crate) unsafe fn enter(slot: &'a Slot) -> Self {
        slot.enter();
        // SAFETY: entered just now.
        unsafe { Self::of_entered(slot) }
    }

    /// The guard of a section that was just entered.
    ///
    /// # Safety
    ///
    /// The calling thread is in a section of `slot` that no other guard ends.
    #[inline]
    pub(crate) unsafe fn of_entered(slot: &'a Slot) -> Self {
        Self { slot, _not_send: PhantomData }
    }

    /// Enters the only section of a slot, which is free once it has ended.
    ///
    /// # Safety
    ///
    /// The calling thread has claimed `slot` just now, and uses it for nothing else.
    pub(crate) unsafe fn of_one_section(slot: &'a Slot) -> Self {
        // SAFETY: claimed by this thread (contract), and released only for when the section has ended.
        let guard = unsafe { Self::enter(slot) };
        slot.release();
        guard
    }

    /// A guard of a section that somebody else ends; not to be dropped.
    #[inline]
    pub(crate) fn borrowed(slot: &'a Slot) -> ManuallyDrop<Self> {
        ManuallyDrop::new(Self { slot, _not_send: PhantomData })
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.slot.leave();
    }
}

impl fmt::Debug for Guard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

/// A reader that is registered by hand: its sections need no thread-local lookup and no nesting count.
///
/// For the hottest loops. A handle stays on the thread that made it; dropping it unregisters.
///
/// ```
/// use rcu_core::{RcuPtr, flavor::membarrier::Membarrier};
///
/// let limit = RcuPtr::new(Membarrier, Some(10));
/// let mut reader = Membarrier::domain().handle();
/// for _ in 0..1_000 {
///     let guard = reader.read_lock();
///     assert_eq!(limit.dereference(&guard), Some(&10));
/// }
/// ```
///
/// One section at a time:
///
/// ```compile_fail,E0499
/// # use rcu_core::flavor::membarrier::Membarrier;
/// let mut reader = Membarrier::domain().handle();
/// let (one, two) = (reader.read_lock(), reader.read_lock());
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail,E0277
/// # use rcu_core::flavor::membarrier::Membarrier;
/// let reader = Membarrier::domain().handle();
/// std::thread::spawn(move || drop(reader));
/// ```
///
/// # Invariants
///
/// The calling thread claimed `slot` for this handle alone.
pub struct Handle<'d> {
    slot: &'d Slot,
    newest: &'d AtomicU64,
    fenced: bool,
    _not_send: PhantomData<*mut ()>,
}

impl<'d> Handle<'d> {
    /// Registers the calling thread once more.
    // Inlined, as the drop is: a handle whose address is never taken lives in registers.
    #[inline]
    pub(crate) fn new(domain: &'d Domain) -> Self {
        let slot = domain.claim();
        Self { slot, newest: slot.newest(), fenced: domain.is_fenced(), _not_send: PhantomData }
    }

    /// Enters a read-side critical section.
    #[inline]
    pub fn read_lock(&mut self) -> HandleGuard<'_> {
        self.slot.begin(self.newest, self.fenced);
        HandleGuard { guard: Guard::borrowed(self.slot) }
    }
}

impl Drop for Handle<'_> {
    #[inline]
    fn drop(&mut self) {
        // Its last guard may have been forgotten.
        self.slot.end();
        self.slot.release();
    }
}

impl fmt::Debug for Handle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

/// A read-side critical section of a [`Handle`]; usable wherever a [`Guard`] is.
#[must_use = "the read-side critical section ends when the guard is dropped"]
#[derive(Debug)]
pub struct HandleGuard<'h> {
    guard: ManuallyDrop<Guard<'h>>,
}

impl<'h> Deref for HandleGuard<'h> {
    type Target = Guard<'h>;

    #[inline]
    fn deref(&self) -> &Guard<'h> {
        &self.guard
    }
}

impl Drop for HandleGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.guard.slot.end();
    }
}
