//! Domains: readers, the grace periods that wait for them, and what is deferred until then.
//!
//! Sections of one domain do not hold back the grace periods of another.

use core::fmt;
use core::ptr::NonNull;
use std::time::Duration;

use crate::callbacks::{self, Callbacks};
use crate::domain::grace_period::{GracePeriods, Number};
use crate::domain::slot::{Id, Slot};
use crate::domain::stall::StallHook;
use crate::flavor::{Callback, Flavor, RcuHead};
use crate::sync::{Arc, AtomicBool, Ordering};

mod barrier;
#[cfg(not(loom))]
mod fork;
mod grace_period;
mod guard;
#[cfg(not(loom))]
pub(crate) mod local;
mod registry;
pub(crate) mod slot;
mod stall;

pub use barrier::Strategy;
pub use guard::{Guard, Handle, HandleGuard};
pub use stall::Stall;

/// What a [`Domain`] is made with.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How readers are ordered against grace periods; [`Strategy::Membarrier`] falls back to [`Strategy::Fence`] where the process has no
    /// `membarrier(2)`. By default [`Strategy::of_process`].
    pub strategy: Strategy,
    /// How many objects may be deferred and not yet reclaimed before [`call`](Flavor::call) waits. By default 16,384; at least 1.
    pub bound: usize,
    /// How long a grace period waits for one reader before `on_stall` is called, and before each further time. By default 21 s, as the
    /// kernel's `rcu_cpu_stall_timeout`.
    pub stall_after: Duration,
    /// Called by the thread that waits. By default it prints one line on the standard error.
    pub on_stall: fn(&Stall),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            strategy: Strategy::of_process(),
            bound: callbacks::BOUND,
            stall_after: Duration::from_secs(21),
            on_stall: stall::print,
        }
    }
}

/// A separate RCU domain of user space.
///
/// As a [`Flavor`] it registers each thread by itself, with the thread's first section, until the thread ends. The hottest readers take a
/// [`handle`](Domain::handle), or announce quiescent states ([`register`](Domain::register)). All three may read in one domain.
///
/// [`call`](Flavor::call) is what a writer does its share of reclamation in: it runs what is due, on the caller's thread. At the
/// [bound](Domain::set_bound) it waits for a grace period. Inside an own section, or in a callback, it cannot wait; such a caller exceeds the bound.
/// So W writers leave at most `bound + W - 1` objects unreclaimed.
///
/// ```
/// use rcu_core::{Domain, Flavor, RcuPtr};
///
/// let domain = Domain::new();
/// let config = RcuPtr::new(&domain, Some("old"));
/// config.replace(Some("new"));
/// assert_eq!(domain.unreclaimed(), 1);
/// domain.barrier();
/// assert_eq!(domain.unreclaimed(), 0);
/// ```
///
/// A guard stays on its thread, and does not outlive its domain:
///
/// ```compile_fail,E0277
/// # use rcu_core::{Domain, Flavor};
/// let domain = Domain::new();
/// let guard = domain.read_lock();
/// std::thread::scope(|scope| { scope.spawn(move || drop(guard)); });
/// ```
///
/// ```compile_fail,E0505
/// # use rcu_core::{Domain, Flavor};
/// let domain = Domain::new();
/// let guard = domain.read_lock();
/// drop(domain);
/// drop(guard);
/// ```
pub struct Domain {
    core: Arc<Core>,
}

/// The process-wide domains have fixed numbers, so that their guards are told by one comparison.
#[cfg(feature = "membarrier")]
pub(crate) const MEMBARRIER_ID: Id = Id(0);
#[cfg(feature = "qsbr")]
pub(crate) const QSBR_ID: Id = Id(1);
const FIRST_ID: u64 = 2;

/// What the threads of a domain share; it stays where it is, since slots point into it.
pub(crate) struct Core {
    pub(crate) grace_periods: GracePeriods,
    pub(crate) callbacks: Callbacks<Number>,
    dropped: AtomicBool,
}

impl Core {
    /// Whether only readers of threads that have not noticed are left of the domain.
    pub(crate) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// A grace period that was started: [`Domain::start_poll`].
#[derive(Clone, Copy, Debug)]
pub struct Cookie<'d> {
    number: Number,
    domain: &'d Domain,
}

impl Domain {
    /// A domain with the default [`Options`].
    pub fn new() -> Self {
        Self::with_options(Options::default())
    }

    /// A domain with options of its own.
    ///
    /// ```
    /// use rcu_core::{Domain, domain::{Options, Strategy}};
    ///
    /// let mut options = Options::default();
    /// options.strategy = Strategy::Fence;
    /// options.bound = 100;
    /// assert_eq!(Domain::with_options(options).strategy(), Strategy::Fence);
    /// ```
    pub fn with_options(options: Options) -> Self {
        static NEXT: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(FIRST_ID);
        Self::with_id(Id(NEXT.fetch_add(1, Ordering::Relaxed)), options)
    }

    /// A domain that no other has the number of.
    pub(crate) fn with_id(id: Id, options: Options) -> Self {
        let strategy = match options.strategy {
            Strategy::Membarrier => Strategy::of_process(),
            Strategy::Fence => Strategy::Fence,
        };
        let stall = StallHook { after: options.stall_after, hook: options.on_stall };
        let core = Arc::new(Core {
            grace_periods: GracePeriods::new(id, strategy, stall),
            callbacks: Callbacks::new(),
            dropped: AtomicBool::new(false),
        });
        core.callbacks.set_bound(options.bound);
        #[cfg(not(loom))]
        fork::watch(&core);
        Self { core }
    }

    /// How this domain orders its readers.
    pub fn strategy(&self) -> Strategy {
        self.core.grace_periods.strategy
    }

    /// Registers the calling thread as a reader by hand.
    #[inline]
    pub fn handle(&self) -> Handle<'_> {
        Handle::new(self)
    }

    /// Registers the calling thread as a reader that announces quiescent states.
    #[cfg(feature = "qsbr")]
    pub fn register(&self) -> crate::flavor::qsbr::Reader<'_> {
        crate::flavor::qsbr::Reader::new(self)
    }

    /// Starts a grace period without waiting: the kernel's `start_poll_synchronize_rcu()`.
    ///
    /// ```
    /// use rcu_core::{Domain, Flavor};
    ///
    /// let domain = Domain::new();
    /// let guard = domain.read_lock();
    /// let cookie = domain.start_poll();
    /// assert!(!domain.poll(&cookie));
    /// drop(guard);
    /// assert!(domain.poll(&cookie));
    /// ```
    pub fn start_poll(&self) -> Cookie<'_> {
        Cookie { number: self.core.grace_periods.start(), domain: self }
    }

    /// Whether the grace period has passed: the kernel's `poll_state_synchronize_rcu()`.
    ///
    /// # Panics
    ///
    /// When the cookie is of another domain.
    pub fn poll(&self, cookie: &Cookie<'_>) -> bool {
        assert!(core::ptr::eq(self, cookie.domain), "the grace period is another RCU domain's");
        self.core.grace_periods.poll(cookie.number)
    }

    /// How many grace periods have passed, those included that nobody has asked about but a later one has passed.
    pub fn grace_periods(&self) -> u64 {
        self.core.grace_periods.completed()
    }

    /// How many objects are deferred and not yet reclaimed.
    pub fn unreclaimed(&self) -> usize {
        self.core.callbacks.unreclaimed()
    }

    /// How many may be before a writer waits.
    pub fn bound(&self) -> usize {
        self.core.callbacks.bound()
    }

    /// Sets how many objects may be deferred and not yet reclaimed before a writer waits; at least 1.
    ///
    /// Writers that wait for their turn see a larger one at once; the one that waits for a grace period goes on waiting.
    pub fn set_bound(&self, bound: usize) {
        self.core.callbacks.set_bound(bound);
    }

    /// Sets what is called when a grace period has waited so long for one reader, and each further time that it has.
    ///
    /// The hook runs on the thread that waits, for grace periods that begin after the call. It must not wait for a grace period of this
    /// domain itself.
    pub fn set_stall_hook(&self, after: Duration, hook: fn(&Stall)) {
        self.core.grace_periods.state().stall = StallHook { after, hook };
    }

    #[cfg(all(feature = "membarrier", not(loom)))]
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn is_fenced(&self) -> bool {
        self.strategy() == Strategy::Fence
    }

    /// Claims a slot for the calling thread, which releases it.
    pub(crate) fn claim(&self) -> &Slot {
        self.core.grace_periods.claim()
    }

    /// Waits for room below the bound, where the calling thread is in no section.
    #[cfg(feature = "qsbr")]
    pub(crate) fn help_if_full(&self) {
        if self.is_full() {
            self.core.callbacks.help(&self.core.grace_periods);
        }
    }

    #[inline]
    #[cfg(feature = "qsbr")]
    pub(crate) fn is_full(&self) -> bool {
        self.core.callbacks.is_full()
    }
}

impl Default for Domain {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        self.core.dropped.store(true, Ordering::Relaxed);
        // SAFETY: guards borrow the domain, so no section is left whose references are.
        unsafe { self.core.callbacks.run_without_readers() };
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("strategy", &self.strategy()).finish_non_exhaustive()
    }
}

// SAFETY: the doc module `memory_ordering` has the argument. In short: a section's word is stored before its reads, by a barrier that pairs
// with the one between unlinking and the scan; and its end is a Release that the scan Acquires. Guards are not `Send`.
unsafe impl Flavor for Domain {
    type Guard<'a> = Guard<'a>;

    #[cfg(not(loom))]
    fn read_lock(&self) -> Guard<'_> {
        local::read_lock(&self.core)
    }

    #[cfg(loom)]
    fn read_lock(&self) -> Guard<'_> {
        // SAFETY: claimed for this section.
        unsafe { Guard::of_one_section(self.claim()) }
    }

    #[inline]
    fn owns(&self, guard: &Guard<'_>) -> bool {
        self.core.grace_periods.owns(guard.slot)
    }

    fn synchronize(&self) {
        self.core.grace_periods.synchronize();
    }

    unsafe fn call(&self, head: NonNull<RcuHead>, callback: Callback) {
        // SAFETY: the caller's contract.
        unsafe { self.core.callbacks.call(&self.core.grace_periods, head, callback) };
    }

    fn barrier(&self) {
        self.core.callbacks.barrier(&self.core.grace_periods);
    }
}

impl callbacks::Polled for GracePeriods {
    type Cookie = Number;

    fn start(&self) -> Number {
        GracePeriods::start(self)
    }

    fn poll(&self, number: &Number) -> bool {
        GracePeriods::poll(self, *number)
    }

    fn synchronize(&self) {
        GracePeriods::synchronize(self);
    }

    fn in_section(&self) -> bool {
        GracePeriods::in_section(self)
    }
}
