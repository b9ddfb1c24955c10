//! Misuse is noticed at once: by a panic, or where none may pass by an abort.

use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Output;

use rcu_core::flavor::{membarrier::Membarrier, qsbr::Qsbr};
use rcu_core::{Domain, Flavor, RcuPtr};

use crate::{child_of, domain_with_bound, in_child};

/// Checks that `work` panics, with a message of this part.
fn panics(message: &str, work: impl FnOnce()) {
    let panic = catch_unwind(AssertUnwindSafe(work)).expect_err(message);
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied()).unwrap();
    assert!(said.contains(message), "{said:?} does not say {message:?}");
}

#[test]
fn waiting_in_a_section_of_ones_own_panics() {
    let domain = Domain::new();
    let waits = || {
        panics("synchronize() inside", || domain.synchronize());
        panics("barrier() inside", || domain.barrier());
    };
    {
        let outer = domain.read_lock();
        let inner = domain.read_lock();
        drop(outer);
        waits();
        drop(inner);
    }
    {
        let mut reader = domain.handle();
        let _guard = reader.read_lock();
        waits();
    }
    {
        let mut reader = domain.register();
        waits();
        let _guard = domain.read_lock();
        panics("synchronize() inside", || reader.synchronize());
    }
    domain.synchronize();
    domain.barrier();
    for (flavor, guard) in [(Membarrier::domain(), Membarrier.read_lock()), (Qsbr::domain(), Qsbr.read_lock())] {
        panics("synchronize() inside", || flavor.synchronize());
        drop(guard);
    }
}

#[test]
fn nesting_too_deep_panics_and_leaves_the_section_whole() {
    for domain in [&Domain::new(), Membarrier::domain(), Qsbr::domain()] {
        let mut guards: Vec<_> = (0..(1 << 14) - 1).map(|_| domain.read_lock()).collect();
        panics("nested more than", || drop(domain.read_lock()));
        guards.truncate(1);
        let cookie = domain.start_poll();
        assert!(!domain.poll(&cookie));
        let again = domain.read_lock();
        drop(guards);
        assert!(!domain.poll(&cookie));
        drop(again);
        domain.synchronize();
        assert!(domain.poll(&cookie));
    }
}

#[test]
fn a_foreign_guard_is_refused() {
    let (domain, other) = (Domain::new(), Domain::new());
    let (pointer, foreign) = (RcuPtr::new(&domain, Some(1)), RcuPtr::new(&other, Some(2)));
    let guard = other.read_lock();
    assert_eq!(foreign.dereference(&guard), Some(&2));
    assert!(catch_unwind(AssertUnwindSafe(|| pointer.dereference(&guard))).is_err());
    assert!(other.owns(&guard) && !domain.owns(&guard) && !Membarrier.owns(&guard) && !Qsbr.owns(&guard));
    let (mut handle, reader) = (other.handle(), other.register());
    assert!(catch_unwind(AssertUnwindSafe(|| pointer.dereference(&handle.read_lock()).copied())).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| pointer.dereference(&reader.read_lock()).copied())).is_err());
    assert_eq!(foreign.dereference(&reader.read_lock()), Some(&2));
}

/// The numbers of another domain say nothing about this one's readers.
#[test]
fn a_foreign_cookie_passes_nothing() {
    let (domain, other) = (Domain::new(), Domain::new());
    let foreign = [(); 100].map(|()| other.start_poll())[99];
    let _ = catch_unwind(AssertUnwindSafe(|| domain.poll(&foreign)));
    assert_eq!(domain.grace_periods(), 0, "a grace period that never began has passed");
    let guard = domain.read_lock();
    let cookie = domain.start_poll();
    assert!(!domain.poll(&cookie), "a grace period passed over a reader");
    drop(guard);
}

/// Runs the test of this name in a process of its own, which must abort and say why.
fn aborts(test: &str, message: &str) {
    let Output { status, stderr, .. } = child_of(test).output().unwrap();
    let said = String::from_utf8_lossy(&stderr);
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{status}: {said}");
    assert!(said.contains(message), "{said:?} does not say {message:?}");
}

#[test]
fn a_barrier_in_a_callback_aborts() {
    if in_child() {
        Membarrier.defer(|| Membarrier.barrier());
        return Membarrier.barrier();
    }
    aborts("misuse::a_barrier_in_a_callback_aborts", "barrier() inside a callback");
}

#[test]
fn a_panic_in_a_callback_aborts() {
    if in_child() {
        let domain = domain_with_bound(1);
        domain.defer(|| panic!("from the callback"));
        return;
    }
    aborts("misuse::a_panic_in_a_callback_aborts", "from the callback");
}
