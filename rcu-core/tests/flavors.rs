//! One matrix of tests over every flavor: the kernel's (against a mock) and the user-space ones.
#![allow(missing_docs)]

mod mock;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rcu_core::flavor::{epoch::Epoch, kernel::Kernel, membarrier::Membarrier, qsbr::Qsbr};
use rcu_core::{Flavor, Links, List, RcuPtr, linked};

/// What a live entry's canary holds; its destructor writes another value.
const ALIVE: usize = 0x600d_600d;
const DEAD: usize = 0xdead_dead;

const ROUNDS: u32 = if cfg!(miri) { 20 } else { 2_000 };

struct Entry {
    links: Links,
    value: u32,
    canary: AtomicUsize,
    dropped: Arc<AtomicUsize>,
}
linked!(Entry, links);

impl Entry {
    fn new(value: u32, dropped: &Arc<AtomicUsize>) -> Box<Self> {
        let dropped = Arc::clone(dropped);
        Box::new(Self { links: Links::new(), value, canary: AtomicUsize::new(ALIVE), dropped })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.canary.store(DEAD, Ordering::Relaxed);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// A section that began before `synchronize` ends before it returns.
fn synchronize_waits_for_readers<F: Flavor + Copy + Send + Sync + 'static>(flavor: F) {
    let (entered, left) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let outer = flavor.read_lock();
            let inner = flavor.read_lock();
            entered.store(true, Ordering::Release);
            drop(outer);
            thread::sleep(Duration::from_millis(100));
            left.store(true, Ordering::Release);
            drop(inner);
        });
        while !entered.load(Ordering::Acquire) {
            thread::yield_now();
        }
        flavor.synchronize();
        assert!(left.load(Ordering::Acquire), "synchronize returned inside a reader's nested section");
    });
}

fn a_removed_entry_outlives_its_readers<F: Flavor + Copy + Send + Sync + 'static>(flavor: F) {
    let dropped = Arc::default();
    let list = List::new(flavor);
    for value in 0..3 {
        list.lock().push_back(Entry::new(value, &dropped));
    }
    let guard = list.read();
    let mut entries = list.iter(&guard);
    let first = entries.next().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| list.lock().retain(|_| false));
    });
    assert_eq!(dropped.load(Ordering::Relaxed), 0, "reclaimed under a reader");
    assert_eq!((first.value, first.canary.load(Ordering::Relaxed)), (0, ALIVE));
    drop(guard);
    flavor.barrier();
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}

fn dropping_a_list_frees_each_entry_once<F: Flavor + Copy + Send + Sync + 'static>(flavor: F) {
    let dropped = Arc::default();
    let list = List::new(flavor);
    for value in 0..10 {
        list.lock().push_front(Entry::new(value, &dropped));
    }
    list.lock().retain(|entry| entry.value % 2 == 0);
    drop(list);
    flavor.barrier();
    assert_eq!(dropped.load(Ordering::Relaxed), 10);
}

fn a_pointer_is_replaced_under_readers<F: Flavor + Copy + Send + Sync + 'static>(flavor: F) {
    let dropped = Arc::default();
    let pointer = RcuPtr::new(flavor, Some(Entry::new(0, &dropped)));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                while !stop.load(Ordering::Relaxed) {
                    let guard = pointer.read();
                    let entry = pointer.dereference(&guard).unwrap();
                    assert_eq!(entry.canary.load(Ordering::Relaxed), ALIVE, "a reader saw a freed value");
                    assert!(entry.value >= last, "a reader went back in time");
                    last = entry.value;
                    // Held while the updater runs.
                    thread::yield_now();
                    assert_eq!(entry.canary.load(Ordering::Relaxed), ALIVE, "a value was freed under a reader");
                }
            });
        }
        for value in 1..=ROUNDS {
            let old = pointer.replace(Some(Entry::new(value, &dropped))).unwrap();
            if value % (ROUNDS / 20) == 0 {
                assert_eq!(old.synchronize().value, value - 1);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(pointer.replace(None).unwrap().synchronize().value, ROUNDS);
    assert!(pointer.dereference(&pointer.read()).is_none());
    flavor.barrier();
    assert_eq!(dropped.load(Ordering::Relaxed), ROUNDS as usize + 1);
}

/// Entries that stay are met exactly once by every pass, whatever comes and goes around them.
fn readers_pass_while_entries_come_and_go<F: Flavor + Copy + Send + Sync + 'static>(flavor: F) {
    const STAYING: u32 = if cfg!(miri) { 5 } else { 50 };
    let dropped = Arc::default();
    let list = List::new(flavor);
    for value in 0..STAYING {
        list.lock().push_back(Entry::new(value, &dropped));
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let guard = list.read();
                    let mut staying = 0;
                    for entry in list.iter(&guard) {
                        assert_eq!(entry.canary.load(Ordering::Relaxed), ALIVE, "a reader saw a freed entry");
                        if entry.value < STAYING {
                            assert_eq!(entry.value, staying);
                            staying += 1;
                        }
                    }
                    assert_eq!(staying, STAYING);
                }
            });
        }
        for round in 0..ROUNDS / 2 {
            list.lock().push_front(Entry::new(STAYING + round, &dropped));
            list.lock().push_back(Entry::new(STAYING + round, &dropped));
            list.lock().retain(|entry| entry.value < STAYING || entry.value > STAYING + round / 2);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

macro_rules! matrix {
    ($($flavor:ident => $module:ident),*; $tests:tt) => { $(matrix!(@ $flavor $module $tests);)* };
    (@ $flavor:ident $module:ident [$($test:ident),* $(,)?]) => {
        mod $module {
            $(#[test] fn $test() { super::$test(super::$flavor); })*
        }
    };
}

matrix!(Membarrier => membarrier, Qsbr => qsbr, Epoch => epoch, Kernel => kernel_mock; [
    synchronize_waits_for_readers,
    a_removed_entry_outlives_its_readers,
    dropping_a_list_frees_each_entry_once,
    a_pointer_is_replaced_under_readers,
    readers_pass_while_entries_come_and_go,
]);
