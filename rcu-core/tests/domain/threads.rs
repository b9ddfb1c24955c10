//! Threads that end, with sections in their last destructors.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, mpsc};
use std::thread;

use rcu_core::domain::{Domain, Guard};
use rcu_core::flavor::{membarrier::Membarrier, qsbr::Qsbr};
use rcu_core::{Flavor, RcuPtr};

/// Sections in a thread's destructors, which run before and after those of RCU itself.
#[test]
fn destructors_of_thread_locals_read() {
    static READ: AtomicUsize = AtomicUsize::new(0);
    static OTHER: LazyLock<Domain> = LazyLock::new(Domain::new);
    struct Reads;
    impl Drop for Reads {
        fn drop(&mut self) {
            fn read<F: Flavor>(flavor: F, domain: &Domain) {
                let pointer = RcuPtr::new(flavor, Some(7));
                let (outer, inner) = (pointer.read(), pointer.read());
                assert_eq!(pointer.dereference(&inner), Some(&7));
                drop(outer);
                drop(inner);
                pointer.replace(Some(8)).unwrap().synchronize();
                let again = pointer.read();
                let cookie = domain.start_poll();
                // What else is registered now takes nothing of this section's away.
                drop([(); 64].map(|()| domain.handle()));
                assert!(!domain.poll(&cookie), "a grace period passed over a section");
                drop(again);
                READ.fetch_add(1, Ordering::Relaxed);
            }
            read(Membarrier, Membarrier::domain());
            read(Qsbr, Qsbr::domain());
            read(&*OTHER, &OTHER);
        }
    }
    thread_local! {
        static EARLY: Reads = const { Reads };
        static LATE: Reads = const { Reads };
    }
    for _ in 0..100 {
        let before = READ.load(Ordering::Relaxed);
        thread::spawn(|| {
            EARLY.with(|_| ());
            drop((Membarrier.read_lock(), Qsbr.read_lock(), OTHER.read_lock()));
            LATE.with(|_| ());
        })
        .join()
        .unwrap();
        // The thread's first sections are its last.
        thread::spawn(|| EARLY.with(|_| ())).join().unwrap();
        assert_eq!(READ.load(Ordering::Relaxed) - before, 9);
    }
    for domain in [Membarrier::domain(), Qsbr::domain(), &OTHER] {
        domain.synchronize();
    }
}

/// Thread-locals are destroyed in the reverse order of their first use.
#[test]
fn a_guard_holds_grace_periods_back_after_its_threads_readers_are_gone() {
    static DOMAIN: LazyLock<Domain> = LazyLock::new(Domain::new);
    thread_local! {
        static KEPT: RefCell<Vec<Guard<'static>>> = const { RefCell::new(Vec::new()) };
        static CHECKS: RefCell<Option<Checks>> = const { RefCell::new(None) };
    }
    struct Checks(mpsc::Sender<bool>);
    impl Drop for Checks {
        fn drop(&mut self) {
            let cookie = DOMAIN.start_poll();
            self.0.send(DOMAIN.poll(&cookie)).unwrap();
            // One more beside it, from where it cannot be registered any more.
            drop(DOMAIN.read_lock());
            self.0.send(DOMAIN.poll(&cookie)).unwrap();
        }
    }
    let (passed, checks) = mpsc::channel();
    thread::spawn(|| {
        KEPT.with(|_| ());
        CHECKS.set(Some(Checks(passed)));
        KEPT.with_borrow_mut(|kept| {
            kept.extend([DOMAIN.read_lock(), DOMAIN.read_lock(), Membarrier.read_lock(), Qsbr.read_lock()]);
        });
    })
    .join()
    .unwrap();
    assert_eq!(checks.iter().collect::<Vec<_>>(), [false, false], "a grace period passed over a guard");
    let cookie = DOMAIN.start_poll();
    assert!(DOMAIN.poll(&cookie), "a guard that was dropped last is still counted");
    Membarrier.synchronize();
    Qsbr.synchronize();
}

#[test]
fn a_domain_is_dropped_while_threads_remember_it() {
    for _ in 0..100 {
        let domain = Domain::new();
        drop(domain.read_lock());
        thread::scope(|scope| {
            scope.spawn(|| drop(domain.read_lock()));
        });
        drop(domain);
    }
    let last = Domain::new();
    drop(last.read_lock());
    last.synchronize();
}
