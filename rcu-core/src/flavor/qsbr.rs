//! Quiescent-state-based reclamation: reading is free, and each thread says now and then that it holds nothing.
//!
//! The borrow checker sees that it tells the truth: a guard borrows its reader, and a quiescent state needs the reader whole.

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;
#[cfg(not(loom))]
use core::ptr::NonNull;
#[cfg(not(loom))]
use std::sync::LazyLock;

use super::Flavor;
#[cfg(not(loom))]
use super::{Callback, RcuHead};
use crate::domain::slot::Slot;
use crate::domain::{Domain, Guard};
#[cfg(not(loom))]
use crate::domain::{Options, QSBR_ID, Strategy};

#[cfg(not(loom))]
static DOMAIN: LazyLock<Domain> =
    LazyLock::new(|| Domain::with_id(QSBR_ID, Options { strategy: Strategy::Fence, ..Options::default() }));

/// The process-wide domain of readers that announce quiescent states.
///
/// As a [`Flavor`] it serves threads that are not registered as well: their sections pay two full fences' worth, as
/// [`Strategy::Fence`] does. A registered thread reads through its [`Reader`].
///
/// ```
/// use rcu_core::{Flavor, RcuPtr, flavor::qsbr::Qsbr};
///
/// let config = RcuPtr::new(Qsbr, Some(1));
/// let mut reader = Qsbr::register();
/// let guard = reader.read_lock();
/// assert_eq!(config.dereference(&guard), Some(&1));
/// reader.quiescent_state();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Qsbr;

#[cfg(not(loom))]
impl Qsbr {
    /// The domain itself, with its bound, its stall hook and its counts.
    #[inline]
    pub fn domain() -> &'static Domain {
        &DOMAIN
    }

    /// Registers the calling thread: it holds grace periods back from now on, except while it announces that it does not.
    pub fn register() -> Reader<'static> {
        Self::domain().register()
    }
}

// SAFETY: all is the domain's, which is a flavor.
#[cfg(not(loom))]
unsafe impl Flavor for Qsbr {
    type Guard<'a> = Guard<'a>;

    fn read_lock(&self) -> Guard<'_> {
        Self::domain().read_lock()
    }

    #[inline]
    fn owns(&self, guard: &Guard<'_>) -> bool {
        guard.slot.domain() == QSBR_ID
    }

    fn synchronize(&self) {
        Self::domain().synchronize();
    }

    unsafe fn call(&self, head: NonNull<RcuHead>, callback: Callback) {
        // SAFETY: the caller's contract.
        unsafe { Self::domain().call(head, callback) };
    }

    fn barrier(&self) {
        Self::domain().barrier();
    }
}

/// A registered reader: *online*, so that it holds grace periods back, from its registration to its drop.
///
/// It must call [`quiescent_state`](Reader::quiescent_state) now and then, and go [`offline`](Reader::offline) before it waits for long. It
/// counts as a reader in a section all the time, so its thread's [`Flavor::synchronize`] panics: it has
/// [`synchronize`](Reader::synchronize) of its own. Nor can its thread wait in [`Flavor::call`]: it does its share of reclamation at the bound when it
/// announces a quiescent state.
///
/// What it holds must be given back before a quiescent state:
///
/// ```compile_fail,E0502
/// # use rcu_core::{RcuPtr, flavor::qsbr::Qsbr};
/// let config = RcuPtr::new(Qsbr, Some(1));
/// let mut reader = Qsbr::register();
/// let guard = reader.read_lock();
/// let value = config.dereference(&guard);
/// reader.quiescent_state();
/// let _ = value.is_some();
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail,E0277
/// # use rcu_core::flavor::qsbr::Qsbr;
/// let reader = Qsbr::register();
/// std::thread::spawn(move || drop(reader));
/// ```
///
/// # Invariants
///
/// The calling thread claimed `slot` for this reader alone, and is in a section of it whenever a guard can exist.
pub struct Reader<'d> {
    domain: &'d Domain,
    slot: &'d Slot,
    _not_send: PhantomData<*mut ()>,
}

impl<'d> Reader<'d> {
    pub(crate) fn new(domain: &'d Domain) -> Self {
        let slot = domain.claim();
        slot.begin(slot.newest(), true);
        // INVARIANT: claimed and begun just now.
        Self { domain, slot, _not_send: PhantomData }
    }

    /// Enters a read-side critical section, which costs nothing.
    #[inline]
    pub fn read_lock(&self) -> ReaderGuard<'_> {
        ReaderGuard { guard: Guard::borrowed(self.slot) }
    }

    /// Says that this thread holds no reference: `rcu_quiescent_state()`.
    ///
    /// Helps to reclaim, and so may wait, where the domain's bound is reached.
    #[inline]
    pub fn quiescent_state(&mut self) {
        // Where no grace period has started since, nobody waits to hear it.
        if !self.slot.is_newest() {
            self.slot.begin(self.slot.newest(), true);
        }
        if self.domain.is_full() {
            self.offline(|| ());
        }
    }

    /// Runs something that may take long, such as a wait, while no grace period waits for this thread: `rcu_thread_offline()`.
    ///
    /// Helps to reclaim before it comes back, where the domain's bound is reached.
    pub fn offline<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.slot.end();
        let _online = Online(self.slot);
        let result = work();
        self.domain.help_if_full();
        result
    }

    /// Waits until every section and every registered reader has ended or been quiescent, this one not counted.
    pub fn synchronize(&mut self) {
        let domain = self.domain;
        self.offline(|| domain.synchronize());
    }
}

/// Goes online again, also when the work panics.
struct Online<'a>(&'a Slot);

impl Drop for Online<'_> {
    fn drop(&mut self) {
        self.0.begin(self.0.newest(), true);
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        self.slot.end();
        self.slot.release();
    }
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

/// A read-side critical section of a [`Reader`]; usable wherever a [`Guard`] is.
#[derive(Debug)]
pub struct ReaderGuard<'r> {
    guard: ManuallyDrop<Guard<'r>>,
}

impl<'r> Deref for ReaderGuard<'r> {
    type Target = Guard<'r>;

    #[inline]
    fn deref(&self) -> &Guard<'r> {
        &self.guard
    }
}
