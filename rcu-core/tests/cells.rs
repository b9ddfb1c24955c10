//! The cells: one generic test over both kinds, and `RcuCell` and `RcuPtr` over every flavor.
#![allow(missing_docs)]

mod mock;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rcu_core::flavor::{epoch::Epoch, kernel::Kernel, membarrier::Membarrier, qsbr::Qsbr};
use rcu_core::{ArcCell, Domain, Flavor, HLinks, HList, Links, List, RcuCell, RcuPtr, ReadMostly, linked};

const ROUNDS: u64 = if cfg!(miri) { 20 } else { 2_000 };
const ALIVE: usize = 0x600d_600d;
const DEAD: usize = 0xdead_dead;

/// Two halves that belong together, and a canary that its destructor kills.
struct Version {
    number: u64,
    twice: u64,
    canary: AtomicUsize,
    alive: Arc<AtomicUsize>,
}

impl Version {
    /// One more that is `alive`, until it is dropped.
    fn new(number: u64, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self { number, twice: 2 * number, canary: AtomicUsize::new(ALIVE), alive: Arc::clone(alive) }
    }

    fn next(&self) -> Self {
        self.check();
        Self::new(self.number + 1, &self.alive)
    }

    fn check(&self) {
        assert_eq!(self.canary.load(Ordering::Relaxed), ALIVE, "a reader saw a freed value");
        assert_eq!(self.twice, 2 * self.number);
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        assert_eq!(self.canary.swap(DEAD, Ordering::Relaxed), ALIVE, "dropped twice");
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs what is deferred until `done` holds; another test may be running a part of it.
fn settle<F: Flavor>(flavor: &F, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        flavor.barrier();
        assert!(Instant::now() < deadline, "what was deferred never ran");
    }
}

/// Two updaters lose no update while two readers see whole values that never go back. Answers the last number.
fn readers_see_versions_in_order(cell: &(impl ReadMostly<Version> + Sync)) -> u64 {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let now = cell.load();
                    now.check();
                    assert!(now.number >= last, "a reader went back in time");
                    last = now.number;
                    thread::yield_now();
                    now.check();
                }
            });
        }
        let updaters = [(); 2].map(|()| {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    cell.update(Version::next);
                }
            })
        });
        for updater in updaters {
            updater.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    cell.load().number
}

/// What is loaded stays as it was when something else is stored.
fn a_loaded_value_stays(cell: &impl ReadMostly<Version>) {
    let before = cell.load();
    let number = before.number;
    cell.store(before.next());
    before.check();
    assert_eq!(before.number, number);
    assert_eq!(cell.load().number, number + 1);
}

#[test]
fn an_arc_cell_is_read_mostly() {
    let alive = Arc::default();
    let cell = ArcCell::new(Version::new(0, &alive));
    assert_eq!(readers_see_versions_in_order(&cell), 2 * ROUNDS);
    a_loaded_value_stays(&cell);
    assert_eq!(alive.load(Ordering::Relaxed), 1);
    let (kept, last) = (cell.load(), cell.into_inner());
    drop(last);
    kept.into_arc().check();
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[test]
fn what_an_arc_cell_lends_is_held_on_another_thread() {
    fn sendable<R: Deref<Target = Version> + Send>(loaded: R) -> R {
        loaded
    }
    let cell = ArcCell::new(Version::new(7, &Arc::default()));
    let loaded = sendable(cell.load());
    drop(cell);
    thread::spawn(move || loaded.check()).join().unwrap();
}

fn an_rcu_cell_is_read_mostly<F: Flavor + Copy + Send + Sync>(flavor: F) {
    let alive = Arc::default();
    let cell = RcuCell::new(flavor, Version::new(0, &alive));
    assert_eq!(readers_see_versions_in_order(&cell), 2 * ROUNDS);
    a_loaded_value_stays(&cell);
    let last = cell.into_inner();
    settle(&flavor, || alive.load(Ordering::Relaxed) == 1);
    last.check();
    drop(last);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

fn a_replaced_value_comes_back_whole<F: Flavor + Copy>(flavor: F) {
    let alive = Arc::default();
    let mut cell = RcuCell::new(flavor, Version::new(1, &alive));
    let first = cell.replace(Version::new(2, &alive)).synchronize();
    first.check();
    let second = cell.update(Version::next).synchronize();
    second.check();
    assert_eq!((first.number, second.number, alive.load(Ordering::Relaxed)), (1, 2, 3));
    drop((first, second));
    *cell.get_mut() = Version::new(9, &alive);
    assert_eq!(alive.load(Ordering::Relaxed), 1, "the value that was written over is dropped at once");
    cell.set(Version::new(10, &alive));
    settle(&flavor, || alive.load(Ordering::Relaxed) == 1);
    assert_eq!(cell.load().number, 10);
    drop(cell);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// An update between is seen, and what was made of the value before it is dropped.
fn an_update_runs_again_when_another_came_between<F: Flavor + Copy>(flavor: F) {
    let alive = Arc::default();
    let cell = RcuCell::new(flavor, Version::new(0, &alive));
    let mut seen = Vec::new();
    cell.update(|old| {
        if seen.is_empty() {
            cell.set(Version::new(100, &alive));
        }
        seen.push(old.number);
        old.next()
    });
    assert_eq!(seen, [0, 100]);
    assert_eq!(cell.load().number, 101);
    settle(&flavor, || alive.load(Ordering::Relaxed) == 1);
}

fn a_panic_in_an_update_changes_nothing<F: Flavor + Copy>(flavor: F) {
    let alive = Arc::default();
    let cell = RcuCell::new(flavor, Version::new(1, &alive));
    let update = || drop(cell.update(|_| panic!("on purpose")));
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(update)).unwrap_err();
    // The section that the update had entered has ended, else this would not return.
    flavor.synchronize();
    assert_eq!((cell.load().number, alive.load(Ordering::Relaxed)), (1, 1));
}

fn a_pointer_is_updated_to_and_from_null<F: Flavor + Copy>(flavor: F) {
    let alive = Arc::default();
    let mut pointer = RcuPtr::new(flavor, None);
    assert!(pointer.get_mut().is_none());
    assert!(pointer.update(|old| old.map(Version::next)).is_none());
    assert!(pointer.update(|_| Some(Version::new(1, &alive))).is_none());
    assert_eq!(pointer.update(|old| old.map(Version::next)).unwrap().synchronize().number, 1);
    assert_eq!(pointer.get_mut().unwrap().number, 2);
    assert_eq!(pointer.update(|_| None).unwrap().synchronize().number, 2);
    assert!(pointer.into_inner().is_none());
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

/// What a guard of one domain protects is not what another domain reclaims.
#[test]
fn a_guard_of_another_domain_is_refused() {
    fn is_refused(borrow: impl FnOnce() -> bool) -> bool {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(borrow)).is_err()
    }
    let (ours, other) = (Domain::new(), Domain::new());
    let (pointer, cell) = (RcuPtr::new(&ours, Some(1)), RcuCell::new(&ours, 1));
    let (list, hlist) = (List::<Entry, _>::new(&ours), HList::<Entry, _>::new(&ours));
    let (guard, foreign) = (ours.read_lock(), other.read_lock());
    assert_eq!((pointer.dereference(&guard), cell.borrow(&guard)), (Some(&1), &1));
    assert_eq!((list.iter(&guard).count(), hlist.iter(&guard).count()), (0, 0));
    assert!(is_refused(|| pointer.dereference(&foreign).is_some()));
    assert!(is_refused(|| *cell.borrow(&foreign) == 1));
    assert!(is_refused(|| list.iter(&foreign).next().is_some()));
    assert!(is_refused(|| hlist.iter(&foreign).next().is_some()));
}

struct Entry {
    links: Links,
    bucket: HLinks,
}
linked!(Entry, links);
linked!(Entry, bucket: HLinks);

macro_rules! matrix {
    ($($flavor:ident => $module:ident),*; $tests:tt) => { $(matrix!(@ $flavor $module $tests);)* };
    (@ $flavor:ident $module:ident [$($test:ident),* $(,)?]) => {
        mod $module {
            $(#[test] fn $test() { super::$test(super::$flavor); })*
        }
    };
}

matrix!(Epoch => epoch, Kernel => kernel_mock, Membarrier => membarrier, Qsbr => qsbr; [
    an_rcu_cell_is_read_mostly,
    a_replaced_value_comes_back_whole,
    an_update_runs_again_when_another_came_between,
    a_panic_in_an_update_changes_nothing,
    a_pointer_is_updated_to_and_from_null,
]);
