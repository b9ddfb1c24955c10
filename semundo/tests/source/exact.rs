//! What is read is what is held: sets of all sizes, lists of all lengths.

use semundo::Adjustments;

use crate::actor::{Actor, Hold};
use crate::{bpf, held};

/// Adjustments that differ from set to set and along a set, about one in `sparse` of which is not 0.
fn pattern(semid: i32, nsems: usize, sparse: usize) -> Hold {
    let seed = semid as usize;
    let by = (seed % sparse..nsems).step_by(sparse).map(|semaphore| {
        let adjustment = (semaphore * 7919 + seed * 104_729 + 1) % 65_535;
        (semaphore as u16, (adjustment as i32 - 32_767) as i16)
    });
    Hold { semid, by: by.collect() }
}

#[test]
fn sets_of_any_size() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let mut told = Vec::new();
    for nsems in [1, 2, 3, 63, 64, 65, 100, 4095, 4096, 4097, 8192, 12_289, 32_000] {
        let semid = actor.create(1, nsems)[0];
        told.extend(actor.hold(nsems, vec![pattern(semid, nsems, 1)]));
        assert!(held(&bpf, &actor) == told, "wrong with a set of {nsems}");
    }
}

#[test]
fn the_largest_adjustments_and_zero() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semid = actor.create(1, 6)[0];
    let by = vec![(0, 32_767), (1, -32_767), (2, 0), (4, 1), (5, -1)];
    actor.hold(6, vec![Hold { semid, by }]);
    assert_eq!(held(&bpf, &actor), [Adjustments { semid, semadj: vec![32_767, -32_767, 0, 0, 1, -1] }]);
    actor.hold(6, vec![Hold { semid, by: vec![(1, -1), (4, -1), (5, 2)] }]);
    assert_eq!(held(&bpf, &actor), [Adjustments { semid, semadj: vec![32_767, -32_768, 0, 0, 0, 1] }]);
    actor.hold(6, vec![Hold { semid, by: vec![(0, -32_767), (1, 32_767), (5, -1)] }]);
    actor.hold(6, vec![Hold { semid, by: vec![(1, 1)] }]);
    assert_eq!(held(&bpf, &actor), [], "all are back at 0");
}

#[test]
fn lists_of_any_length() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semids = actor.create(10_000, 1);
    let mut told = Vec::new();
    for some in [0..1, 1..100, 100..10_000] {
        // Not in the order of the sets, and some of them not at all.
        let holds = semids[some.clone()].iter().rev().filter(|semid| *semid % 7 != 3);
        told.extend(actor.hold(1, holds.map(|semid| pattern(*semid, 1, 1)).collect()));
        told.sort_unstable_by_key(|adjustments| adjustments.semid);
        told.retain(|adjustments| adjustments.semadj != [0]);
        assert!(held(&bpf, &actor) == told, "wrong with the sets {some:?}");
    }
    assert!(told.len() > 8000);
}

#[test]
fn more_than_fits_in_the_first_ring_buffer() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semids = actor.create(80, 32_000);
    let told = actor.hold(32_000, semids.iter().map(|semid| pattern(*semid, 32_000, 1009)).collect());
    assert!(held(&bpf, &actor) == told);
    actor.exit();
    // The larger buffer stays in use.
    let mut other = Actor::start();
    let semid = other.create(1, 1)[0];
    let told = other.hold(1, vec![Hold { semid, by: vec![(0, 5)] }]);
    assert_eq!(held(&bpf, &other), told);
}
