//! Plans applied by an exact model of `semop(2)`: values stay, adjustments become the wanted ones, with the fewest calls.
#![allow(missing_docs)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use semundo_core::plan::{Op, Plan, PlanError, SEMOPM, advance};

mod semop;

use semop::{Error, Model, Sembuf};

fn sembufs(ops: &[Op]) -> Vec<Sembuf> {
    ops.iter().map(|op| (op.semaphore(), op.amount(), op.flags())).collect()
}

/// The plan's calls, after the model has found each to do what it must.
fn apply(now: &[i16], wanted: &[i16], values: &[u16], semopm: usize) -> Vec<Vec<Op>> {
    let mut model = Model::new(values, now, semopm);
    let before = model.values.clone();
    let mut advanced = now.to_vec();
    let mut buffer = vec![Op::default(); semopm];
    let mut plan = Plan::new(now, wanted, values, &mut buffer).unwrap();
    let expected = plan.calls();
    let mut calls = Vec::new();
    while let Some(call) = plan.next_call() {
        assert!(call.iter().all(|op| op.amount() != 0 && i32::from(op.flags()) & libc::IPC_NOWAIT != 0));
        assert!(call.iter().all(|op| op.undo() == (i32::from(op.flags()) & libc::SEM_UNDO != 0)));
        for op in call.iter().filter(|op| op.undo()) {
            let semaphore = usize::from(op.semaphore());
            assert_eq!(op.amount() < 0, now[semaphore] < wanted[semaphore]);
        }
        model.semop(&sembufs(call)).unwrap();
        assert_eq!(model.values, before);
        advance(&mut advanced, call);
        assert!(advanced.iter().zip(&model.adjustments).all(|(advanced, is)| i32::from(*advanced) == *is));
        calls.push(call.to_vec());
    }
    assert_eq!(plan.next_call(), None);
    assert_eq!(advanced, wanted);
    assert_eq!(calls.len(), expected);
    calls
}

/// The operations of a semaphore's shortest run. That there is no shorter one is searched for beside the planner.
fn shortest(now: i16, wanted: i16, value: u16) -> usize {
    let (difference, pair) = (usize::from(now.abs_diff(wanted)), usize::from(value.max(32767 - value)));
    let reaches = [0, 0, pair, 32767, 32767 + pair, 65534, 65535];
    reaches.iter().position(|reach| *reach >= difference).unwrap()
}

fn total(now: &[i16], wanted: &[i16], values: &[u16]) -> usize {
    now.iter().zip(wanted).zip(values).map(|((now, wanted), value)| shortest(*now, *wanted, *value)).sum()
}

fn adjustment() -> impl Strategy<Value = i16> {
    prop_oneof![3 => any::<i16>(), 2 => -5_i16..=5, 1 => Just(0), 1 => prop_oneof![Just(-32768_i16), Just(-32767), Just(32767)]]
}

fn value() -> impl Strategy<Value = u16> {
    prop_oneof![3 => 0_u16..=32767, 1 => prop_oneof![Just(0_u16), Just(1), Just(16383), Just(16384), Just(32766), Just(32767)]]
}

fn set(most: usize) -> impl Strategy<Value = (Vec<i16>, Vec<i16>, Vec<u16>)> {
    (1..=most).prop_flat_map(|nsems| {
        (
            prop::collection::vec(adjustment(), nsems),
            prop::collection::vec(adjustment(), nsems),
            prop::collection::vec(value(), nsems),
        )
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_plan((now, wanted, values) in set(60), semopm in prop_oneof![2_usize..12, 90_usize..110, Just(SEMOPM)]) {
        let calls = apply(&now, &wanted, &values, semopm);
        let total = total(&now, &wanted, &values);
        prop_assert!(calls.len() >= total.div_ceil(semopm));
        prop_assert!(calls.len() <= total.div_ceil(semopm - 1));
        if total <= semopm {
            prop_assert_eq!(calls.iter().flatten().count(), total);
        }
    }

    #[test]
    fn from_zero_and_back((_, there, values) in set(200), semopm in prop_oneof![2_usize..12, 90_usize..110, Just(SEMOPM)]) {
        let zero = vec![0; there.len()];
        let calls = apply(&zero, &there, &values, semopm).len();
        let back = apply(&there, &zero, &values, semopm).len();
        let total = total(&zero, &there, &values);
        let bounds = total.div_ceil(semopm)..=total.div_ceil(semopm - 1);
        prop_assert!(bounds.contains(&calls) && bounds.contains(&back));
        if semopm == SEMOPM {
            prop_assert!(bounds.end() - bounds.start() <= 1);
        }
    }

    #[test]
    fn somebody_else_at_work(
        (now, wanted, values) in set(40),
        steps in prop::collection::vec((any::<prop::sample::Index>(), any::<i16>()), 1..30),
        semopm in 2_usize..30,
    ) {
        let mut model = Model::new(&values, &now, semopm);
        let (mut now, mut steps) = (now, steps.iter());
        let mut buffer = vec![Op::default(); semopm];
        loop {
            let values: Vec<u16> = model.values.iter().map(|value| *value as u16).collect();
            let from = now.clone();
            let mut plan = Plan::new(&from, &wanted, &values, &mut buffer).unwrap();
            let failed = loop {
                // Others do as they like between any two of our steps.
                if let Some((semaphore, amount)) = steps.next() {
                    let value = semaphore.get_mut(&mut model.values);
                    *value = (*value + i32::from(*amount)).clamp(0, 32767);
                }
                let before = model.clone();
                let Some(call) = plan.next_call() else { break false };
                match model.semop(&sembufs(call)) {
                    Ok(()) => advance(&mut now, call),
                    Err(error) => {
                        prop_assert!(matches!(error, Error::Again | Error::Range));
                        prop_assert_eq!(&model, &before);
                        break true;
                    }
                }
                prop_assert_eq!(&model.values, &before.values);
            };
            if !failed {
                break;
            }
        }
        prop_assert!(model.adjustments.iter().zip(&wanted).all(|(is, wanted)| *is == i32::from(*wanted)));
    }
}

#[test]
fn every_edge_of_one_semaphore() {
    let edges = [0, 1, 2, 5461, 8191, 10922, 16383, 16384, 16385, 21845, 32765, 32766, 32767];
    let adjustments: BTreeSet<i16> = edges.iter().flat_map(|edge| [*edge, -*edge, -*edge - 1]).collect();
    for (now, wanted) in adjustments.iter().flat_map(|now| adjustments.iter().map(move |wanted| (*now, *wanted))) {
        for value in edges.map(|value| value as u16) {
            let calls = apply(&[now], &[wanted], &[value], SEMOPM);
            assert_eq!(calls.iter().flatten().count(), shortest(now, wanted, value), "{now} {wanted} {value}");
            assert_eq!(calls.len(), usize::from(now != wanted));
            for semopm in 2..6 {
                apply(&[now], &[wanted], &[value], semopm);
            }
        }
    }
}

/// By trying every way to fill every call: the fewest calls for so many runs of two, three, four and five operations. A run of three
/// can be done as 2 + 2, of four as 2 + 3, of five as 3 + 3 or 2 + 4 operations.
fn fewest_calls(runs: [u8; 4], semopm: usize) -> usize {
    let mut reached = BTreeSet::from([runs]);
    for calls in 0.. {
        if reached.contains(&[0; 4]) {
            return calls;
        }
        let mut seen = BTreeSet::new();
        let mut todo: Vec<_> = reached.into_iter().map(|runs| (runs, semopm)).collect();
        while let Some((runs, room)) = todo.pop() {
            if !seen.insert((runs, room)) {
                continue;
            }
            let splits: [(usize, &[usize]); 4] = [(1, &[0, 0]), (2, &[0, 1]), (3, &[1, 1]), (3, &[0, 2])];
            for (of, into) in splits.into_iter().filter(|split| runs[split.0] > 0) {
                let mut split = runs;
                split[of] -= 1;
                into.iter().for_each(|into| split[*into] += 1);
                todo.push((split, room));
            }
            for len in (0..4).filter(|len| runs[*len] > 0 && room >= len + 2) {
                let mut rest = runs;
                rest[len] -= 1;
                todo.push((rest, room - len - 2));
            }
        }
        // To leave room for two is no better than to put two of any run there.
        let full = seen.into_iter().filter(|(runs, room)| *room < 2 || *runs == [0; 4]);
        reached = full.map(|(runs, _)| runs).collect();
    }
    unreachable!()
}

/// A plan for so many differences of each size, at the value 16000, where a pair moves 16767: its calls, and the fewest.
///
/// The sizes take a pair, a triple, two pairs, a run of four, and one of five.
fn mixture(counts: [u8; 5], semopm: usize) -> (usize, usize) {
    let (mut now, mut wanted) = (Vec::new(), Vec::new());
    for (size, count) in [1, 20000, 33000, 40000, 60000].into_iter().zip(counts) {
        for _ in 0..count {
            now.push((-size / 2) as i16);
            wanted.push((size - size / 2) as i16);
        }
    }
    let calls = apply(&now, &wanted, &vec![16000; now.len()], semopm).len();
    (calls, fewest_calls([counts[0] + 2 * counts[2], counts[1], counts[3], counts[4]], semopm))
}

#[test]
fn the_fewest_calls_for_pairs_and_triples() {
    for semopm in 2..=13 {
        for (triples, doubles) in (0..9).flat_map(|triples| (0..5).map(move |doubles| (triples, doubles))) {
            for pairs in [0, 1, 4] {
                let (calls, fewest) = mixture([pairs, triples, doubles, 0, 0], semopm);
                assert_eq!(calls, fewest, "{pairs} {triples} {doubles} {semopm}");
            }
        }
    }
}

#[test]
fn hardly_more_calls_for_every_small_mixture() {
    let (mut more, mut all) = (0, 0);
    for semopm in [2, 3, 4, 5, 6, 7, 8, 10, 11] {
        for number in 0..3_u8.pow(5) {
            let counts = [1, 3, 9, 27, 81].map(|place| number / place % 3);
            let (calls, fewest) = mixture(counts, semopm);
            assert!((fewest..=fewest + 1).contains(&calls), "{counts:?} {semopm}: {calls} {fewest}");
            assert!(calls == fewest || counts[3..] != [0, 0], "{counts:?} {semopm}: {calls} {fewest}");
            more += usize::from(calls > fewest);
            all += 1;
        }
    }
    println!("{more} of {all} plans have a call too many");
    assert!(more * 10 < all, "{more} of {all}");
}

#[test]
fn whole_sets() {
    for (now, wanted, value, nsems, calls) in [
        (0, -1, 1, 32000, 128),
        (0, 32767, 0, 32000, 128),
        (0, 20000, 16000, 333, 2),
        (0, 20000, 16000, 334, 3),
        (-32768, 32767, 0, 32000, 384),
        (-32768, 32767, 16000, 32000, 384),
        (-30000, 30000, 16000, 32000, 320),
        (-20000, 20000, 16000, 32000, 256),
        (5, 5, 0, 32000, 0),
    ] {
        let planned = apply(&vec![now; nsems], &vec![wanted; nsems], &vec![value; nsems], SEMOPM);
        assert_eq!(planned.len(), calls, "{now} {wanted} {value} {nsems}");
    }
    let last = apply(&[0; 65536], &[[0; 65535].as_slice(), &[1]].concat(), &[0; 65536], SEMOPM);
    assert_eq!(last.concat().iter().map(|op| op.semaphore()).collect::<Vec<_>>(), [65535, 65535]);
    assert!(apply(&[], &[], &[], 2).is_empty());
}

#[test]
fn impossible_plans_are_refused() {
    let mut buffer = [Op::default(); 2];
    let mut error = |now: &[i16], wanted: &[i16], values: &[u16]| {
        Plan::new(now, wanted, values, &mut buffer).map(|plan| plan.calls()).unwrap_err()
    };
    assert_eq!(error(&[0], &[0, 1], &[0]), PlanError::LengthsDiffer { now: 1, wanted: 2, values: 1 });
    assert_eq!(error(&[0], &[0], &[]), PlanError::LengthsDiffer { now: 1, wanted: 1, values: 0 });
    let wrong = error(&[0; 3], &[0; 3], &[0, 32767, 32768]);
    assert_eq!(wrong, PlanError::ValueOutOfRange { semaphore: 2, value: 32768 });
    assert_eq!(wrong.to_string(), "semaphore 2: the value 32768 is not in 0..=32767");
    assert_eq!(error(&[0; 65537], &[0; 65537], &[0; 65537]), PlanError::TooManySemaphores { nsems: 65537 });
    let short = Plan::new(&[0], &[1], &[0], &mut [Op::default()]).map(|plan| plan.calls());
    assert_eq!(short, Err(PlanError::CallTooShort { semopm: 1 }));
}

#[test]
fn an_operation_is_a_sembuf() {
    assert_eq!(size_of::<Op>(), size_of::<libc::sembuf>());
    assert_eq!(align_of::<Op>(), align_of::<libc::sembuf>());
    let call = apply(&[0, 0], &[0, -7], &[0, 9], 2).concat();
    // SAFETY: both are repr(C) and of three 16-bit integers, for which all bits are valid.
    let sembufs: Vec<libc::sembuf> =
        call.iter().map(|op| unsafe { std::mem::transmute::<Op, libc::sembuf>(*op) }).collect();
    let fields: Vec<_> = sembufs.iter().map(|op| (op.sem_num, op.sem_op, i32::from(op.sem_flg))).collect();
    assert_eq!(fields, [(1, 7, libc::IPC_NOWAIT | libc::SEM_UNDO), (1, -7, libc::IPC_NOWAIT)]);
}

#[test]
fn the_model_fails_as_the_kernel_does() {
    let mut model = Model::new(&[0, 32767], &[0, 0], 3);
    let (nowait, undo) = (libc::IPC_NOWAIT as i16, (libc::IPC_NOWAIT | libc::SEM_UNDO) as i16);
    let before = model.clone();
    assert_eq!(model.semop(&[]), Err(Error::Invalid));
    assert_eq!(model.semop(&[(0, 1, 0); 4]), Err(Error::TooMany));
    assert_eq!(model.semop(&[(2, 1, 0)]), Err(Error::NoSuchSemaphore));
    assert_eq!(model.semop(&[(0, 5, undo), (0, -6, nowait)]), Err(Error::Again));
    assert_eq!(model.semop(&[(0, 5, undo), (0, 0, 0)]), Err(Error::Sleeps));
    assert_eq!(model.semop(&[(1, -3, undo), (1, 4, nowait)]), Err(Error::Range));
    assert_eq!(model, before);
    assert_eq!(model.semop(&[(0, 32767, undo), (0, -32767, nowait), (0, 1, undo)]), Ok(()));
    assert_eq!(model.adjustments, [-32768, 0]);
    assert_eq!(model.semop(&[(0, 1, undo)]), Err(Error::Range));
    assert_eq!(model.exit(), [0, 32767]);
}
