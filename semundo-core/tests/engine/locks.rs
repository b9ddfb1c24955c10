//! Who may be inside at once: calls of one operation on different semaphores, or one call of many operations alone.
//!
//! The engine asks for the time while it holds its locks, so a clock is where a test can look around, and stay for a while. The locks let
//! others overtake on the way in.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rcu_core::flavor::epoch::Epoch;
use semundo_core::engine::{Credentials, Engine, Limits, Parking, RcuUndoList, ThreadParking};

use crate::op;

const NSEMS: usize = 2;

/// How many calls are inside: on each semaphore alone, and on the set.
static SIMPLE: [AtomicU32; NSEMS] = [const { AtomicU32::new(0) }; NSEMS];
static COMPLEX: AtomicU32 = AtomicU32::new(0);

#[derive(Clone, Copy)]
enum Role {
    Nobody,
    Simple(usize),
    Complex,
}

thread_local! {
    static ROLE: Cell<Role> = const { Cell::new(Role::Nobody) };
}

/// Looks who else is inside, for as long as a few turns of other threads take.
fn look() {
    let (mine, others): (&AtomicU32, &[&AtomicU32]) = match ROLE.get() {
        Role::Nobody => return,
        Role::Simple(num) => (&SIMPLE[num], &[&COMPLEX]),
        Role::Complex => (&COMPLEX, &[&SIMPLE[0], &SIMPLE[1]]),
    };
    assert_eq!(mine.fetch_add(1, Ordering::SeqCst), 0, "two of a kind");
    for _ in 0..3 {
        assert!(others.iter().all(|other| other.load(Ordering::SeqCst) == 0), "one that must wait");
        // Long enough for those on their way in to come.
        thread::sleep(Duration::from_micros(if matches!(ROLE.get(), Role::Complex) { 100 } else { 5 }));
    }
    mine.fetch_sub(1, Ordering::SeqCst);
}

struct Probe;

impl Parking for Probe {
    type RawMutex = Yielding;
    type Thread = <ThreadParking as Parking>::Thread;
    type Deadline = <ThreadParking as Parking>::Deadline;

    fn current() -> Self::Thread {
        ThreadParking::current()
    }

    fn deadline(after: Duration) -> Option<Self::Deadline> {
        ThreadParking::deadline(after)
    }

    fn park(deadline: Option<Self::Deadline>) -> bool {
        ThreadParking::park(deadline)
    }

    fn unpark(thread: &Self::Thread) {
        ThreadParking::unpark(thread);
    }

    fn seconds() -> i64 {
        look();
        1
    }
}

/// A lock that others may overtake on the way in.
struct Yielding(parking_lot::RawMutex);

// SAFETY: the lock inside is one.
unsafe impl lock_api::RawMutex for Yielding {
    #[allow(clippy::declare_interior_mutable_const)]
    const INIT: Self = Self(parking_lot::RawMutex::INIT);
    type GuardMarker = <parking_lot::RawMutex as lock_api::RawMutex>::GuardMarker;

    fn lock(&self) {
        if matches!(ROLE.get(), Role::Simple(_)) {
            thread::sleep(Duration::from_micros(50));
        }
        self.0.lock();
    }

    fn try_lock(&self) -> bool {
        self.0.try_lock()
    }

    unsafe fn unlock(&self) {
        // SAFETY: the caller's contract.
        unsafe { self.0.unlock() };
    }
}

#[test]
fn the_locks_keep_out_whom_they_must() {
    let engine = Engine::<Epoch, Probe, RcuUndoList<Epoch>>::with_limits(Epoch, Limits::default());
    let process = engine.process(Credentials::root(), 100).unwrap();
    let semid = process.semget(0, NSEMS as i32, 0o600).unwrap();
    process.setall(semid, &[1000; NSEMS]).unwrap();
    // First on the shortest way, then while somebody sleeps.
    for sleeper in [false, true] {
        let _asleep = sleeper.then(|| process.submit(semid, &[op(0, -i16::MAX)]).unwrap().unwrap());
        thread::scope(|scope| {
            for pid in 1..=3 {
                let process = process.fork(pid).unwrap();
                scope.spawn(move || {
                    for round in 0..200 {
                        let num = (round + pid) % 2;
                        // What takes away looks at no queue, which would take its lock. And seldom enough for the set to be unlocked between them: it takes ten calls.
                        let many = pid == 1 && round % 10 == 0;
                        let ops = if many { &[op(0, -1), op(1, -1)][..] } else { &[op(num as u16, 1)] };
                        ROLE.set(if ops.len() == 1 { Role::Simple(num as usize) } else { Role::Complex });
                        process.semop(semid, ops).unwrap();
                    }
                    ROLE.set(Role::Nobody);
                });
            }
        });
    }
}
