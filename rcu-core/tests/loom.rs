//! Models of readers, writers and grace periods. Loom runs every interleaving of the small ones, of others those with few preemptions.
//!
//! Built with `--cfg loom` alone; empty otherwise. An object is a loom cell that its reclamation writes to, so that one which comes
//! too early is an access under a reader: loom says `Causality violation`.
#![cfg(loom)]
#![allow(missing_docs)]

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use rcu_core::domain::Options;
use rcu_core::{Domain, Flavor, RcuCell, RcuPtr};

const OLD: u32 = 0x601d;
const NEW: u32 = 0x4e3;
const DEAD: u32 = 0xdead;

/// Every schedule.
const ALL: Option<usize> = None;

/// Runs a model with every schedule of at most so many preemptions.
fn check(preemptions: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 10_000;
    // Nothing from the environment ends a model before its time.
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.checkpoint_file = None;
    builder.check(model);
}

/// An object: alive until it is reclaimed, which nobody may see.
struct Object(UnsafeCell<u32>);

// SAFETY: loom panics where accesses of two threads meet.
unsafe impl Send for Object {}
// SAFETY: as above.
unsafe impl Sync for Object {}

impl Object {
    fn new(value: u32) -> Self {
        Self(UnsafeCell::new(value))
    }

    fn write(&self, value: u32) {
        // SAFETY: loom panics where another thread's access is not ordered with this one.
        self.0.with_mut(|object| unsafe { *object = value });
    }

    fn read(&self) -> u32 {
        // SAFETY: as above.
        self.0.with(|object| unsafe { *object })
    }
}

/// A domain, and an object that is replaced by another.
struct World {
    domain: Domain,
    current: AtomicUsize,
    objects: [Object; 2],
}

impl World {
    fn new(options: Options) -> Arc<Self> {
        Arc::new(Self {
            domain: Domain::with_options(options),
            current: AtomicUsize::new(0),
            objects: [Object::new(OLD), Object::new(0)],
        })
    }

    /// Publishes the new object in place of the old one.
    fn replace(&self) {
        self.objects[1].write(NEW);
        self.current.store(1, Ordering::Release);
    }

    fn reclaim(&self) {
        self.objects[0].write(DEAD);
    }

    /// Reads in a section.
    fn read(&self) {
        let current = self.current.load(Ordering::Acquire);
        assert_eq!(self.objects[current].read(), [OLD, NEW][current], "reclaimed under a reader");
    }
}

fn bound(bound: usize) -> Options {
    let mut options = Options::default();
    options.bound = bound;
    options
}

/// Starts a thread that has its own share in the world.
fn spawn(world: &Arc<World>, work: impl FnOnce(&Arc<World>) + 'static) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || work(&world))
}

#[test]
fn synchronize_waits_for_a_handle() {
    check(ALL, || {
        let world = World::new(Options::default());
        let reader = spawn(&world, |world| {
            let mut handle = world.domain.handle();
            for _ in 0..2 {
                let _guard = handle.read_lock();
                world.read();
            }
        });
        world.replace();
        world.domain.synchronize();
        world.reclaim();
        reader.join().unwrap();
    });
}

#[test]
fn synchronize_waits_for_a_reader_that_registers_meanwhile() {
    check(Some(5), || {
        let world = World::new(Options::default());
        let reader = spawn(&world, |world| {
            let outer = world.domain.read_lock();
            world.read();
            drop(outer);
            // Another reader's section, in the slot that the first one has released.
            let _guard = world.domain.read_lock();
            world.read();
        });
        world.replace();
        world.domain.synchronize();
        world.reclaim();
        reader.join().unwrap();
    });
}

#[test]
fn a_slot_passes_from_one_thread_to_another() {
    check(Some(2), || {
        let world = World::new(Options::default());
        let readers = [(); 2].map(|()| {
            spawn(&world, |world| {
                let _guard = world.domain.read_lock();
                world.read();
            })
        });
        world.replace();
        world.domain.synchronize();
        world.reclaim();
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

#[test]
fn two_synchronizers_share() {
    check(Some(2), || {
        let world = World::new(Options::default());
        let writer = spawn(&world, |world| {
            world.replace();
            world.domain.synchronize();
            world.reclaim();
        });
        let other = spawn(&world, |world| world.domain.synchronize());
        {
            let mut handle = world.domain.handle();
            let _guard = handle.read_lock();
            world.read();
        }
        writer.join().unwrap();
        other.join().unwrap();
        assert!(world.domain.grace_periods() <= 2);
    });
}

#[test]
fn a_grace_period_is_polled() {
    check(ALL, || {
        let world = World::new(Options::default());
        let reader = spawn(&world, |world| {
            let mut handle = world.domain.handle();
            let _guard = handle.read_lock();
            world.read();
        });
        world.replace();
        let cookie = world.domain.start_poll();
        while !world.domain.poll(&cookie) {
            thread::yield_now();
        }
        world.reclaim();
        reader.join().unwrap();
    });
}

#[test]
fn a_grace_period_that_passed_for_another_is_polled() {
    check(Some(2), || {
        let world = World::new(Options::default());
        let reader = spawn(&world, |world| {
            let mut handle = world.domain.handle();
            let _guard = handle.read_lock();
            world.read();
        });
        let other = spawn(&world, |world| world.domain.synchronize());
        world.replace();
        let cookie = world.domain.start_poll();
        if world.domain.poll(&cookie) {
            world.reclaim();
        }
        reader.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn barrier_runs_what_was_deferred() {
    check(ALL, || {
        let world = World::new(Options::default());
        let reader = spawn(&world, |world| {
            let mut handle = world.domain.handle();
            let _guard = handle.read_lock();
            world.read();
        });
        world.replace();
        let reclaimed = Arc::clone(&world);
        world.domain.defer(move || reclaimed.reclaim());
        world.domain.barrier();
        assert_eq!(world.objects[0].read(), DEAD);
        assert_eq!(world.domain.unreclaimed(), 0);
        reader.join().unwrap();
    });
}

#[test]
fn barrier_waits_for_what_another_thread_deferred() {
    check(ALL, || {
        let world = World::new(Options::default());
        let deferred = Arc::new(AtomicUsize::new(0));
        let writer = {
            let deferred = Arc::clone(&deferred);
            spawn(&world, move |world| {
                world.replace();
                let reclaimed = Arc::clone(world);
                world.domain.defer(move || reclaimed.reclaim());
                deferred.store(1, Ordering::Release);
                world.domain.barrier();
            })
        };
        let was_deferred = deferred.load(Ordering::Acquire) == 1;
        world.domain.barrier();
        if was_deferred {
            assert_eq!(world.objects[0].read(), DEAD);
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_writer_at_the_bound_waits_for_readers() {
    check(ALL, || {
        let world = World::new(bound(1));
        let reader = spawn(&world, |world| {
            let mut handle = world.domain.handle();
            let _guard = handle.read_lock();
            world.read();
        });
        world.replace();
        let reclaimed = Arc::clone(&world);
        world.domain.defer(move || reclaimed.reclaim());
        assert_eq!(world.domain.unreclaimed(), 0, "the bound was not kept");
        assert_eq!(world.objects[0].read(), DEAD);
        reader.join().unwrap();
    });
}

#[test]
fn two_writers_at_the_bound_wait_for_one_another() {
    check(Some(3), || {
        let world = World::new(bound(1));
        let writer = spawn(&world, |world| {
            world.domain.defer(|| ());
            assert!(world.domain.unreclaimed() <= 1, "the bound was not kept");
        });
        world.replace();
        let reclaimed = Arc::clone(&world);
        world.domain.defer(move || reclaimed.reclaim());
        writer.join().unwrap();
        assert_eq!(world.objects[0].read(), DEAD);
        assert_eq!(world.domain.unreclaimed(), 0);
    });
}

#[test]
fn dropping_a_domain_runs_what_was_deferred() {
    check(ALL, || {
        let domain = Arc::new(Domain::new());
        let object = Arc::new(Object::new(OLD));
        let writer = {
            let (domain, object) = (Arc::clone(&domain), Arc::clone(&object));
            thread::spawn(move || {
                let _guard = domain.read_lock();
                domain.defer(move || object.write(DEAD));
            })
        };
        drop(domain.read_lock());
        writer.join().unwrap();
        drop(domain);
        assert_eq!(object.read(), DEAD);
    });
}

#[test]
fn synchronize_waits_for_a_quiescent_state() {
    check(ALL, || {
        let world = World::new(Options::default());
        let reader = spawn(&world, |world| {
            let mut reader = world.domain.register();
            world.read();
            reader.quiescent_state();
            world.read();
        });
        world.replace();
        world.domain.synchronize();
        world.reclaim();
        reader.join().unwrap();
    });
}

#[test]
fn synchronize_does_not_wait_for_an_offline_reader() {
    check(ALL, || {
        let world = World::new(Options::default());
        let reader = spawn(&world, |world| {
            let mut reader = world.domain.register();
            world.read();
            reader.offline(thread::yield_now);
            world.read();
        });
        world.replace();
        world.domain.synchronize();
        world.reclaim();
        reader.join().unwrap();
    });
}

#[test]
fn two_quiescent_readers_synchronize() {
    check(Some(3), || {
        let world = World::new(Options::default());
        let other = spawn(&world, |world| {
            let mut reader = world.domain.register();
            world.read();
            reader.synchronize();
            world.read();
        });
        let mut reader = world.domain.register();
        world.replace();
        reader.synchronize();
        world.reclaim();
        drop(reader);
        other.join().unwrap();
    });
}

#[test]
fn a_quiescent_reader_helps_at_the_bound() {
    check(Some(2), || {
        let world = World::new(bound(1));
        let other = spawn(&world, |world| {
            let mut reader = world.domain.register();
            world.read();
            reader.quiescent_state();
        });
        let mut reader = world.domain.register();
        world.replace();
        let reclaimed = Arc::clone(&world);
        // An online reader does not wait here, but where it is quiescent.
        world.domain.defer(move || reclaimed.reclaim());
        reader.quiescent_state();
        assert_eq!(world.domain.unreclaimed(), 0);
        drop(reader);
        other.join().unwrap();
        assert_eq!(world.objects[0].read(), DEAD);
    });
}

/// An object that is reclaimed by its drop.
struct Version(Arc<Object>, u32);

impl Version {
    fn new(number: u32) -> Self {
        Self(Arc::new(Object::new(OLD)), number)
    }

    fn check(&self) {
        assert_eq!(self.0.read(), OLD, "reclaimed under a reader");
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        self.0.write(DEAD);
    }
}

#[test]
fn a_replaced_pointer_outlives_its_readers() {
    check(ALL, || {
        let pointer = Arc::new(RcuPtr::new(Domain::new(), Some(Version::new(0))));
        let reader = {
            let pointer = Arc::clone(&pointer);
            thread::spawn(move || {
                let guard = pointer.read();
                pointer.dereference(&guard).unwrap().check();
            })
        };
        let old = pointer.replace(Some(Version::new(1))).unwrap();
        assert_eq!(old.synchronize().1, 0);
        reader.join().unwrap();
    });
}

#[test]
fn no_update_of_a_cell_is_lost() {
    check(Some(2), || {
        let cell = Arc::new(RcuCell::new(Domain::with_options(bound(1)), Version::new(0)));
        let next = |old: &Version| {
            old.check();
            Version::new(old.1 + 1)
        };
        let writer = {
            let cell = Arc::clone(&cell);
            thread::spawn(move || drop(cell.update(next)))
        };
        drop(cell.update(next));
        writer.join().unwrap();
        let guard = cell.read();
        assert_eq!(cell.borrow(&guard).1, 2);
    });
}
