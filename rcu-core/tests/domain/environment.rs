//! The strategy is found once, is visible, and can be forced by the environment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rcu_core::domain::{Domain, Options, Strategy};
use rcu_core::flavor::{membarrier::Membarrier, qsbr::Qsbr};
use rcu_core::{Flavor, RcuPtr};

use crate::{SetsWhenDropped, child_of, in_child};

#[test]
fn fences_are_forced_by_the_environment() {
    const NAME: &str = "environment::fences_are_forced_by_the_environment";
    if !in_child() {
        for (value, expected) in [("1", "Fence"), ("yes", "Fence"), ("0", found())] {
            let output = child_of(NAME).env("RCU_CORE_FENCE", value).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains(&format!("strategy {expected}.")), "{value}: {output:?}");
        }
        return;
    }
    let found = Strategy::of_process();
    println!("strategy {found:?}.");
    let mut options = Options::default();
    assert_eq!(options.strategy, found);
    options.strategy = Strategy::Membarrier;
    assert_eq!(Domain::with_options(options).strategy(), found);
    assert_eq!((Domain::new().strategy(), Membarrier::domain().strategy()), (found, found));
    replaced_under_readers();
}

/// What a process without the variable uses here.
fn found() -> &'static str {
    // SAFETY: the call takes two numbers and touches no memory.
    let known = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_QUERY, 0, 0) };
    if known >= 0 && known & libc::c_long::from(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0 {
        "Membarrier"
    } else {
        "Fence"
    }
}

fn replaced_under_readers() {
    let pointer = RcuPtr::new(Membarrier, Some(Box::new(1)));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(pointer.dereference(&pointer.read()).map(|one| **one), Some(1));
                }
            });
        }
        let _stops = SetsWhenDropped(&stop);
        (0..1_000).for_each(|_| drop(pointer.replace(Some(Box::new(1)))));
        Membarrier.synchronize();
    });
}

#[test]
fn a_domain_of_quiescent_states_and_one_that_asks_for_them_use_fences() {
    let mut options = Options::default();
    options.strategy = Strategy::Fence;
    assert_eq!(Domain::with_options(options).strategy(), Strategy::Fence);
    assert_eq!(Qsbr::domain().strategy(), Strategy::Fence);
}
