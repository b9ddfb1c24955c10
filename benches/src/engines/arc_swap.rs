//! arc-swap: a section is a `load`; the list is one value behind an `Arc`, and a writer replaces it whole.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::engine::{Engine, Reader, Section, Skills, Subject, Update, Writer};
use crate::node::{Chain, Object};

/// The engine.
pub const ARC_SWAP: Engine = Engine { name: "arc-swap", start: || Box::new(Swap::new()), skills: Skills::RETIRE };

struct Swap {
    list: ArcSwap<Chain>,
    object: ArcSwap<Object>,
}

impl Swap {
    fn new() -> Self {
        Self { list: ArcSwap::from_pointee(Chain::new()), object: ArcSwap::from_pointee(Object::new(0)) }
    }
}

impl Subject for Swap {
    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(SwapReader(self))
    }

    fn writer(&self) -> Box<dyn Writer + '_> {
        Box::new(SwapWriter(self))
    }
}

struct SwapReader<'a>(&'a Swap);

impl Section for SwapReader<'_> {
    #[inline(always)]
    fn section(&mut self, inside: impl FnOnce()) {
        let _list = self.0.list.load();
        inside();
    }

    #[inline(always)]
    fn walk(&mut self) -> u64 {
        let list = self.0.list.load();
        // SAFETY: nodes of this engine live as long as their list.
        unsafe { list.sum() }
    }
}

struct SwapWriter<'a>(&'a Swap);

impl Update for SwapWriter<'_> {
    fn replace(&mut self) {
        self.0.list.store(Arc::new(Chain::new()));
    }

    #[inline]
    fn retire(&mut self, value: u64) {
        self.0.object.store(Arc::new(Object::new(value)));
    }
}
