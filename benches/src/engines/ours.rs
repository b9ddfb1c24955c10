//! Our own flavors, each over `rcu_core`'s safe containers: a `List`, and an `RcuPtr` for the `retire` cases.

use std::marker::PhantomData;
use std::sync::LazyLock;

use rcu_core::domain::{Handle, Options, Strategy};
use rcu_core::flavor::{epoch::Epoch, membarrier::Membarrier, qsbr, qsbr::Qsbr};
use rcu_core::{Domain, Flavor, Links, List, RcuPtr, linked};

use crate::engine::{Engine, Reader, Section, Skills, Subject, Update, Writer};
use crate::node::{SIZE, Tally, in_order};

/// The engines.
pub const ALL: [Engine; 5] = [
    Engine {
        name: "membarrier",
        start: || Box::new(Ours::<_, ByFlavor>::new(Membarrier, Some(Membarrier::domain()))),
        skills: Skills::RCU,
    },
    Engine {
        name: "membarrier-handle",
        start: || Box::new(Ours::<_, ByHandle>::new(Membarrier, Some(Membarrier::domain()))),
        skills: Skills::RCU,
    },
    Engine {
        name: "qsbr",
        start: || Box::new(Ours::<_, Registered>::new(Qsbr, Some(Qsbr::domain()))),
        skills: Skills::RCU,
    },
    Engine { name: "epoch", start: || Box::new(Ours::<_, ByFlavor>::new(Epoch, None)), skills: Skills::RCU },
    Engine { name: "fence", start: || Box::new(Ours::<_, ByFlavor>::new(&*FENCE, Some(&FENCE))), skills: Skills::RCU },
];

/// A domain of the fallback for systems without `membarrier(2)`.
static FENCE: LazyLock<Domain> = LazyLock::new(|| {
    let mut options = Options::default();
    options.strategy = Strategy::Fence;
    Domain::with_options(options)
});

#[repr(C)]
struct Node {
    value: u64,
    links: Links,
    rest: [u64; 2],
    tally: Tally,
}
linked!(Node, links);

const _: () = assert!(size_of::<Node>() == SIZE);

/// The value of an `RcuPtr`, whose head makes it as large as a node.
struct Object {
    _value: [u64; 5],
    _tally: Tally,
}

fn node(value: u64) -> Box<Node> {
    Box::new(Node { value, links: Links::new(), rest: [0; 2], tally: Tally })
}

/// How a reader of a flavor enters its sections.
trait Enter<'s, F: Flavor>: Sized {
    fn new(flavor: &'s F) -> Self;

    fn enter<R>(&mut self, work: impl FnOnce(&F::Guard<'_>) -> R) -> R;

    #[inline(always)]
    fn quiescent(&mut self) {}
}

/// What makes a reader: a name for an `Enter` of any lifetime.
trait Way<F: Flavor>: Send + Sync + 'static {
    type Enter<'s>: Enter<'s, F>
    where
        F: 's;
}

/// By the flavor itself: `read_lock`.
struct ByFlavor;

impl<F: Flavor + 'static> Way<F> for ByFlavor {
    type Enter<'s> = &'s F;
}

impl<'s, F: Flavor> Enter<'s, F> for &'s F {
    fn new(flavor: &'s F) -> Self {
        flavor
    }

    #[inline(always)]
    fn enter<R>(&mut self, work: impl FnOnce(&F::Guard<'_>) -> R) -> R {
        work(&self.read_lock())
    }
}

/// By a reader that was registered by hand.
struct ByHandle;

impl Way<Membarrier> for ByHandle {
    type Enter<'s> = Handle<'static>;
}

impl<'s> Enter<'s, Membarrier> for Handle<'static> {
    fn new(_flavor: &'s Membarrier) -> Self {
        Membarrier::domain().handle()
    }

    #[inline(always)]
    fn enter<R>(&mut self, work: impl FnOnce(&<Membarrier as Flavor>::Guard<'_>) -> R) -> R {
        work(&self.read_lock())
    }
}

/// By a reader that announces quiescent states.
struct Registered;

impl Way<Qsbr> for Registered {
    type Enter<'s> = qsbr::Reader<'static>;
}

impl<'s> Enter<'s, Qsbr> for qsbr::Reader<'static> {
    fn new(_flavor: &'s Qsbr) -> Self {
        Qsbr::register()
    }

    #[inline(always)]
    fn enter<R>(&mut self, work: impl FnOnce(&<Qsbr as Flavor>::Guard<'_>) -> R) -> R {
        work(&self.read_lock())
    }

    #[inline(always)]
    fn quiescent(&mut self) {
        self.quiescent_state();
    }
}

struct Ours<F: Flavor, W> {
    flavor: F,
    domain: Option<&'static Domain>,
    list: List<Node, F>,
    object: RcuPtr<Object, F>,
    _way: PhantomData<W>,
}

impl<F: Flavor + Copy, W> Ours<F, W> {
    fn new(flavor: F, domain: Option<&'static Domain>) -> Self {
        let list = List::new(flavor);
        in_order(node).for_each(|node| list.lock().push_back(node));
        Self { flavor, domain, list, object: RcuPtr::new(flavor, None), _way: PhantomData }
    }
}

impl<F: Flavor + Send + Sync + Copy + 'static, W: Way<F>> Subject for Ours<F, W> {
    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(OurReader::<F, W> { subject: self, enter: W::Enter::new(&self.flavor) })
    }

    fn writer(&self) -> Box<dyn Writer + '_> {
        Box::new(OurWriter(self))
    }

    fn synchronize(&self) {
        self.flavor.synchronize();
    }

    fn grace_periods(&self) -> Option<u64> {
        self.domain.map(Domain::grace_periods)
    }

    fn hold(&self, inside: &mut dyn FnMut()) {
        let _guard = self.flavor.read_lock();
        inside();
    }

    fn drain(&self) {
        self.flavor.barrier();
    }
}

struct OurReader<'s, F: Flavor + 's, W: Way<F>> {
    subject: &'s Ours<F, W>,
    enter: W::Enter<'s>,
}

impl<F: Flavor, W: Way<F>> Section for OurReader<'_, F, W> {
    #[inline(always)]
    fn section(&mut self, inside: impl FnOnce()) {
        self.enter.enter(
            #[inline(always)]
            |_| inside(),
        );
    }

    #[inline(always)]
    fn walk(&mut self) -> u64 {
        let list = &self.subject.list;
        self.enter.enter(
            #[inline(always)]
            |guard| list.iter(guard).map(|node| node.value).sum(),
        )
    }

    #[inline(always)]
    fn quiescent(&mut self) {
        self.enter.quiescent();
    }
}

struct OurWriter<'s, F: Flavor, W>(&'s Ours<F, W>);

impl<F: Flavor, W> Update for OurWriter<'_, F, W> {
    fn replace(&mut self) {
        let mut list = self.0.list.lock();
        let mut first = None;
        list.retain(|node| {
            let keep = first.is_some();
            first.get_or_insert(node.value);
            keep
        });
        list.push_back(node(first.expect("the list is never empty")));
    }

    #[inline]
    fn retire(&mut self, value: u64) {
        drop(self.0.object.replace(Some(Object { _value: [value; 5], _tally: Tally })));
    }
}
