//! The thunks under a re-enactment of the kernel's seq_file, beside `SeqFile` on the same records:
//! the same answers, by the same calls of the operations in the same order.
#![cfg(feature = "std")]

mod support;

use proptest::{collection::vec, prelude::*};
use seqfile_core::{Errno, SeekFrom, SeqFile, Thunk};
use support::{
    STEPS, config,
    cseq::CSeq,
    source::{Call, Record, Source, sound, unsound},
};

#[derive(Clone, Debug)]
enum Op {
    Read(usize),
    Pread(usize, i64),
    SeekSet(i64),
    SeekCur(i64),
}

fn op() -> impl Strategy<Value = Op> {
    let offset = || {
        prop_oneof![
            6 => 0..300i64,
            6 => 0..100_000i64,
            1 => Just(-1),
            1 => Just(i64::MAX),
        ]
    };
    let size = || prop_oneof![4 => 0..200usize, 2 => 4000..9000usize, 1 => Just(100_000)];
    prop_oneof![
        4 => size().prop_map(Op::Read),
        2 => (size(), offset()).prop_map(|(n, at)| Op::Pread(n, at)),
        1 => offset().prop_map(Op::SeekSet),
        1 => (-5000..5000i64).prop_map(Op::SeekCur),
    ]
}

/// An answer as a system call gives it.
fn code<T: TryInto<i64>>(answer: Result<T, Errno>) -> i64 {
    match answer {
        Ok(n) => n.try_into().ok().unwrap(),
        Err(errno) => errno.negated().into(),
    }
}

fn same(ours: Source, ops: Vec<Op>) {
    let theirs = ours.twin();
    let logs = (ours.log.clone(), theirs.log.clone());
    let mut ours = SeqFile::new(ours);
    let mut theirs = CSeq::open(theirs);
    let mut bytes = (vec![0; 100_000], vec![0; 100_000]);
    for (i, op) in ops.iter().enumerate() {
        let (a, b) = match *op {
            Op::Read(n) => (code(ours.read(&mut bytes.0[..n])), theirs.read(&mut bytes.1[..n]) as i64),
            Op::Pread(n, at) => {
                (code(ours.read_at(&mut bytes.0[..n], at as u64)), theirs.pread(&mut bytes.1[..n], at) as i64)
            }
            Op::SeekSet(to) => (code(ours.seek(SeekFrom::Start(to as u64))), theirs.seek_set(to)),
            Op::SeekCur(by) => (code(ours.seek(SeekFrom::Current(by))), theirs.seek_cur(by)),
        };
        assert_eq!(a, b, "call {i}, {op:?}");
        let reads = matches!(op, Op::Read(_) | Op::Pread(..));
        let got = if reads { a.max(0) as usize } else { 0 };
        assert!(bytes.0[..got] == bytes.1[..got], "bytes of call {i}");
        assert_eq!(ours.position() as i64, theirs.position());
        assert_eq!(*logs.0.borrow(), *logs.1.borrow(), "operations of call {i}");
    }
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn same_as_seq_file(source in sound(), ops in vec(op(), 0..STEPS)) {
        same(source, ops);
    }

    #[test]
    fn same_errors_as_seq_file(source in unsound(), ops in vec(op(), 0..STEPS)) {
        same(source, ops);
    }
}

fn two() -> Source {
    Source::new(vec![(3, Record::Text(b"three".to_vec())), (5, Record::Text(b"five".to_vec()))])
}

#[test]
fn positions_are_the_records_own() {
    let source = two();
    let log = source.log.clone();
    let mut thunk = Thunk::new(source);
    let this = &raw mut thunk;
    let mut pos = 1;
    // SAFETY: `thunk` stays here, and the calls come one at a time.
    unsafe {
        assert_eq!(Thunk::start(this, &mut pos), 1);
        assert_eq!(pos, 3);
        assert_eq!(Thunk::next(this, &mut pos), 1);
        assert_eq!(pos, 5);
        assert_eq!(Thunk::next(this, &mut pos), 0);
        assert_eq!(pos, 6);
        Thunk::stop(this);
        // The end has a section too.
        assert_eq!(Thunk::start(this, &mut pos), 0);
        assert_eq!(pos, 6);
        assert_eq!(log.borrow().last(), Some(&Call::Start(6)));
        Thunk::stop(this);
        assert_eq!(log.borrow().last(), Some(&Call::Stop));
        // stop is harmless where nothing is open.
        Thunk::stop(this);
    }
    assert_eq!(log.borrow().len(), 6);
}

#[test]
fn show_appends_and_remembers_overflow() {
    let mut thunk = Thunk::new(two());
    let this = &raw mut thunk;
    let (mut pos, mut count) = (0, 2);
    let mut bytes = *b"::------";
    // SAFETY: `thunk` stays here, and the calls come one at a time on memory of this test.
    unsafe {
        assert_eq!(Thunk::start(this, &mut pos), 1);
        assert_eq!(Thunk::show(this, bytes.as_mut_ptr(), 8, &mut count), 0);
        assert_eq!((count, &bytes), (7, b"::three-"));
        assert_eq!(Thunk::show(this, bytes.as_mut_ptr(), 8, &mut count), 0);
        assert_eq!(count, 8);
        count = 0;
        assert_eq!(Thunk::show(this, std::ptr::null_mut(), 0, &mut count), 0);
        assert_eq!(count, 0);
        Thunk::stop(this);
    }
}

#[test]
fn out_of_turn_is_an_error() {
    let mut thunk = Thunk::new(two());
    let this = &raw mut thunk;
    let (mut pos, mut count, mut byte) = (7, 0, 0);
    // SAFETY: `thunk` stays here, and the calls come one at a time on memory of this test.
    unsafe {
        assert_eq!(Thunk::next(this, &mut pos), -22);
        assert_eq!(pos, 8);
        assert_eq!(Thunk::show(this, &mut byte, 1, &mut count), -22);
    }
}

#[test]
fn an_open_section_is_left_by_start_and_by_drop() {
    let source = two();
    let log = source.log.clone();
    let mut thunk = Box::new(Thunk::new(source));
    let this = &raw mut *thunk;
    let mut pos = 0;
    // SAFETY: `thunk` stays in its box, and the calls come one at a time.
    unsafe {
        assert_eq!(Thunk::start(this, &mut pos), 1);
        assert_eq!(Thunk::start(this, &mut pos), 1);
    }
    drop(thunk);
    let calls = [Call::Start(0), Call::Stop, Call::Start(3), Call::Stop];
    assert_eq!(*log.borrow(), calls);
}
