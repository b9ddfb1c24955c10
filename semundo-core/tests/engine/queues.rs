//! Who sleeps, who is woken, and in what order (`ipc/sem.c: update_queue`).

use semundo_core::engine::SemBuf;
use seqfile_core::Errno;

use crate::{NOWAIT, Process, engine, nowait, op, undo};

type Sleeping = semundo_core::engine::Sleeping<
    rcu_core::flavor::epoch::Epoch,
    semundo_core::engine::ThreadParking,
    semundo_core::engine::RcuUndoList<rcu_core::flavor::epoch::Epoch>,
>;

/// A call that sleeps.
fn asleep(process: &Process, semid: i32, ops: &[SemBuf]) -> Sleeping {
    process.submit(semid, ops).unwrap().expect("the call sleeps")
}

fn results<const N: usize>(calls: [&Sleeping; N]) -> [Option<Result<(), Errno>>; N] {
    calls.map(Sleeping::result)
}

const DONE: Option<Result<(), Errno>> = Some(Ok(()));

#[test]
fn first_come_first_served() {
    let (_engine, process, semid) = engine(&[0]);
    let calls = [1, 1, 1].map(|amount| asleep(&process, semid, &[op(0, -amount)]));
    process.semop(semid, &[op(0, 2)]).unwrap();
    assert_eq!(results(calls.each_ref()), [DONE, DONE, None]);
    assert_eq!(process.getval(semid, 0), Ok(0));
    assert_eq!(process.getncnt(semid, 0), Ok(1));
}

#[test]
fn one_that_fits_passes_one_that_does_not() {
    let (_engine, process, semid) = engine(&[0]);
    let calls = [3, 1, 2].map(|amount| asleep(&process, semid, &[op(0, -amount)]));
    process.semop(semid, &[op(0, 1)]).unwrap();
    assert_eq!(results(calls.each_ref()), [None, DONE, None]);
    process.semop(semid, &[op(0, 3)]).unwrap();
    assert_eq!(results(calls.each_ref()), [DONE, DONE, None], "the first has its turn first");
}

#[test]
fn who_calls_now_may_overtake_who_sleeps() {
    let (_engine, process, semid) = engine(&[1]);
    let sleeps = asleep(&process, semid, &[op(0, -2)]);
    process.semop(semid, &[op(0, -1)]).unwrap();
    assert_eq!(sleeps.result(), None);
}

#[test]
fn zero_wakes_all_who_wait_for_it_before_anybody_alters_it() {
    let (_engine, process, semid) = engine(&[2]);
    let zero = [(); 2].map(|()| asleep(&process, semid, &[op(0, 0)]));
    let both = asleep(&process, semid, &[op(0, 0), op(0, 5)]);
    assert_eq!(process.getzcnt(semid, 0), Ok(3));
    assert_eq!(process.getncnt(semid, 0), Ok(0));
    process.semop(semid, &[op(0, -2)]).unwrap();
    assert_eq!(results(zero.each_ref()), [DONE, DONE]);
    assert_eq!(both.result(), DONE);
    assert_eq!(process.getval(semid, 0), Ok(5));
}

#[test]
fn a_transient_zero_wakes_nobody() {
    let (_engine, process, semid) = engine(&[2]);
    let zero = asleep(&process, semid, &[op(0, 0)]);
    process.semop(semid, &[op(0, -2), op(0, 2)]).unwrap();
    assert_eq!(zero.result(), None);
    process.semop(semid, &[op(0, 3), op(0, -3)]).unwrap();
    assert_eq!(zero.result(), None);
}

#[test]
fn a_call_is_done_whole_or_not() {
    let (_engine, process, semid) = engine(&[1, 0, 1]);
    let call = asleep(&process, semid, &[op(0, -1), op(1, -1), op(2, -1)]);
    assert_eq!(process.getall(semid).unwrap(), [1, 0, 1]);
    assert_eq!([0, 1, 2].map(|num| process.getncnt(semid, num).unwrap()), [0, 1, 0], "it waits for the second alone");
    process.semop(semid, &[op(2, -1)]).unwrap();
    process.semop(semid, &[op(1, 1)]).unwrap();
    assert_eq!([0, 1, 2].map(|num| process.getncnt(semid, num).unwrap()), [0, 0, 1], "for the third now");
    process.semop(semid, &[op(2, 1)]).unwrap();
    assert_eq!(call.result(), DONE);
    assert_eq!(process.getall(semid).unwrap(), [0, 0, 0]);
}

#[test]
fn one_that_goes_on_lets_others_go_on() {
    let (_engine, process, semid) = engine(&[0, 0]);
    // Each but the last gives what another wants, in the order that takes a scan from the front each time.
    let third = asleep(&process, semid, &[op(0, -3), op(1, 1)]);
    let second = asleep(&process, semid, &[op(0, -2), op(0, 3)]);
    let first = asleep(&process, semid, &[op(0, -1), op(0, 2)]);
    process.semop(semid, &[op(0, 1)]).unwrap();
    assert_eq!(results([&first, &second, &third]), [DONE, DONE, DONE]);
    assert_eq!(process.getall(semid).unwrap(), [0, 1]);
}

#[test]
fn simple_calls_keep_their_place_among_others() {
    let (_engine, process, semid) = engine(&[0, 0]);
    let simple = asleep(&process, semid, &[op(0, -1)]);
    let many = asleep(&process, semid, &[op(0, -1), op(1, 1)]);
    let late = asleep(&process, semid, &[op(0, -1)]);
    assert_eq!(process.getncnt(semid, 0), Ok(3));
    process.semop(semid, &[op(0, 1)]).unwrap();
    assert_eq!(results([&simple, &many, &late]), [DONE, None, None]);
    process.semop(semid, &[op(0, 1)]).unwrap();
    assert_eq!(results([&many, &late]), [DONE, None]);
    // No call of many operations sleeps any more: the rest is the semaphore's own again, and it is locked alone after some calls.
    (0..20).for_each(|_| assert_eq!(process.getncnt(semid, 0), Ok(1)));
    process.semop(semid, &[op(0, 1)]).unwrap();
    assert_eq!(late.result(), DONE);
    assert_eq!(process.getall(semid).unwrap(), [0, 1]);
}

#[test]
fn a_sleeping_call_may_end_with_an_error() {
    let (_engine, process, semid) = engine(&[0, 0]);
    let nowaits = asleep(&process, semid, &[op(0, -1), nowait(1, -1)]);
    let range = asleep(&process, semid, &[op(0, -1), op(1, i16::MAX), op(1, 1)]);
    let next = asleep(&process, semid, &[op(0, -1)]);
    process.semop(semid, &[op(0, 1)]).unwrap();
    assert_eq!(results([&nowaits, &range, &next]), [Some(Err(Errno::EAGAIN)), Some(Err(Errno::ERANGE)), DONE]);
    assert_eq!(process.getall(semid).unwrap(), [0, 0]);
}

#[test]
fn setval_and_setall_wake() {
    let (_engine, process, semid) = engine(&[0, 7]);
    let minus = asleep(&process, semid, &[op(0, -2)]);
    let zero = asleep(&process, semid, &[op(1, 0)]);
    process.setval(semid, 0, 3).unwrap();
    assert_eq!(results([&minus, &zero]), [DONE, None]);
    assert_eq!(process.getval(semid, 0), Ok(1));
    let both = asleep(&process, semid, &[op(0, -4), op(1, -1)]);
    process.setall(semid, &[4, 0]).unwrap();
    assert_eq!(results([&zero, &both]), [DONE, None]);
    process.setall(semid, &[4, 1]).unwrap();
    assert_eq!(both.result(), DONE);
    assert_eq!(process.getall(semid).unwrap(), [0, 0]);
}

#[test]
fn removal_ends_all_calls() {
    let (_engine, process, semid) = engine(&[1, 0]);
    let calls = [
        asleep(&process, semid, &[op(0, 0)]),
        asleep(&process, semid, &[op(1, -1)]),
        asleep(&process, semid, &[undo(0, -1), undo(1, -1)]),
        asleep(&process, semid, &[op(1, 0), op(0, 0)]),
    ];
    process.rmid(semid).unwrap();
    assert_eq!(results(calls.each_ref()), [Some(Err(Errno::EIDRM)); 4]);
    assert_eq!(process.semop(semid, &[op(0, 1)]), Err(Errno::EINVAL));
}

#[test]
fn a_call_that_ends_early_is_counted_no_more() {
    let (_engine, process, semid) = engine(&[0, 0]);
    let other = process.fork(2).unwrap();
    for ops in [&[op(0, -1)][..], &[op(0, -1), op(1, 0)]] {
        assert_eq!(asleep(&process, semid, ops).time_out(), Err(Errno::EAGAIN));
        assert_eq!(process.getncnt(semid, 0), Ok(0));
        drop(asleep(&process, semid, ops));
        assert_eq!(process.getncnt(semid, 0), Ok(0));
        let (mine, others) = (asleep(&process, semid, ops), asleep(&other, semid, ops));
        other.interrupt();
        assert_eq!(results([&mine, &others]), [None, Some(Err(Errno::EINTR))]);
        assert_eq!(process.getncnt(semid, 0), Ok(1));
        process.semop(semid, &[op(0, 1)]).unwrap();
        assert_eq!(mine.result(), DONE, "{ops:?}");
        assert_eq!(mine.time_out(), Ok(()), "too late for that");
    }
}

#[test]
fn exit_ends_the_calls_of_the_process_first() {
    let (_engine, process, semid) = engine(&[1]);
    let other = process.fork(2).unwrap();
    other.semop(semid, &[undo(0, -1)]).unwrap();
    let call = asleep(&other, semid, &[op(0, -1)]);
    other.exit();
    assert_eq!(call.result(), Some(Err(Errno::EINTR)));
    assert_eq!(process.getval(semid, 0), Ok(1), "not taken by a process that is gone");
}

#[test]
fn flags_of_other_operations_do_not_matter() {
    let (_engine, process, semid) = engine(&[0, 1]);
    let _sleeps = asleep(&process, semid, &[SemBuf::new(1, -1, NOWAIT), op(0, -1)]);
    assert_eq!(process.semop(semid, &[op(1, -1), nowait(0, -1)]), Err(Errno::EAGAIN));
}

#[test]
fn who_was_done_for_is_noted() {
    let (_engine, process, semid) = engine(&[0, 0]);
    let other = process.fork(2).unwrap();
    let _call = asleep(&other, semid, &[op(0, -1), op(1, 1)]);
    assert_eq!([0, 1].map(|num| process.getpid(semid, num).unwrap()), [1, 1]);
    let third = process.fork(3).unwrap();
    third.semop(semid, &[op(0, 1)]).unwrap();
    assert_eq!([0, 1].map(|num| process.getpid(semid, num).unwrap()), [2, 2], "not who made it possible");
}

#[test]
fn more_semaphores_than_bits() {
    let values = [1; 70];
    let (_engine, process, semid) = engine(&values);
    // Semaphores 2 and 66 look like one to the check for duplicates.
    process.semop(semid, &[undo(2, 1), undo(66, -1)]).unwrap();
    assert_eq!([2, 66].map(|num| process.getval(semid, num).unwrap()), [2, 0]);
    let all: Vec<SemBuf> = (0..70).map(|num| nowait(num, -1)).collect();
    assert_eq!(process.semop(semid, &all), Err(Errno::EAGAIN), "66 is 0");
    assert_eq!(process.getall(semid).unwrap()[2], 2, "nothing was done");
}
