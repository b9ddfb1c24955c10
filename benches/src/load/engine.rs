//! `semundo_core`'s engine as a subject, over each of its storages: one table.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, RwLock};

use arc_swap::ArcSwap;
use rcu_core::Flavor;
use rcu_core::flavor::{epoch::Epoch, membarrier::Membarrier, qsbr::Qsbr};
use semundo_core::engine::{
    Credentials, Engine, IPC_CREAT, IPC_PRIVATE, Limits, Process, RcuUndoList, SEM_UNDO, SemBuf, ThreadEngine,
    ThreadParking, UndoFile, UndoStorage,
};
use seqfile_core::{SeekFrom, SeqFile};

use super::calls::Calls;
use super::run::{Hammer, Lister, Subject};
use super::storage::{self, Behind, Entries};
use super::writer::{Tally, Writer};

/// One engine of the table.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// Its name in the report.
    pub name: &'static str,
    /// Makes an engine without sets and processes.
    pub start: fn() -> Box<dyn Subject>,
}

/// Ours: RCU lists, by flavor; then the others. Those have no readers under RCU but for the sets and processes, which are `membarrier`'s.
pub const ALL: [Contender; 7] = [
    Contender { name: "membarrier", start: start::<Membarrier, RcuUndoList<Membarrier>> },
    Contender { name: "qsbr", start: start::<Qsbr, RcuUndoList<Qsbr>> },
    Contender { name: "epoch", start: start::<Epoch, RcuUndoList<Epoch>> },
    Contender { name: "arc-swap", start: start::<Membarrier, Behind<ArcSwap<Entries>>> },
    Contender { name: "std-mutex", start: start::<Membarrier, Behind<Mutex<Entries>>> },
    Contender { name: "std-rwlock", start: start::<Membarrier, Behind<RwLock<Entries>>> },
    Contender { name: "parking-lot-rwlock", start: start::<Membarrier, Behind<parking_lot::RwLock<Entries>>> },
];

/// A flavor that an engine can be made of.
trait Shared: Flavor + Clone + Default + Send + Sync + 'static {}

impl<F: Flavor + Clone + Default + Send + Sync + 'static> Shared for F {}

fn start<F: Shared, L: UndoStorage<F>>() -> Box<dyn Subject> {
    storage::take_waits();
    Box::new(Semaphores::<F, L> {
        engine: Engine::with_limits(F::default(), Limits::default()),
        pids: AtomicI32::new(1),
    })
}

struct Semaphores<F: Shared, L: UndoStorage<F>> {
    engine: ThreadEngine<F, L>,
    /// The next number for a process.
    pids: AtomicI32,
}

impl<F: Shared, L: UndoStorage<F>> Subject for Semaphores<F, L> {
    fn writer(&self, sets: usize, churn: bool) -> Box<dyn Hammer + '_> {
        let pid = self.pids.fetch_add(1, Ordering::Relaxed);
        let process = self.engine.process(Credentials::root(), pid).expect("the number is new");
        Box::new(EngineWriter(Writer::new(EngineCalls { process, pids: &self.pids }, sets, churn)))
    }

    fn reader(&self, read_size: usize) -> Box<dyn Lister + '_> {
        Box::new(EngineReader { engine: &self.engine, files: Vec::new(), bytes: vec![0; read_size] })
    }

    fn reader_waits(&self) -> u64 {
        storage::take_waits()
    }
}

struct EngineCalls<'e, F: Shared, L: UndoStorage<F>> {
    process: Process<F, ThreadParking, L>,
    pids: &'e AtomicI32,
}

impl<F: Shared, L: UndoStorage<F>> Calls for EngineCalls<'_, F, L> {
    fn create(&mut self) -> i32 {
        self.process.semget(IPC_PRIVATE, 1, IPC_CREAT | 0o600).expect("there is room for a set")
    }

    #[inline(always)]
    fn semop(&mut self, semid: i32, by: i16) {
        self.process.semop(semid, &[SemBuf::new(0, by, SEM_UNDO)]).expect("the set is this process's");
    }

    fn remove(&mut self, semid: i32) {
        self.process.rmid(semid).expect("the set is this process's");
    }

    fn take_and_exit(&mut self, semid: i32) {
        let child = self.process.fork(self.pids.fetch_add(1, Ordering::Relaxed)).expect("the number is new");
        child.semop(semid, &[SemBuf::new(0, -1, SEM_UNDO)]).expect("the set is its parent's");
        child.exit();
    }

    fn value(&mut self, semid: i32) -> i32 {
        self.process.getval(semid, 0).expect("the set is this process's")
    }
}

struct EngineWriter<'e, F: Shared, L: UndoStorage<F>>(Writer<EngineCalls<'e, F, L>>);

impl<F: Shared, L: UndoStorage<F>> Hammer for EngineWriter<'_, F, L> {
    fn pid(&self) -> i32 {
        self.0.calls().process.pid()
    }

    fn work(&mut self, done: &dyn Fn() -> bool) -> Tally {
        self.0.work(done)
    }

    fn sets(&self) -> Vec<i32> {
        self.0.sets().collect()
    }

    fn is_balanced(&mut self) -> bool {
        self.0.is_balanced()
    }
}

struct EngineReader<'e, F: Shared, L: UndoStorage<F>> {
    engine: &'e ThreadEngine<F, L>,
    /// Open files, each of a process.
    files: Vec<(i32, UndoFile<F, ThreadParking, L>)>,
    bytes: Vec<u8>,
}

impl<F: Shared, L: UndoStorage<F>> EngineReader<'_, F, L> {
    /// The place in `files` of a process's list, which is opened where it is not yet.
    fn open(&mut self, pid: i32) -> usize {
        self.files.iter().position(|(of, _)| *of == pid).unwrap_or_else(|| {
            let file = self.engine.open_semundo(pid).expect("the process is there until the end");
            let size = self.bytes.len().next_power_of_two().max(4096);
            self.files.push((pid, SeqFile::with_buffer_size(file.into_inner(), size)));
            self.files.len() - 1
        })
    }
}

impl<F: Shared, L: UndoStorage<F>> Lister for EngineReader<'_, F, L> {
    fn list(&mut self, pid: i32) -> usize {
        let at = self.open(pid);
        let file = &mut self.files[at].1;
        let mut entries = 0;
        file.seek(SeekFrom::Start(0)).expect("the beginning is always there");
        loop {
            match file.read(&mut self.bytes).expect("there is memory for a list") {
                0 => return entries,
                n => entries += self.bytes[..n].iter().filter(|byte| **byte == b'\n').count(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::ALL;
    use crate::load::run::run;
    use crate::load::scenario::{self, Scenario};

    #[test]
    fn a_reader_lists_what_a_writer_has() {
        for engine in ALL {
            let subject = (engine.start)();
            let mut writer = subject.writer(5, true);
            for read_size in [1, 4096] {
                assert_eq!(subject.reader(read_size).list(writer.pid()), 5, "{}", engine.name);
            }
            assert!(writer.is_balanced());
            assert_eq!(writer.sets().len(), 5);
        }
    }

    #[test]
    fn entries_come_and_go_with_the_sets() {
        for engine in ALL {
            let subject = (engine.start)();
            let mut writer = subject.writer(50, true);
            let before = writer.sets();
            writer.work(&|| true);
            let after = writer.sets();
            assert!(after.iter().any(|semid| !before.contains(semid)), "{}: no set was made", engine.name);
            assert_eq!(subject.reader(4096).list(writer.pid()), 50, "{}", engine.name);
            assert!(writer.is_balanced(), "{}", engine.name);
        }
    }

    /// Each scenario, with short lists; its own checks fail where a list or a value is not as it must be.
    #[test]
    fn every_engine_goes_through_every_scenario() {
        for scenario in scenario::all() {
            let scenario = Scenario { sets: scenario.sets.min(100), ..scenario };
            for engine in ALL {
                run(engine.start, &scenario, Duration::from_millis(1));
            }
        }
    }
}
