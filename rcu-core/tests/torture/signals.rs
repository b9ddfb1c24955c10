//! Signals: a handler that enters sections itself, wherever its thread stands in its own.
//!
//! A thread's first section allocates, which a handler must not; so only threads that have had it are interrupted.

use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::stage::{Stage, Tortured};

static READERS: Mutex<Vec<libc::pid_t>> = Mutex::new(Vec::new());
/// The stage of the readers that are interrupted now.
static STAGE: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
static HANDLED: AtomicU64 = AtomicU64::new(0);

/// The calling thread may be interrupted while this lives.
pub struct Interruptible(libc::pid_t);

impl Interruptible {
    pub fn new() -> Self {
        // SAFETY: the call takes and touches nothing.
        let tid = unsafe { libc::gettid() };
        readers().push(tid);
        Self(tid)
    }
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        readers().retain(|tid| *tid != self.0);
    }
}

fn readers() -> MutexGuard<'static, Vec<libc::pid_t>> {
    READERS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn interrupt_readers<F: Tortured>(stage: &'static Stage<F>) {
    let handled_before = HANDLED.load(Ordering::Relaxed);
    STAGE.store(std::ptr::from_ref(stage).cast_mut().cast(), Ordering::Release);
    // SAFETY: the action is whole, and its handler does what a handler may: it reads in sections, and counts.
    unsafe {
        let mut action = std::mem::zeroed::<libc::sigaction>();
        action.sa_sigaction = handler::<F> as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
    while stage.goes_on() {
        // Held, so that no thread ends meanwhile whose number would then be another's.
        for tid in readers().iter() {
            // SAFETY: a living thread of this process, for which a handler is installed.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), *tid, libc::SIGUSR1) };
        }
        thread::sleep(Duration::from_micros(50));
    }
    stage.seen.signals.store(HANDLED.load(Ordering::Relaxed) - handled_before, Ordering::Relaxed);
}

extern "C" fn handler<F: Tortured>(_signal: libc::c_int) {
    // SAFETY: set before the handler was installed, to the stage of this flavor, which lives for ever.
    let stage = unsafe { &*STAGE.load(Ordering::Acquire).cast::<Stage<F>>() };
    let outer = stage.flavor.read_lock();
    let held = stage.current();
    let inner = stage.flavor.read_lock();
    (0..200).for_each(|_| std::hint::spin_loop());
    held.look(&stage.seen);
    drop(inner);
    held.look(&stage.seen);
    drop(outer);
    HANDLED.fetch_add(1, Ordering::Relaxed);
}
