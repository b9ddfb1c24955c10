//! crossbeam-epoch as its users write it: `Atomic` links, a pinned guard, `defer_destroy`.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_epoch::{Atomic, Guard, Owned, Shared, pin, unprotected};

use crate::engine::{Engine, Reader, Section, Skills, Subject, Update, Writer};
use crate::node::{Object, SIZE, Tally, dropped, in_order};

/// The engine.
pub const CROSSBEAM: Engine =
    Engine { name: "crossbeam-epoch", start: || Box::new(Crossbeam::new()), skills: Skills::RETIRE };

#[repr(C)]
struct Node {
    value: u64,
    next: Atomic<Node>,
    rest: [u64; 5],
    tally: Tally,
}

const _: () = assert!(size_of::<Node>() == SIZE);

/// A list as `Chain`, with crossbeam's pointers; at least two nodes.
struct Crossbeam {
    head: Atomic<Node>,
    tail: Atomic<Node>,
    object: Atomic<Object>,
}

fn node(value: u64) -> Owned<Node> {
    Owned::new(Node { value, next: Atomic::null(), rest: [0; 5], tally: Tally })
}

impl Crossbeam {
    fn new() -> Self {
        let this = Self { head: Atomic::null(), tail: Atomic::null(), object: Atomic::new(Object::new(0)) };
        // SAFETY: nobody else has seen the list.
        let guard = unsafe { unprotected() };
        let mut at = &this.head;
        for node in in_order(node) {
            let node = node.into_shared(guard);
            at.store(node, Ordering::Relaxed);
            this.tail.store(node, Ordering::Relaxed);
            // SAFETY: the node is linked and nothing frees it here.
            at = unsafe { &node.deref().next };
        }
        this
    }

    /// As `Chain::replace`: by one thread at a time.
    fn replace(&self, guard: &Guard) {
        let (first, last) = (self.head.load(Ordering::Relaxed, guard), self.tail.load(Ordering::Relaxed, guard));
        // SAFETY: both are linked nodes that only this thread removes; the first is unreachable when it is deferred.
        unsafe {
            let node = node(first.deref().value).into_shared(guard);
            self.head.store(first.deref().next.load(Ordering::Relaxed, guard), Ordering::Release);
            last.deref().next.store(node, Ordering::Release);
            self.tail.store(node, Ordering::Relaxed);
            guard.defer_destroy(first);
        }
    }
}

impl Drop for Crossbeam {
    fn drop(&mut self) {
        // SAFETY: exclusive access; the nodes and the object are owned, and each is passed once.
        unsafe {
            let guard = unprotected();
            let mut at = self.head.load(Ordering::Relaxed, guard);
            while !at.is_null() {
                let node = at.into_owned();
                at = node.next.load(Ordering::Relaxed, guard);
            }
            drop(self.object.load(Ordering::Relaxed, guard).into_owned());
        }
    }
}

impl Subject for Crossbeam {
    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(CrossbeamReader(self))
    }

    fn writer(&self) -> Box<dyn Writer + '_> {
        Box::new(CrossbeamWriter(self))
    }

    fn drain(&self) {
        // There is no barrier: it helps until nothing more comes.
        let (mut seen, mut since) = (dropped(), Instant::now());
        while since.elapsed() < Duration::from_millis(5) {
            pin().flush();
            if dropped() != seen {
                (seen, since) = (dropped(), Instant::now());
            }
        }
    }
}

struct CrossbeamReader<'a>(&'a Crossbeam);

impl Section for CrossbeamReader<'_> {
    #[inline(always)]
    fn section(&mut self, inside: impl FnOnce()) {
        let _guard = pin();
        inside();
    }

    #[inline(always)]
    fn walk(&mut self) -> u64 {
        let guard = pin();
        let (mut sum, mut at): (u64, Shared<'_, Node>) = (0, self.0.head.load(Ordering::Acquire, &guard));
        // SAFETY: a node that was reached under the guard is not freed while it lives.
        while let Some(node) = unsafe { at.as_ref() } {
            at = node.next.load(Ordering::Acquire, &guard);
            sum = sum.wrapping_add(node.value);
        }
        sum
    }
}

struct CrossbeamWriter<'a>(&'a Crossbeam);

impl Update for CrossbeamWriter<'_> {
    fn replace(&mut self) {
        self.0.replace(&pin());
    }

    #[inline]
    fn retire(&mut self, value: u64) {
        let guard = pin();
        let old = self.0.object.swap(Owned::new(Object::new(value)), Ordering::AcqRel, &guard);
        // SAFETY: the old object is unreachable, and was an owned one.
        unsafe { guard.defer_destroy(old) };
    }
}
