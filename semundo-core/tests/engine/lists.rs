//! Undo lists while they change: what is read is exact, and nothing that was retired stays for good.

use std::collections::BTreeMap;
use std::thread;

use rcu_core::flavor::epoch::Epoch;
use rcu_core::{Domain, Flavor};
use semundo_core::engine::{Credentials, Engine};
use seqfile_core::Errno;

use crate::{Ending, undo};

/// The lines of a file that is read in pieces, by what precedes the adjustments.
fn lines(
    mut read: impl FnMut(&mut [u8]) -> Result<usize, Errno>,
    size: usize,
    words: usize,
) -> BTreeMap<String, String> {
    let (mut text, mut piece) = (Vec::new(), vec![0; size]);
    loop {
        match read(&mut piece).unwrap() {
            0 => break,
            n => text.extend_from_slice(&piece[..n]),
        }
    }
    let text = String::from_utf8(text).unwrap();
    let mut lines = BTreeMap::new();
    for line in text.lines().filter(|line| !line.ends_with("semadj")) {
        let split = line.split_whitespace().collect::<Vec<_>>();
        let other = lines.insert(split[..words].join(" "), split[words..].join(" "));
        assert_eq!(other, None, "twice: {line}");
    }
    lines
}

#[test]
fn what_stays_is_read_once_while_others_come_and_go() {
    let engine = Engine::new(Epoch);
    let process = engine.process(Credentials::root(), 1).unwrap();
    let stays: Vec<i32> = (0..200).map(|_| process.semget(0, 3, 0o600).unwrap()).collect();
    stays.iter().for_each(|semid| process.semop(*semid, &[undo(0, 5), undo(2, 7)]).unwrap());
    let ending = Ending::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            let writer = process.clone_sysvsem(2).unwrap();
            while !ending.has_come() {
                let sets: Vec<i32> = (0..10).map(|_| writer.semget(0, 1, 0o600).unwrap()).collect();
                sets.iter().for_each(|semid| writer.semop(*semid, &[undo(0, 1)]).unwrap());
                // Those that stay are used, too: it moves nothing.
                stays.iter().step_by(7).for_each(|semid| writer.semop(*semid, &[undo(1, 0)]).unwrap());
                sets.iter().for_each(|semid| writer.rmid(*semid).unwrap());
                let child = writer.fork(3).unwrap();
                child.semop(stays[0], &[undo(0, 1)]).unwrap();
                child.exit();
            }
        });
        let _ending = ending.at_drop();
        for size in [1, 13, 100, 4096, 65536] {
            let mut own = engine.open_semundo(1).unwrap();
            let own = lines(|piece| own.read(piece), size, 1);
            let mut table = engine.open_table();
            let table = lines(|piece| table.read(piece), size, 3);
            for semid in &stays {
                assert_eq!(own[&format!("{semid}")], "-5 0 -7");
                assert_eq!(table[&format!("{semid} 1 1")], "-5 0 -7");
            }
        }
    });
    assert_eq!(std::io::read_to_string(engine.open_semundo(1).unwrap()).unwrap().lines().count(), stays.len());
}

#[test]
fn a_file_outlives_its_process() {
    let (engine, process, semid) = crate::engine(&[0]);
    let other = process.fork(2).unwrap();
    let mut file = engine.open_semundo(2).unwrap();
    let mut text = [0; 64];
    assert_eq!(file.read(&mut text), Ok(0));
    other.semop(semid, &[undo(0, 1)]).unwrap();
    assert_eq!(file.read_at(&mut text, 0), Ok(format!("{semid} -1\n").len()));
    other.exit();
    assert_eq!(file.read_at(&mut text, 0), Ok(0));
}

/// A domain of the test's own, so that what is counted is the engine's.
fn domain() -> &'static Domain {
    Box::leak(Box::new(Domain::new()))
}

#[test]
fn memory_is_bounded_while_a_reader_holds_it_back() {
    let domain = domain();
    domain.set_bound(100);
    let engine = Engine::new(domain);
    let process = engine.process(Credentials::root(), 1).unwrap();
    let churn = |rounds| {
        for _ in 0..rounds {
            let semid = process.semget(0, 1, 0o600).unwrap();
            process.semop(semid, &[undo(0, 1)]).unwrap();
            process.rmid(semid).unwrap();
        }
    };
    churn(10);
    let ending = Ending::default();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ending.has_come() {
                let section = domain.read_lock();
                thread::yield_now();
                drop(section);
            }
        });
        let _ending = ending.at_drop();
        for _ in 0..20 {
            churn(50);
            // One writer, and what a sweep of its list retires inside a section, which cannot wait.
            assert!(domain.unreclaimed() <= 100 + 64, "{}", domain.unreclaimed());
        }
    });
    process.exit();
    drop(engine);
    domain.barrier();
    assert_eq!(domain.unreclaimed(), 0);
}

#[test]
fn what_is_dropped_is_freed() {
    let domain = domain();
    let engine = Engine::new(domain);
    let process = engine.process(Credentials::root(), 1).unwrap();
    let semid = process.semget(0, 1, 0o600).unwrap();
    process.semop(semid, &[undo(0, 1)]).unwrap();
    let sleeping = process.submit(semid, &[undo(0, -2)]).unwrap().unwrap();
    drop((process, engine));
    domain.barrier();
    assert_eq!(sleeping.result(), Some(Err(Errno::EINTR)));
    drop(sleeping);
    assert_eq!(domain.unreclaimed(), 0);
}
