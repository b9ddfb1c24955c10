//! Whom a grace period waits for, and who shares one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use rcu_core::{Domain, Flavor};

use crate::{SetsWhenDropped, wait_until};

#[test]
fn callers_at_once_share_at_most_three() {
    const CALLERS: usize = 8;
    let domain = Domain::new();
    for _ in 0..50 {
        let before = domain.grace_periods();
        let (start, calling) = (Barrier::new(CALLERS), Mutex::new(Vec::new()));
        thread::scope(|scope| {
            // The first one waits for it.
            let _guard = domain.read_lock();
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    start.wait();
                    // SAFETY: the call takes and touches nothing.
                    calling.lock().unwrap().push(unsafe { libc::gettid() });
                    domain.synchronize();
                });
            }
            wait_until(|| calling.lock().unwrap().len() == CALLERS);
            for tid in calling.lock().unwrap().iter() {
                wait_until(|| sleeps(*tid));
            }
        });
        let passed = domain.grace_periods() - before;
        assert!((1..=3).contains(&passed), "{CALLERS} callers took {passed} grace periods");
    }
}

/// Whether the thread is waiting for something, by `/proc/self/task/TID/stat` (proc(5)).
fn sleeps(tid: libc::pid_t) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/self/task/{tid}/stat")).unwrap();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('S'))
}

#[test]
fn sections_of_another_domain_do_not_hold_one_back() {
    let (domain, other) = (Domain::new(), Domain::new());
    let _guard = other.read_lock();
    let mut handle = other.handle();
    let _handle_guard = handle.read_lock();
    let _reader = other.register();
    domain.synchronize();
    domain.defer(|| ());
    domain.barrier();
    assert_eq!((domain.grace_periods(), other.grace_periods()), (2, 0));
}

#[test]
fn only_sections_that_began_before_hold_one_back() {
    let domain = Domain::new();
    let (entered, leave) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        let leaves = SetsWhenDropped(&leave);
        let old = domain.read_lock();
        let cookie = domain.start_poll();
        scope.spawn(|| {
            let _new = domain.read_lock();
            entered.store(true, Ordering::Release);
            wait_until(|| leave.load(Ordering::Acquire));
        });
        wait_until(|| entered.load(Ordering::Acquire));
        assert!(!domain.poll(&cookie));
        let nested = domain.read_lock();
        drop(old);
        assert!(!domain.poll(&cookie), "a section ended with its outer guard, and not with its last");
        drop(nested);
        assert!(domain.poll(&cookie), "a later section holds back an earlier grace period");
        let later = domain.start_poll();
        assert!(!domain.poll(&later));
        assert!(domain.poll(&cookie), "a grace period has passed and then has not");
        drop(leaves);
        wait_until(|| domain.poll(&later));
    });
}

#[test]
fn handles_hold_one_back_by_section() {
    let domain = Domain::new();
    let (mut one, mut two) = (domain.handle(), domain.handle());
    let guard = one.read_lock();
    let cookie = domain.start_poll();
    drop(two.read_lock());
    assert!(!domain.poll(&cookie), "one handle's section ended with another's");
    drop(guard);
    assert!(domain.poll(&cookie));
    domain.synchronize();
}

#[test]
fn readers_hold_one_back_until_they_are_quiescent() {
    let domain = Domain::new();
    let mut reader = domain.register();
    let cookie = domain.start_poll();
    assert!(!domain.poll(&cookie), "a registered reader is online");
    let _section = reader.read_lock();
    assert!(!domain.poll(&cookie), "its sections say nothing");
    reader.quiescent_state();
    assert!(domain.poll(&cookie));
    let cookie = domain.start_poll();
    reader.offline(|| assert!(domain.poll(&cookie)));
    let cookie = domain.start_poll();
    assert!(!domain.poll(&cookie), "it is online again");
    drop(reader);
    assert!(domain.poll(&cookie));
    let mut reader = domain.register();
    let before = domain.grace_periods();
    reader.synchronize();
    assert!(domain.grace_periods() > before);
    let cookie = domain.start_poll();
    assert!(!domain.poll(&cookie), "it is online after its own wait");
}

#[test]
fn a_later_one_that_passed_passes_the_earlier() {
    let domain = Domain::new();
    let early = domain.start_poll();
    domain.synchronize();
    let _guard = domain.read_lock();
    assert!(domain.poll(&early));
    assert_eq!(domain.grace_periods(), 2);
}
