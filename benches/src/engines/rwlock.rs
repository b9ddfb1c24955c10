//! The reader-writer locks: a section holds the lock shared; what is replaced is freed at once, outside of the lock.

use crate::engine::{Engine, Reader, Section, Skills, Subject, Update, Writer};
use crate::node::{Chain, Object};

/// The engines.
pub const ALL: [Engine; 2] = [
    Engine {
        name: "std-rwlock",
        start: || Box::new(Locked::<std::sync::RwLock<State>>::new()),
        skills: Skills::RETIRE,
    },
    Engine {
        name: "parking-lot-rwlock",
        start: || Box::new(Locked::<parking_lot::RwLock<State>>::new()),
        skills: Skills::RETIRE,
    },
];

/// What the lock guards.
struct State {
    chain: Chain,
    object: Box<Object>,
}

/// A lock with the state in it.
trait Lock: Send + Sync {
    fn new(state: State) -> Self;
    fn shared<R>(&self, work: impl FnOnce(&State) -> R) -> R;
    fn exclusive<R>(&self, work: impl FnOnce(&mut State) -> R) -> R;
}

impl Lock for std::sync::RwLock<State> {
    fn new(state: State) -> Self {
        Self::new(state)
    }

    #[inline(always)]
    fn shared<R>(&self, work: impl FnOnce(&State) -> R) -> R {
        work(&self.read().expect("nobody panics under the lock"))
    }

    #[inline(always)]
    fn exclusive<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.write().expect("nobody panics under the lock"))
    }
}

impl Lock for parking_lot::RwLock<State> {
    fn new(state: State) -> Self {
        Self::new(state)
    }

    #[inline(always)]
    fn shared<R>(&self, work: impl FnOnce(&State) -> R) -> R {
        work(&self.read())
    }

    #[inline(always)]
    fn exclusive<R>(&self, work: impl FnOnce(&mut State) -> R) -> R {
        work(&mut self.write())
    }
}

struct Locked<L>(L);

impl<L: Lock> Locked<L> {
    fn new() -> Self {
        Self(L::new(State { chain: Chain::new(), object: Box::new(Object::new(0)) }))
    }
}

impl<L: Lock> Subject for Locked<L> {
    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(LockedReader(&self.0))
    }

    fn writer(&self) -> Box<dyn Writer + '_> {
        Box::new(LockedWriter(&self.0))
    }
}

struct LockedReader<'a, L>(&'a L);

impl<L: Lock> Section for LockedReader<'_, L> {
    #[inline(always)]
    fn section(&mut self, inside: impl FnOnce()) {
        self.0.shared(|_| inside());
    }

    #[inline(always)]
    fn walk(&mut self) -> u64 {
        // SAFETY: nodes are removed under the exclusive lock only.
        self.0.shared(|state| unsafe { state.chain.sum() })
    }
}

struct LockedWriter<'a, L>(&'a L);

impl<L: Lock> Update for LockedWriter<'_, L> {
    fn replace(&mut self) {
        // SAFETY: the lock keeps other writers out, and readers, so that none holds the node.
        let old = unsafe { Box::from_raw(self.0.exclusive(|state| state.chain.replace())) };
        drop(old);
    }

    fn retire(&mut self, value: u64) {
        let new = Box::new(Object::new(value));
        drop(self.0.exclusive(|state| std::mem::replace(&mut state.object, new)));
    }
}
