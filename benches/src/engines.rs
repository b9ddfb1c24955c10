//! The table of engines, a file each.

mod arc_swap;
mod bare;
mod crossbeam;
mod haphazard;
#[cfg(feature = "liburcu")]
mod liburcu;
mod ours;
mod rwlock;
mod seize;

use crate::engine::Engine;

/// All engines, in the order in which a run measures them.
pub fn all() -> Vec<Engine> {
    let mut all = vec![bare::BARE];
    #[cfg(feature = "liburcu")]
    all.extend(liburcu::ALL);
    all.extend([crossbeam::CROSSBEAM, arc_swap::ARC_SWAP, seize::SEIZE, haphazard::HAPHAZARD]);
    all.extend(rwlock::ALL);
    all.extend(ours::ALL);
    all
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::all;
    use crate::engine::{SECTIONS, WALKS};
    use crate::node::{NODES, SUM};

    /// The count of freed objects is the process's, so tests take turns.
    fn turn() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn every_engine_walks_the_whole_list_whatever_was_replaced() {
        let _turn = turn();
        for engine in all() {
            let subject = (engine.start)();
            let walk = || subject.reader().walks(WALKS);
            assert_eq!(walk(), SUM * WALKS, "{}", engine.name);
            subject.reader().sections(SECTIONS);
            let mut writer = subject.writer();
            (0..NODES + NODES / 2).for_each(|_| writer.replace());
            drop(writer);
            assert_eq!(walk(), SUM * WALKS, "{} after replacements", engine.name);
        }
    }

    #[test]
    fn readers_and_a_writer_go_together() {
        let _turn = turn();
        for engine in all() {
            let subject = (engine.start)();
            std::thread::scope(|scope| {
                scope.spawn(|| subject.reader().walks(200 * WALKS));
                scope.spawn(|| subject.reader().sections(SECTIONS));
                let mut writer = subject.writer();
                (0..2000).for_each(|_| writer.replace());
            });
            assert_eq!(subject.reader().walks(WALKS), SUM * WALKS, "{}", engine.name);
        }
    }

    #[test]
    fn every_engine_that_reclaims_is_seen_to_do_so() {
        let _turn = turn();
        for engine in all().into_iter().filter(|engine| engine.skills.retire) {
            let subject = (engine.start)();
            subject.drain();
            let before = subject.dropped();
            let peak = subject.writer().retire_peak(50_000);
            assert!(peak <= 50_000, "{}: {peak}", engine.name);
            subject.writer().retire(1000);
            subject.drain();
            let dropped = subject.dropped() - before;
            assert!((50_000..=51_000).contains(&dropped), "{}: {dropped} of 51,000", engine.name);
        }
    }

    #[test]
    fn every_engine_that_waits_comes_back() {
        let _turn = turn();
        for engine in all().into_iter().filter(|engine| engine.skills.synchronize) {
            let subject = (engine.start)();
            let before = subject.grace_periods();
            subject.synchronize();
            assert!(before.is_none() || subject.grace_periods() > before, "{}", engine.name);
        }
    }
}
