//! Every plan of a model with fewer values than the kernel's, against an exhaustive search for the best one.

extern crate std;

use std::collections::BTreeSet;
use std::println;
use std::vec;
use std::vec::Vec;

use super::share::Share;
use super::*;

#[path = "../../tests/semop/mod.rs"]
mod semop;

/// A model whose values are 0..=max and whose adjustments -max-1..=max.
#[derive(Clone, Copy)]
struct Small {
    max: i16,
}

impl Small {
    fn values(self) -> core::ops::RangeInclusive<u16> {
        0..=self.max as u16
    }

    fn adjustments(self) -> core::ops::RangeInclusive<i16> {
        -self.max - 1..=self.max
    }

    fn span(self) -> usize {
        2 * self.max as usize + 2
    }

    fn index(self, adjustment: i16) -> usize {
        (adjustment + self.max + 1) as usize
    }

    /// By breadth: the fewest operations from each adjustment to each, that start and end with the semaphore at `value`.
    fn fewest_operations(self, value: u16) -> Vec<Vec<usize>> {
        self.adjustments().map(|now| self.fewest_operations_from(now, value as i16)).collect()
    }

    fn fewest_operations_from(self, now: i16, value: i16) -> Vec<usize> {
        let mut fewest = vec![usize::MAX; self.span()];
        let mut seen = BTreeSet::from([(value, now)]);
        let mut reached = vec![(value, now)];
        for len in 0.. {
            for (_, adjustment) in reached.iter().filter(|state| state.0 == value) {
                fewest[self.index(*adjustment)] = len;
            }
            let mut next = Vec::new();
            for (at, adjustment) in reached {
                for to in 0..=self.max {
                    for undone in [adjustment, adjustment - (to - at)] {
                        if self.adjustments().contains(&undone) && seen.insert((to, undone)) {
                            next.push((to, undone));
                        }
                    }
                }
            }
            if next.is_empty() {
                return fewest;
            }
            reached = next;
        }
        unreachable!()
    }

    /// Plans, applies the plan to the model, and returns the number of calls and of operations.
    fn apply(self, now: &[i16], wanted: &[i16], values: &[u16], semopm: usize) -> (usize, usize) {
        let mut model = semop::Model { semvmx: self.max.into(), ..semop::Model::new(values, now, semopm) };
        let before = model.values.clone();
        let mut rest = Rest::new(Set { now, wanted, values, semvmx: self.max.into() }, semopm).unwrap();
        let (mut calls, mut total) = (0, 0);
        loop {
            let mut ops = Vec::new();
            if !rest.call(|op| ops.push((op.semaphore(), op.amount(), op.flags()))) {
                break;
            }
            model.semop(&ops).unwrap();
            assert_eq!(model.values, before);
            assert!(ops.iter().all(|op| op.1 != 0 && i32::from(op.2) & libc::IPC_NOWAIT != 0));
            calls += 1;
            total += ops.len();
        }
        assert!(model.adjustments.iter().zip(wanted).all(|(is, wanted)| *is == i32::from(*wanted)));
        (calls, total)
    }
}

/// The fewest calls from `start` to every state, by breadth, where `ops(from, to)` are the operations that it takes.
fn fewest_calls(states: usize, start: usize, semopm: usize, ops: impl Fn(usize, usize) -> usize) -> Vec<usize> {
    let mut fewest = vec![usize::MAX; states];
    fewest[start] = 0;
    let mut reached = vec![start];
    for calls in 1.. {
        let mut next = Vec::new();
        for from in &reached {
            for (to, fewest) in fewest.iter_mut().enumerate() {
                if *fewest == usize::MAX && ops(*from, to) <= semopm {
                    *fewest = calls;
                    next.push(to);
                }
            }
        }
        if next.is_empty() {
            break;
        }
        reached = next;
    }
    fewest
}

#[test]
fn one_semaphore_takes_the_fewest_operations_and_calls() {
    for small in [1, 3, 5, 7].map(|max| Small { max }) {
        for value in small.values() {
            let fewest = small.fewest_operations(value);
            assert!(fewest.iter().flatten().all(|len| *len <= change::LONGEST));
            for now in small.adjustments() {
                for wanted in small.adjustments() {
                    let (_, ops) = small.apply(&[now], &[wanted], &[value], change::LONGEST);
                    assert_eq!(ops, fewest[small.index(now)][small.index(wanted)], "{now} {wanted} {value}");
                }
                for semopm in 2..=change::LONGEST + 1 {
                    let calls = fewest_calls(small.span(), small.index(now), semopm, |from, to| fewest[from][to]);
                    for wanted in small.adjustments() {
                        let planned = small.apply(&[now], &[wanted], &[value], semopm).0;
                        assert_eq!(planned, calls[small.index(wanted)], "{now} {wanted} {value} {semopm}");
                    }
                }
            }
        }
    }
}

/// Compares all plans for sets of `values` that start at `now` with the best; returns how many have more calls, and how many there are.
fn compare(small: Small, fewest: &[Vec<Vec<usize>>], values: &[u16], now: &[i16], semopm: usize) -> (usize, usize) {
    let fewest = || values.iter().map(|value| &fewest[usize::from(*value)]);
    let span = small.span();
    let digits = |mut state: usize| -> Vec<usize> {
        let split = |_| {
            let digit = state % span;
            state /= span;
            digit
        };
        (0..values.len()).map(split).collect()
    };
    let states: Vec<_> = (0..span.pow(values.len() as u32)).map(digits).collect();
    let start = now.iter().rev().fold(0, |state, now| state * span + small.index(*now));
    let ops = |from: usize, to: usize| -> usize {
        let (from, to): (&Vec<usize>, &Vec<usize>) = (&states[from], &states[to]);
        fewest().zip(from.iter().zip(to)).map(|(fewest, (from, to))| fewest[*from][*to]).sum()
    };
    let best = fewest_calls(states.len(), start, semopm, ops);
    let mut more = 0;
    for (state, best) in states.iter().zip(&best) {
        let wanted: Vec<i16> = small.adjustments().collect();
        let wanted: Vec<i16> = state.iter().map(|digit| wanted[*digit]).collect();
        let calls = small.apply(now, &wanted, values, semopm).0;
        let shortest: usize = ops(start, state.iter().rev().fold(0, |sum, digit| sum * span + digit));
        let largest = now.iter().zip(&wanted).map(|(now, wanted)| now.abs_diff(*wanted)).max().unwrap_or(0);
        if largest <= small.max as u16 + 1 {
            assert_eq!(calls, *best, "{now:?} {wanted:?} {values:?} {semopm}");
        }
        assert!(calls >= *best && calls <= shortest.div_ceil(semopm - 1));
        more += usize::from(calls > *best);
    }
    (more, states.len())
}

#[test]
fn two_semaphores_take_the_fewest_calls() {
    let small = Small { max: 3 };
    let fewest: Vec<_> = small.values().map(|value| small.fewest_operations(value)).collect();
    let (mut more, mut all) = (0, 0);
    for (first, second) in small.values().flat_map(|first| (0..=first).map(move |second| (first, second))) {
        for now in small.adjustments().flat_map(|first| small.adjustments().map(move |second| [first, second])) {
            for semopm in 2..=13 {
                let (m, a) = compare(small, &fewest, &[first, second], &now, semopm);
                more += m;
                all += a;
            }
        }
    }
    // Only where an adjustment moves by more than SEMVMX + 1.
    println!("{more} of {all} plans have a call too many");
    assert!(more * 200 < all, "{more} of {all}");
}

#[test]
fn three_semaphores_from_zero_take_the_fewest_calls() {
    let small = Small { max: 3 };
    let fewest: Vec<_> = small.values().map(|value| small.fewest_operations(value)).collect();
    for values in [[0, 0, 1], [1, 1, 1], [1, 2, 2], [0, 1, 3], [2, 2, 3]] {
        for semopm in 2..=13 {
            assert_eq!(compare(small, &fewest, &values, &[0; 3], semopm).0, 0);
        }
    }
}

/// By trying every number of triples in every call: the fewest calls.
fn fewest_calls_for(pairs: usize, triples: usize, semopm: usize) -> usize {
    // The most pairs beside so many triples, for the calls so far.
    let mut most = vec![None; triples + 1];
    most[0] = Some(0);
    for calls in 0.. {
        let enough =
            |(whole, most): (usize, &Option<usize>)| most.is_some_and(|most| most >= pairs + 2 * (triples - whole));
        if most.iter().enumerate().any(enough) {
            return calls;
        }
        most = (0..=triples)
            .map(|whole| {
                let with = |here: usize| most[whole - here].map(|most| most + (semopm - 3 * here) / 2);
                (0..=whole.min(semopm / 3)).filter_map(with).max()
            })
            .collect();
    }
    unreachable!()
}

#[test]
fn pairs_and_triples_are_shared_out_over_the_fewest_calls() {
    let check = |pairs, triples, semopm| {
        let mut share = Share::new(pairs, triples, semopm);
        let (mut whole, mut room_for_pairs) = (0, 0);
        let calls = fewest_calls_for(pairs, triples, semopm);
        assert_eq!(share.calls, calls, "{pairs} {triples} {semopm}");
        for _ in 0..calls {
            let here = share.next_call();
            assert!(3 * here <= semopm);
            whole += here;
            room_for_pairs += (semopm - 3 * here) / 2;
        }
        assert_eq!(share.next_call(), 0, "{pairs} {triples} {semopm}");
        assert_eq!(whole + share.split(), triples, "{pairs} {triples} {semopm}");
        assert!(room_for_pairs >= pairs + 2 * share.split(), "{pairs} {triples} {semopm}");
    };
    for semopm in 2..=20 {
        for pairs in 0..=30 {
            for triples in 0..=30 {
                check(pairs, triples, semopm);
            }
        }
    }
    for semopm in [32, 99, 100, 101, 102, 249, 250, 498, 499, 500, 501] {
        for full in [0_usize, 1, 2, 3] {
            for near in 0..8 {
                let triples = (full * semopm).div_ceil(3) + near;
                for pairs in [0, 1, 2, 3, semopm / 2 - 2, semopm / 2, semopm] {
                    check(pairs, triples.saturating_sub(4), semopm);
                }
            }
        }
    }
}
