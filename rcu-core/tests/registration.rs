//! Threads that end unregister: what their registration took is used again, and is freed with its domain.
//!
//! Alone in its process, since it counts what is allocated.
#![cfg(all(not(loom), not(miri)))]
#![allow(missing_docs)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::thread;

use rcu_core::{Domain, Flavor, flavor::membarrier::Membarrier};

/// A reader's slot: a pair of cache lines.
const SLOT: Layout = Layout::new::<Lines>();
#[repr(align(128))]
struct Lines(#[allow(dead_code)] [u8; 128]);

static SLOTS: AtomicIsize = AtomicIsize::new(0);

struct Counting;

// SAFETY: all is the system allocator's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        SLOTS.fetch_add(isize::from(layout == SLOT), Ordering::Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        SLOTS.fetch_sub(isize::from(layout == SLOT), Ordering::Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn slots_are_used_again() {
    let before = SLOTS.load(Ordering::Relaxed);
    let domain = Arc::new(Domain::new());
    for _ in 0..500 {
        let threads = [(); 2].map(|()| {
            let domain = Arc::clone(&domain);
            thread::spawn(move || {
                drop((domain.read_lock(), domain.handle(), domain.register()));
                drop(Membarrier.read_lock());
            })
        });
        // Not a scope, which does not wait for the ends of threads.
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    // Three slots a thread in one domain and one in the other, for two threads at a time.
    let made = SLOTS.load(Ordering::Relaxed) - before;
    assert!((4..=8).contains(&made), "{made} slots were made for 1,000 threads");
    domain.synchronize();
    drop(domain);
    let left = SLOTS.load(Ordering::Relaxed) - before;
    assert!((1..=2).contains(&left), "{left} slots are left");
}
