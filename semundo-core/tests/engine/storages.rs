//! Other ways to keep undo lists: the engine does the same over them.

use std::sync::{Arc, Mutex};

use rcu_core::Flavor;
use rcu_core::flavor::epoch::Epoch;
use semundo_core::engine::{Credentials, Engine, Limits, RcuUndoList, SemUndo, ThreadParking, UndoStorage};

use crate::{op, undo};

/// A vector behind a lock.
#[derive(Default)]
struct Locked(Mutex<Vec<Arc<SemUndo>>>);

impl<F: Flavor> UndoStorage<F> for Locked {
    type Found<'g>
        = Arc<SemUndo>
    where
        F: 'g;

    fn new(_flavor: &F) -> Self {
        Self::default()
    }

    fn find<'g>(&'g self, semid: i32, _section: &'g F::Guard<'_>) -> Option<Arc<SemUndo>> {
        let entries = self.0.lock().unwrap();
        entries.iter().find(|entry| entry.semid() == semid && !entry.is_removed()).cloned()
    }

    fn insert(&self, entry: Arc<SemUndo>) {
        self.0.lock().unwrap().insert(0, entry);
    }

    fn sweep(&self) {
        self.0.lock().unwrap().retain(|entry| !entry.is_removed());
    }

    fn pass(&self, visit: impl FnMut(&Arc<SemUndo>)) {
        self.0.lock().unwrap().iter().for_each(visit);
    }
}

fn lives<L: UndoStorage<Epoch>>() -> String {
    let engine = Engine::<Epoch, ThreadParking, L>::with_limits(Epoch, Limits::default());
    let process = engine.process(Credentials::root(), 1).unwrap();
    let sets = [(); 70].map(|()| process.semget(0, 2, 0o600).unwrap());
    let other = process.fork(2).unwrap();
    for (number, semid) in sets.iter().enumerate() {
        other.semop(*semid, &[undo(0, number as i16), op(1, 1), undo(1, -1)]).unwrap();
    }
    sets[10..20].iter().for_each(|semid| process.rmid(*semid).unwrap());
    let mut text = std::io::read_to_string(engine.open_semundo(2).unwrap()).unwrap();
    assert_eq!(text.lines().count(), 60);
    other.exit();
    for semid in sets[..10].iter().chain(&sets[20..]) {
        text += &format!("{:?}", process.getall(*semid).unwrap());
    }
    text
}

#[test]
fn the_same_over_each() {
    assert_eq!(lives::<Locked>(), lives::<RcuUndoList<Epoch>>());
}
