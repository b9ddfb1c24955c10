//! Torture in the manner of the kernel's rcutorture (`kernel/rcu/rcutorture.c`), for every flavor.
//!
//! An element is published, replaced, and grows a step older with each grace period after that. A section that holds an element of age 2
//! has been passed over by a grace period: `reclaimed under a reader`. `RCU_TORTURE_SECONDS` is how long each flavor is tortured.
//!
//! | | nested sections, delays, threads that come and go | polled, handles, QSBR readers | signals | forks |
//! |---|---|---|---|---|
//! | domains: `Membarrier`, `Qsbr`, separate ones, with fences | x | x | x | x |
//! | `Epoch` | x | it has none | pinning is not for signal handlers | readers of lost threads stay |
//! | `Kernel`, over a mock | x | it has none | the mock is a lock | the mock is a lock |
#![cfg(all(not(loom), not(miri)))]
#![allow(missing_docs)]

#[path = "../mock/mod.rs"]
mod mock;

mod element;
mod forks;
mod readers;
mod signals;
mod stage;
mod writers;

use rcu_core::Domain;
use rcu_core::domain::{Options, Strategy};
use rcu_core::flavor::{epoch::Epoch, kernel::Kernel, membarrier::Membarrier, qsbr::Qsbr};

use crate::stage::torture;

#[test]
fn membarrier() {
    torture("membarrier", Membarrier, Some(Membarrier::domain()));
}

#[test]
fn separate_domain() {
    let domain: &Domain = Box::leak(Box::default());
    torture("separate domain", domain, Some(domain));
}

#[test]
fn fence_domain() {
    let mut options = Options::default();
    options.strategy = Strategy::Fence;
    let domain: &Domain = Box::leak(Box::new(Domain::with_options(options)));
    torture("fence domain", domain, Some(domain));
}

/// Small enough a bound that writers wait at it all the time.
#[test]
fn full_domain() {
    let mut options = Options::default();
    options.bound = 4;
    let domain: &Domain = Box::leak(Box::new(Domain::with_options(options)));
    torture("full domain", domain, Some(domain));
}

#[test]
fn qsbr() {
    torture("qsbr", Qsbr, Some(Qsbr::domain()));
}

#[test]
fn epoch() {
    torture("epoch", Epoch, None);
}

#[test]
fn kernel_mock() {
    torture("kernel mock", Kernel, None);
}
