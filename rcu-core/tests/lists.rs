//! Both kinds of owning list over every flavor: order, reclamation, and what a writer's drop may wait for.
#![allow(missing_docs)]

mod mock;

use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use rcu_core::flavor::{Callback, epoch::Epoch, kernel::Kernel, membarrier::Membarrier, qsbr::Qsbr};
use rcu_core::{Flavor, HLinks, HList, Links, List, RcuHead, linked};

const ROUNDS: u32 = if cfg!(miri) { 20 } else { 1_000 };

/// An entry type for both kinds of list. Its links lie neither first nor together.
struct Entry {
    value: u32,
    bucket: HLinks,
    dropped: Dropped,
    links: Links,
}
linked!(Entry, links);
linked!(Entry, bucket: HLinks);

/// Counts the entries that were dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Entry {
    fn new(value: u32, dropped: &Arc<AtomicUsize>) -> Box<Self> {
        Box::new(Self { value, bucket: HLinks::new(), dropped: Dropped(Arc::clone(dropped)), links: Links::new() })
    }

    fn is_alive(&self) -> bool {
        Arc::strong_count(&self.dropped.0) > 1
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

macro_rules! kind {
    ($module:ident, $list:ident) => {
        mod $module {
            use super::*;

            pub fn the_newest_comes_first<F: Flavor + Copy>(flavor: F) {
                let dropped = Arc::default();
                let list = $list::new(flavor);
                for value in 0..5 {
                    list.lock().push_front(Entry::new(value, &dropped));
                }
                list.lock().retain(|entry| entry.value % 2 == 0);
                let guard = list.read();
                let mut entries = list.iter(&guard);
                assert_eq!(entries.next().map(|entry| entry.value), Some(4));
                assert!(entries.clone().map(|entry| entry.value).eq([2, 0]));
                list.lock().retain(|_| false);
                assert!(entries.map(|entry| entry.value).eq([2, 0]), "a reader lost its way on a removed entry");
                assert_eq!(list.iter(&guard).count(), 0);
            }

            pub fn a_replaced_entry_keeps_its_place<F: Flavor + Copy>(flavor: F) {
                let dropped = Arc::default();
                let list = $list::new(flavor);
                for value in 0..5 {
                    list.lock().push_front(Entry::new(value, &dropped));
                }
                let guard = list.read();
                let before = list.iter(&guard);
                list.lock().replace(|old| (old.value % 2 == 0).then(|| Entry::new(10 + old.value, &dropped)));
                assert!(list.iter(&guard).map(|entry| entry.value).eq([14, 3, 12, 1, 10]));
                let met: Vec<_> = before.map(|entry| entry.value % 10).collect();
                assert_eq!(met, [4, 3, 2, 1, 0], "a reader met neither the old nor the new entry");
                assert_eq!(dropped.load(Ordering::Relaxed), 0, "reclaimed under a reader");
                drop(guard);
                settle(&flavor, || dropped.load(Ordering::Relaxed) == 3);
                drop(list);
                assert_eq!(dropped.load(Ordering::Relaxed), 8);
            }

            pub fn each_entry_is_dropped_once<F: Flavor + Copy>(flavor: F) {
                let dropped: Arc<AtomicUsize> = Arc::default();
                let list = $list::new(flavor);
                for value in 0..10 {
                    list.lock().push_front(Entry::new(value, &dropped));
                }
                let mut writer = list.lock();
                writer.retain(|entry| entry.value % 3 != 0);
                writer.retain(|entry| entry.value % 2 != 0);
                assert_eq!(dropped.load(Ordering::Relaxed), 0, "reclaimed before the writer was dropped");
                drop(writer);
                settle(&flavor, || dropped.load(Ordering::Relaxed) == 7);
                drop(list);
                assert_eq!(dropped.load(Ordering::Relaxed), 10);
            }

            pub fn what_was_removed_before_a_panic_is_reclaimed<F: Flavor + Copy>(flavor: F) {
                let dropped: Arc<AtomicUsize> = Arc::default();
                let list = $list::new(flavor);
                for value in 0..3 {
                    list.lock().push_front(Entry::new(value, &dropped));
                }
                let retain = || list.lock().retain(|entry| if entry.value == 0 { panic!("on purpose") } else { false });
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(retain)).unwrap_err();
                settle(&flavor, || dropped.load(Ordering::Relaxed) == 2);
                assert_eq!(list.iter(&list.read()).count(), 1);
            }

            /// Entries that stay are met exactly once by every pass, whatever comes and goes before them.
            pub fn readers_pass_while_entries_come_and_go<F: Flavor + Copy + Sync>(flavor: F) {
                const STAYING: u32 = 20;
                let dropped: Arc<AtomicUsize> = Arc::default();
                let list = $list::new(flavor);
                for value in 0..STAYING {
                    list.lock().push_front(Entry::new(value, &dropped));
                }
                let stop = AtomicBool::new(false);
                thread::scope(|scope| {
                    for _ in 0..2 {
                        scope.spawn(|| {
                            while !stop.load(Ordering::Relaxed) {
                                let guard = list.read();
                                let met = list.iter(&guard).inspect(|entry| assert!(entry.is_alive()));
                                let staying = met.map(|entry| entry.value).filter(|value| *value < STAYING);
                                assert!(staying.eq((0..STAYING).rev()));
                                thread::yield_now();
                            }
                        });
                    }
                    for round in 0..ROUNDS {
                        list.lock().push_front(Entry::new(STAYING + round, &dropped));
                        list.lock().retain(|entry| entry.value < STAYING || entry.value > STAYING + round / 2);
                    }
                    stop.store(true, Ordering::Relaxed);
                });
            }

            /// A reader inside a section takes the lock while a flavor waits for that section in `call`.
            pub fn a_reader_may_wait_for_the_lock<F: Flavor + Copy + Send + Sync + 'static>(flavor: F) {
                let dropped = Arc::default();
                let list = Arc::new($list::new(Impatient(flavor)));
                list.lock().push_front(Entry::new(1, &dropped));
                let mut writer = list.lock();
                writer.retain(|_| false);
                let (entered, is_inside) = channel();
                let (left, has_left) = channel();
                let readers = Arc::clone(&list);
                thread::spawn(move || {
                    let guard = readers.read();
                    entered.send(()).unwrap();
                    readers.lock().push_front(Entry::new(2, &dropped));
                    drop(guard);
                    left.send(dropped).unwrap();
                });
                is_inside.recv().unwrap();
                let writes = thread::spawn({
                    // The writer stays on its thread, so it is this one that is watched from another.
                    let patience = Duration::from_secs(20);
                    move || has_left.recv_timeout(patience).map_err(|_| std::process::abort()).unwrap()
                });
                drop(writer);
                let dropped: Arc<AtomicUsize> = writes.join().unwrap();
                settle(&flavor, || dropped.load(Ordering::Relaxed) == 1);
            }
        }
    };
}

kind!(list, List);
kind!(hlist, HList);

/// Another flavor, except that it waits for the grace period in `call`, as a flavor may that has too much to reclaim.
struct Impatient<F>(F);

// SAFETY: as the flavor inside; a callback runs after `synchronize`, which is a grace period.
unsafe impl<F: Flavor> Flavor for Impatient<F> {
    type Guard<'a>
        = F::Guard<'a>
    where
        Self: 'a;

    fn read_lock(&self) -> F::Guard<'_> {
        self.0.read_lock()
    }

    fn owns(&self, guard: &F::Guard<'_>) -> bool {
        self.0.owns(guard)
    }

    fn synchronize(&self) {
        self.0.synchronize();
    }

    unsafe fn call(&self, head: NonNull<RcuHead>, callback: Callback) {
        self.0.synchronize();
        // SAFETY: by contract, after a grace period.
        unsafe { callback(head.as_ptr()) };
    }

    fn barrier(&self) {
        self.0.barrier();
    }
}

macro_rules! matrix {
    ($($flavor:ident => $module:ident),*; $kinds:tt; $tests:tt) => { $(matrix!(@ $flavor $module $kinds $tests);)* };
    (@ $flavor:ident $module:ident [$($kind:ident),*] $tests:tt) => {
        mod $module { $(mod $kind { matrix!(@@ $flavor $kind $tests); })* }
    };
    (@@ $flavor:ident $kind:ident [$($test:ident),* $(,)?]) => {
        $(#[test] fn $test() { crate::$kind::$test(crate::$flavor); })*
    };
}

matrix!(Epoch => epoch, Kernel => kernel_mock, Membarrier => membarrier, Qsbr => qsbr; [list, hlist]; [
    the_newest_comes_first,
    a_replaced_entry_keeps_its_place,
    each_entry_is_dropped_once,
    what_was_removed_before_a_panic_is_reclaimed,
    readers_pass_while_entries_come_and_go,
    a_reader_may_wait_for_the_lock,
]);
