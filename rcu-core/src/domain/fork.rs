//! fork(2) in a process with many threads: the child has one thread, and can use every domain.
//!
//! Before a fork the short locks of all domains are taken, so that the child finds them free and their data whole. In the child the
//! readers of threads that are gone have left their sections, and what those threads were waiting for is nobody's any more.

use core::cell::RefCell;
use core::mem;
use std::sync::{Mutex, MutexGuard, Once, PoisonError, Weak};
use std::vec::Vec;

use crate::callbacks;
use crate::domain::{Core, grace_period};
use crate::sync::Arc;

/// All domains, and some that were dropped.
static CORES: Mutex<Vec<Weak<Core>>> = Mutex::new(Vec::new());

std::thread_local! {
    /// What the thread that forks has locked.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

struct Held {
    cores: Vec<HeldCore>,
    _registered: MutexGuard<'static, Vec<Weak<Core>>>,
}

type CallbacksGuard<'a> = MutexGuard<'a, callbacks::State<grace_period::Number>>;
type GracePeriodsGuard<'a> = MutexGuard<'a, grace_period::State>;

/// # Invariants
///
/// The guards are of the core's own locks. They are dropped before it: fields are dropped in the order in which they stand here.
struct HeldCore {
    callbacks: CallbacksGuard<'static>,
    grace_periods: GracePeriodsGuard<'static>,
    core: Arc<Core>,
}

/// Makes forks take care of a domain from now on.
pub(crate) fn watch(core: &Arc<Core>) {
    static HANDLERS: Once = Once::new();
    // Miri knows no fork.
    if cfg!(not(miri)) {
        HANDLERS.call_once(|| {
            // SAFETY: the handlers are functions of this program, which takes no part of itself out.
            let status = unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
            assert_eq!(status, 0, "pthread_atfork(3): no memory");
        });
    }
    let mut cores = registered();
    cores.retain(|core| core.strong_count() > 0);
    cores.push(Arc::downgrade(core));
}

fn registered() -> MutexGuard<'static, Vec<Weak<Core>>> {
    CORES.lock().unwrap_or_else(PoisonError::into_inner)
}

unsafe extern "C" fn before() {
    let registered = registered();
    let cores = registered.iter().filter_map(Weak::upgrade).map(HeldCore::lock).collect();
    let held = Held { cores, _registered: registered };
    // A thread that is ending has no place to hold them: then its child has what the parent's other threads left.
    let _ = HELD.try_with(|place| place.replace(Some(held)));
}

unsafe extern "C" fn in_parent() {
    let _ = HELD.try_with(RefCell::take);
}

unsafe extern "C" fn in_child() {
    let held = HELD.try_with(RefCell::take).ok().flatten();
    for mut held in held.into_iter().flat_map(|held| held.cores) {
        held.core.grace_periods.after_fork(&mut held.grace_periods);
        held.core.callbacks.after_fork(&mut held.callbacks);
    }
}

impl HeldCore {
    fn lock(core: Arc<Core>) -> Self {
        let (callbacks, grace_periods) = (core.callbacks.state(), core.grace_periods.state());
        // SAFETY: the lock lies in the core, which the value keeps alive for as long as it keeps the guard (type invariant).
        let callbacks = unsafe { mem::transmute::<CallbacksGuard<'_>, CallbacksGuard<'static>>(callbacks) };
        // SAFETY: as above.
        let grace_periods =
            unsafe { mem::transmute::<GracePeriodsGuard<'_>, GracePeriodsGuard<'static>>(grace_periods) };
        Self { callbacks, grace_periods, core }
    }
}
