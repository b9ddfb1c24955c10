//! seize: a collector of the subject's own, a guard a section, `protect` at every link.

use std::sync::atomic::{AtomicPtr, Ordering};

use seize::{Collector, Guard, reclaim};

use crate::engine::{Engine, Reader, Section, Skills, Subject, Update, Writer};
use crate::node::{Chain, Object};

/// The engine.
pub const SEIZE: Engine = Engine { name: "seize", start: || Box::new(Seize::new()), skills: Skills::RETIRE };

struct Seize {
    chain: Chain,
    object: AtomicPtr<Object>,
    /// Dropped after the readers: frees all that was retired.
    collector: Collector,
}

impl Seize {
    fn new() -> Self {
        let object = AtomicPtr::new(Box::into_raw(Box::new(Object::new(0))));
        Self { chain: Chain::new(), object, collector: Collector::new() }
    }
}

impl Drop for Seize {
    fn drop(&mut self) {
        // SAFETY: the object is a box that the subject owns.
        drop(unsafe { Box::from_raw(*self.object.get_mut()) });
    }
}

impl Subject for Seize {
    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(SeizeReader(self))
    }

    fn writer(&self) -> Box<dyn Writer + '_> {
        Box::new(SeizeWriter(self))
    }

    fn drain(&self) {
        self.collector.enter().flush();
    }
}

struct SeizeReader<'a>(&'a Seize);

impl Section for SeizeReader<'_> {
    #[inline(always)]
    fn section(&mut self, inside: impl FnOnce()) {
        let _guard = self.0.collector.enter();
        inside();
    }

    #[inline(always)]
    fn walk(&mut self) -> u64 {
        let guard = self.0.collector.enter();
        let (mut sum, mut at) = (0_u64, guard.protect(self.0.chain.head(), Ordering::Acquire));
        // SAFETY: a node whose link was loaded through the guard is not freed while it lives.
        while let Some(node) = unsafe { at.as_ref() } {
            at = guard.protect(&node.next, Ordering::Acquire);
            sum = sum.wrapping_add(node.value);
        }
        sum
    }
}

struct SeizeWriter<'a>(&'a Seize);

impl Update for SeizeWriter<'_> {
    fn replace(&mut self) {
        // SAFETY: the harness has one writer; the node is unreachable, and was boxed.
        unsafe { self.0.collector.retire(self.0.chain.replace(), reclaim::boxed) };
    }

    #[inline]
    fn retire(&mut self, value: u64) {
        let old = self.0.object.swap(Box::into_raw(Box::new(Object::new(value))), Ordering::AcqRel);
        // SAFETY: the old object is unreachable, and was boxed.
        unsafe { self.0.collector.retire(old, reclaim::boxed) };
    }
}
