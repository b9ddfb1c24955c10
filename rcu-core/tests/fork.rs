//! fork(2) in a process whose other threads sit everywhere in RCU: the child, which has one thread, reads, waits and defers as ever.
#![cfg(all(not(loom), not(miri)))]
#![allow(missing_docs)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, ptr, thread};

use rcu_core::domain::{Options, Strategy};
use rcu_core::flavor::{membarrier::Membarrier, qsbr::Qsbr};
use rcu_core::{Domain, Flavor, RcuPtr};

/// How long a child may take, on a machine that is busy, before it counts as hung.
const CHILD_SECONDS: u32 = 30;
const BOUND: usize = 8;

/// Several tests change the bound of process-wide domains, and all use up the machine.
static ALONE: Mutex<()> = Mutex::new(());

/// Forks, runs `work` in the child, and waits for the child's end.
fn in_child(work: impl FnOnce()) {
    // SAFETY: the child runs `work` alone, and exits without running anything of the parent's.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", io::Error::last_os_error());
    if child == 0 {
        // SAFETY: without a handler the signal ends the child.
        unsafe { libc::alarm(CHILD_SECONDS) };
        let code = if catch_unwind(AssertUnwindSafe(work)).is_ok() { 0 } else { 1 };
        // SAFETY: leaves without running what belongs to the parent.
        unsafe { libc::_exit(code) }
    }
    let mut status = 0;
    // SAFETY: the status is ours.
    while unsafe { libc::waitpid(child, &mut status, 0) } != child {}
    assert!(!libc::WIFSIGNALED(status) || libc::WTERMSIG(status) != libc::SIGALRM, "the child hung");
    assert_eq!(status, 0, "the child failed");
}

/// All that a process does with RCU. The calling thread is in no section.
fn use_rcu<F: Flavor + Copy + Send + Sync + 'static>(flavor: F, domain: &'static Domain) {
    // What other threads of the parent had deferred may be lost, or still to run; it fills the queue no more after this.
    flavor.barrier();
    assert_eq!(domain.unreclaimed(), 0, "what is deferred is not counted right");
    let pointer = RcuPtr::new(flavor, Some(1));
    let guard = pointer.read();
    let cookie = domain.start_poll();
    assert_eq!(pointer.dereference(&guard), Some(&1));
    assert!(!domain.poll(&cookie), "a section of the child does not hold back its grace periods");
    drop(guard);
    assert!(domain.poll(&cookie), "something holds back the child's grace periods");
    let before = domain.grace_periods();
    flavor.synchronize();
    assert!(domain.grace_periods() > before);
    assert_eq!(pointer.replace(Some(2)).unwrap().synchronize(), 1);
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 * BOUND {
        let ran = Arc::clone(&ran);
        flavor.defer(move || {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        assert!(domain.unreclaimed() <= domain.bound());
    }
    flavor.barrier();
    assert_eq!(ran.load(Ordering::Relaxed), 3 * BOUND, "callbacks were lost, or ran twice");
    let mut reader = domain.register();
    reader.synchronize();
    drop(reader);
    drop(domain.handle().read_lock());
}

/// As [`use_rcu`], with another thread of the child.
fn use_rcu_on_two_threads<F: Flavor + Copy + Send + Sync + 'static>(flavor: F, domain: &'static Domain) {
    let other = start(move || {
        drop(flavor.read_lock());
        flavor.synchronize();
    });
    drop(flavor.read_lock());
    // SAFETY: started just now, and joined once.
    assert_eq!(unsafe { libc::pthread_join(other, ptr::null_mut()) }, 0);
    use_rcu(flavor, domain);
}

/// Starts a thread, without the locks that `std` takes for it, and that a fork may have found locked.
fn start<W: FnOnce() + Send + 'static>(work: W) -> libc::pthread_t {
    extern "C" fn run<W: FnOnce()>(work: *mut libc::c_void) -> *mut libc::c_void {
        // SAFETY: leaked to this thread alone.
        let work = unsafe { Box::from_raw(work.cast::<W>()) };
        work();
        ptr::null_mut()
    }
    let mut thread = 0;
    let work = Box::into_raw(Box::new(work)).cast();
    // SAFETY: the thread gets what it takes.
    assert_eq!(unsafe { libc::pthread_create(&mut thread, ptr::null(), run::<W>, work) }, 0);
    thread
}

/// Every other thread is in the middle of something, and no two forks meet them in the same place.
fn busy_threads<F: Flavor + Copy + Send + Sync + 'static>(flavor: F, domain: &'static Domain) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    domain.set_bound(BOUND);
    let stop = AtomicBool::new(false);
    let (deferred, ran) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let until_stop = |work: &dyn Fn()| {
        while !stop.load(Ordering::Relaxed) {
            work();
        }
    };
    let defer = || {
        deferred.fetch_add(1, Ordering::Relaxed);
        let ran = Arc::clone(&ran);
        flavor.defer(move || {
            ran.fetch_add(1, Ordering::Relaxed);
        });
    };
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| until_stop(&|| drop((flavor.read_lock(), flavor.read_lock(), pause(300)))));
            scope.spawn(|| until_stop(&|| flavor.synchronize()));
            scope.spawn(|| until_stop(&defer));
        }
        scope.spawn(|| until_stop(&|| flavor.barrier()));
        scope.spawn(|| until_stop(&|| drop((domain.register(), pause(200)))));
        scope.spawn(|| until_stop(&|| drop((domain.handle().read_lock(), pause(100)))));
        scope.spawn(|| until_stop(&|| thread::scope(|scope| drop(scope.spawn(|| drop(flavor.read_lock()))))));
        let stopped = StopsWhenDropped(&stop);
        for round in 0..150 {
            pause(round * 7 % 500);
            match round % 3 {
                0 => in_child(|| use_rcu(flavor, domain)),
                1 => {
                    // The child's own section is still one, and ends in the child.
                    let guards = (flavor.read_lock(), flavor.read_lock());
                    in_child(|| {
                        let cookie = domain.start_poll();
                        assert!(!domain.poll(&cookie), "the child's own section is lost");
                        // SAFETY: the child's copies, which nothing uses again: it exits.
                        unsafe { drop(ptr::read(&guards)) };
                        assert!(domain.poll(&cookie), "something holds back the child's grace periods");
                        use_rcu(flavor, domain);
                    });
                    drop(guards);
                }
                _ => in_child(|| in_child(|| use_rcu(flavor, domain))),
            }
        }
        drop(stopped);
    });
    flavor.barrier();
    assert_eq!(
        ran.load(Ordering::Relaxed),
        deferred.load(Ordering::Relaxed),
        "the parent lost callbacks, or ran them twice"
    );
}

fn pause(micros: u64) {
    thread::sleep(Duration::from_micros(micros));
}

/// Lets the other threads end also when a child failed.
struct StopsWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// All others wait for a reader that does not leave: for a grace period, for callbacks, and at the bound.
fn waiting_threads<F: Flavor + Copy + Send + Sync + 'static>(flavor: F, domain: &'static Domain) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    domain.set_bound(BOUND);
    let leave = AtomicBool::new(false);
    let entered = AtomicBool::new(false);
    let waiting = AtomicUsize::new(0);
    let ran = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _guards = (flavor.read_lock(), domain.register());
            entered.store(true, Ordering::Release);
            while !leave.load(Ordering::Relaxed) {
                pause(100);
            }
        });
        while !entered.load(Ordering::Acquire) {
            pause(100);
        }
        let leaves = StopsWhenDropped(&leave);
        for _ in 0..2 {
            scope.spawn(|| {
                waiting.fetch_add(1, Ordering::Relaxed);
                flavor.synchronize();
            });
            scope.spawn(|| {
                while domain.unreclaimed() < BOUND {
                    pause(100);
                }
                waiting.fetch_add(1, Ordering::Relaxed);
                flavor.barrier();
            });
            scope.spawn(|| {
                for _ in 0..BOUND {
                    let ran = Arc::clone(&ran);
                    flavor.defer(move || {
                        ran.fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
        }
        while domain.unreclaimed() < BOUND || waiting.load(Ordering::Relaxed) < 4 {
            pause(100);
        }
        for _ in 0..10 {
            pause(1_000);
            in_child(|| use_rcu_on_two_threads(flavor, domain));
        }
        drop(leaves);
    });
    flavor.barrier();
    assert_eq!(ran.load(Ordering::Relaxed), 2 * BOUND);
}

/// The thread that forks is running callbacks: it does so in the child as well.
fn a_callback_forks<F: Flavor + Copy + Send + Sync + 'static>(flavor: F, domain: &'static Domain) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    domain.set_bound(BOUND);
    flavor.defer(move || {
        in_child(|| {
            drop(flavor.read_lock());
            flavor.synchronize();
            // More than the bound: a callback does not wait for itself.
            (0..2 * BOUND).for_each(|_| flavor.defer(|| ()));
            assert!(domain.unreclaimed() >= 2 * BOUND);
        });
    });
    flavor.barrier();
    in_child(|| use_rcu(flavor, domain));
}

fn fence_domain() -> &'static Domain {
    let mut options = Options::default();
    options.strategy = Strategy::Fence;
    Box::leak(Box::new(Domain::with_options(options)))
}

macro_rules! matrix {
    ($($module:ident: $make:expr;)*) => { $(
        mod $module {
            use super::*;

            #[test]
            fn busy_threads() {
                let (flavor, domain) = $make;
                super::busy_threads(flavor, domain);
            }

            #[test]
            fn waiting_threads() {
                let (flavor, domain) = $make;
                super::waiting_threads(flavor, domain);
            }

            #[test]
            fn a_callback_forks() {
                let (flavor, domain) = $make;
                super::a_callback_forks(flavor, domain);
            }
        }
    )* };
}

matrix! {
    membarrier: (Membarrier, Membarrier::domain());
    qsbr: (Qsbr, Qsbr::domain());
    separate_domain: { let domain: &Domain = Box::leak(Box::default()); (domain, domain) };
    fence: { let domain = fence_domain(); (domain, domain) };
}
