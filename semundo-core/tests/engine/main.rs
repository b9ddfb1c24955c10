//! The engine by its public calls: each rule of `ipc/sem.c` by example, over several ways to keep undo lists.
#![cfg(feature = "std")]
#![allow(missing_docs)]

mod calls;
mod ids;
mod lists;
mod locks;
mod queues;
mod storages;
mod threads;
mod undo;

use rcu_core::flavor::epoch::Epoch;
use semundo_core::engine::{Credentials, Engine, SemBuf, ThreadEngine};
use semundo_core::types::SemId;

type Process =
    semundo_core::engine::Process<Epoch, semundo_core::engine::ThreadParking, semundo_core::engine::RcuUndoList<Epoch>>;

const UNDO: i16 = semundo_core::engine::SEM_UNDO;
const NOWAIT: i16 = semundo_core::engine::IPC_NOWAIT;

const fn op(semaphore: u16, amount: i16) -> SemBuf {
    SemBuf::new(semaphore, amount, 0)
}

const fn nowait(semaphore: u16, amount: i16) -> SemBuf {
    SemBuf::new(semaphore, amount, NOWAIT)
}

const fn undo(semaphore: u16, amount: i16) -> SemBuf {
    SemBuf::new(semaphore, amount, UNDO)
}

/// An engine, a process of the super user with pid 1, and a set of its with these values.
fn engine(values: &[u16]) -> (ThreadEngine<Epoch>, Process, SemId) {
    let engine = Engine::new(Epoch);
    let process = engine.process(Credentials::root(), 1).unwrap();
    let semid = process.semget(0, values.len() as i32, 0o600).unwrap();
    process.setall(semid, values).unwrap();
    (engine, process, semid)
}

/// The text of a process's undo list.
fn semundo(engine: &ThreadEngine<Epoch>, pid: i32) -> String {
    std::io::read_to_string(engine.open_semundo(pid).unwrap()).unwrap()
}

/// Tells threads that loop to end, when it is dropped: after a failed assertion too.
#[derive(Default)]
struct Ending(std::sync::atomic::AtomicBool);

impl Ending {
    fn has_come(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn at_drop(&self) -> impl Drop {
        struct AtDrop<'a>(&'a Ending);
        impl Drop for AtDrop<'_> {
            fn drop(&mut self) {
                self.0.0.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
        AtDrop(self)
    }
}
