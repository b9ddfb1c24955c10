//! No protection at all: the loads of a walk and nothing else, the physical limit.
//!
//! The walk chases plain singly linked pointers, the fastest honest walk there is. With a writer, what was
//! replaced is freed only when the readers are gone.

use std::sync::Mutex;

use crate::engine::{Engine, Reader, Section, Skills, Subject, Update, Writer};
use crate::node::{Chain, Node};

/// The engine.
pub const BARE: Engine = Engine { name: "bare", start: || Box::new(Bare::default()), skills: Skills::NONE };

#[derive(Default)]
struct Bare {
    chain: Chain,
    /// What was replaced: freed after the readers, which borrow the subject.
    replaced: Mutex<Vec<Replaced>>,
}

/// A node out of the chain, owned.
struct Replaced(*mut Node);

// SAFETY: nodes may be freed on any thread.
unsafe impl Send for Replaced {}

impl Drop for Replaced {
    fn drop(&mut self) {
        // SAFETY: the node was a box that the chain handed over, once; all borrows of the subject have ended.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

impl Subject for Bare {
    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(BareReader(&self.chain))
    }

    fn writer(&self) -> Box<dyn Writer + '_> {
        Box::new(BareWriter(self))
    }
}

struct BareReader<'a>(&'a Chain);

impl Section for BareReader<'_> {
    #[inline(always)]
    fn section(&mut self, inside: impl FnOnce()) {
        inside();
    }

    #[inline(always)]
    fn walk(&mut self) -> u64 {
        // SAFETY: nodes are freed at the subject's drop only.
        unsafe { self.0.sum() }
    }
}

struct BareWriter<'a>(&'a Bare);

impl Update for BareWriter<'_> {
    fn replace(&mut self) {
        let mut replaced = self.0.replaced.lock().expect("no writer panics");
        // SAFETY: the lock keeps other writers out; the node is kept until the subject's drop.
        replaced.push(Replaced(unsafe { self.0.chain.replace() }));
    }

    fn retire(&mut self, _value: u64) {
        unreachable!("not in the engine's skills");
    }
}
