//! haphazard: a hazard pointer a reader, which protects the whole list; a writer replaces the whole list.
//!
//! Hand over hand from node to node is no option for a list whose nodes are removed: a hazard pointer says nothing of
//! what follows a node that was unlinked meanwhile, so that needs marked links and walks that start again. The hazard
//! pointer is acquired once by a reader, as its documentation advises.

use haphazard::{AtomicPtr, Domain, HazardPointer};

use crate::engine::{Engine, Reader, Section, Skills, Subject, Update, Writer};
use crate::node::{Chain, Object};

/// The engine.
pub const HAPHAZARD: Engine =
    Engine { name: "haphazard", start: || Box::new(Haphazard::new()), skills: Skills::RETIRE };

struct Haphazard {
    list: AtomicPtr<Chain>,
    object: AtomicPtr<Object>,
}

impl Haphazard {
    fn new() -> Self {
        Self { list: AtomicPtr::from(Box::new(Chain::new())), object: AtomicPtr::from(Box::new(Object::new(0))) }
    }
}

impl Drop for Haphazard {
    fn drop(&mut self) {
        // SAFETY: both are boxes that the subject owns, and no reader is left.
        unsafe { drop((Box::from_raw(self.list.load_ptr()), Box::from_raw(self.object.load_ptr()))) };
    }
}

impl Subject for Haphazard {
    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(HaphazardReader { subject: self, hazard: HazardPointer::new() })
    }

    fn writer(&self) -> Box<dyn Writer + '_> {
        Box::new(HaphazardWriter(self))
    }

    fn drain(&self) {
        Domain::global().eager_reclaim();
    }
}

struct HaphazardReader<'a> {
    subject: &'a Haphazard,
    hazard: HazardPointer<'static>,
}

impl Section for HaphazardReader<'_> {
    #[inline(always)]
    fn section(&mut self, inside: impl FnOnce()) {
        let _list = self.subject.list.safe_load(&mut self.hazard);
        inside();
        self.hazard.reset_protection();
    }

    #[inline(always)]
    fn walk(&mut self) -> u64 {
        let list = self.subject.list.safe_load(&mut self.hazard).expect("there is always a list");
        // SAFETY: nodes of this engine live as long as their list.
        let sum = unsafe { list.sum() };
        self.hazard.reset_protection();
        sum
    }
}

struct HaphazardWriter<'a>(&'a Haphazard);

impl Update for HaphazardWriter<'_> {
    fn replace(&mut self) {
        let old = self.0.list.swap(Box::new(Chain::new())).expect("there is always a list");
        // SAFETY: it was taken out just now, so nobody else retires it.
        unsafe { old.retire() };
    }

    #[inline]
    fn retire(&mut self, value: u64) {
        let old = self.0.object.swap(Box::new(Object::new(value))).expect("there is always an object");
        // SAFETY: it was taken out just now, so nobody else retires it.
        unsafe { old.retire() };
    }
}
