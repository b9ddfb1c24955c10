//! `SeqFile` against the plainest oracle, a slice of everything concatenated.
#![cfg(all(feature = "std", not(miri)))]

mod support;

use std::io::{self, BufRead, Read, Seek, SeekFrom as IoSeekFrom};

use proptest::{collection::vec, prelude::*};
use seqfile_core::{Buffer, Errno, SeekFrom, SeqFile, SliceOps};
use support::{
    STEPS, config,
    source::{Record, Source, sound, unsound},
};

#[derive(Clone, Debug)]
enum Op {
    Read(usize),
    ReadAt(usize, u64),
    Seek(u64),
    SeekBy(i64),
    Fill(usize),
}

fn op() -> impl Strategy<Value = Op> {
    // Offsets are near the beginning, anywhere in a typical file, or far out.
    let offset = || prop_oneof![3 => 0..300u64, 3 => 0..100_000u64, 1 => Just(1 << 40)];
    let size = || prop_oneof![4 => 0..200usize, 2 => 4000..9000usize, 1 => Just(100_000)];
    prop_oneof![
        4 => size().prop_map(Op::Read),
        2 => (size(), offset()).prop_map(|(n, at)| Op::ReadAt(n, at)),
        1 => offset().prop_map(Op::Seek),
        1 => (-5000..5000i64).prop_map(Op::SeekBy),
        1 => size().prop_map(Op::Fill),
    ]
}

fn buffer_size() -> impl Strategy<Value = usize> {
    (0..=13u32).prop_map(|bits| 1 << bits)
}

/// `got` begins `whole[at..]`, and is empty only at the end or when nothing was wanted.
fn is_slice(got: &[u8], whole: &[u8], at: u64, wanted: usize) {
    let rest = whole.get(at as usize..).unwrap_or_default();
    assert!(rest.starts_with(got), "other bytes at {at}");
    assert!(!got.is_empty() || wanted == 0 || rest.is_empty(), "nothing at {at} of {}", whole.len());
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn any_calls_give_slices_of_the_whole(
        source in sound(),
        size in buffer_size(),
        ops in vec(op(), 0..STEPS),
    ) {
        let whole = source.whole();
        let mut file = SeqFile::with_buffer_size(source, size);
        let mut pos = 0u64;
        for op in ops {
            match op {
                Op::Read(n) => {
                    let mut out = vec![0; n];
                    let got = file.read(&mut out).unwrap();
                    is_slice(&out[..got], &whole, pos, n);
                    pos += got as u64;
                }
                Op::ReadAt(n, at) => {
                    let mut out = vec![0; n];
                    let got = file.read_at(&mut out, at).unwrap();
                    is_slice(&out[..got], &whole, at, n);
                }
                Op::Seek(to) => {
                    pos = to;
                    prop_assert_eq!(file.seek(SeekFrom::Start(to)), Ok(to));
                }
                Op::SeekBy(by) => match pos.checked_add_signed(by) {
                    Some(to) => {
                        pos = to;
                        prop_assert_eq!(file.seek(SeekFrom::Current(by)), Ok(to));
                    }
                    None => prop_assert_eq!(file.seek(SeekFrom::Current(by)), Err(Errno::EINVAL)),
                },
                Op::Fill(n) => {
                    let bytes = file.fill_buf().unwrap();
                    is_slice(bytes, &whole, pos, 1);
                    let n = n.min(bytes.len());
                    file.consume(n);
                    pos += n as u64;
                }
            }
            prop_assert_eq!(file.position(), pos);
        }
    }

    #[test]
    fn std_reads_all(source in sound(), size in buffer_size()) {
        let whole = source.whole();
        let mut file = SeqFile::with_buffer_size(source, size);
        let mut all = Vec::new();
        file.read_to_end(&mut all).unwrap();
        prop_assert_eq!(&all, &whole);

        file.rewind().unwrap();
        let mut by_line = Vec::new();
        while file.read_until(b'\n', &mut by_line).unwrap() > 0 {}
        prop_assert_eq!(&by_line, &whole);

        let mut tail = Vec::new();
        Seek::seek(&mut file, IoSeekFrom::Start(whole.len() as u64 / 2)).unwrap();
        file.read_to_end(&mut tail).unwrap();
        prop_assert_eq!(&tail, &whole[whole.len() / 2..]);
    }

    #[test]
    fn an_error_comes_at_its_byte_and_tears_nothing(
        source in sound(),
        size in buffer_size(),
        at in any::<prop::sample::Index>(),
        printed in 0..9000usize,
        n in 1..9000usize,
    ) {
        let healed = source.whole();
        let i = at.index(source.records.borrow().len() + 1);
        // A record that fails goes where there is a place between two others.
        let records = source.records.clone();
        for (pos, _) in &mut records.borrow_mut()[i..] {
            *pos += 1;
        }
        let pos = if i == 0 { 0 } else { records.borrow()[i - 1].0 + 1 };
        records.borrow_mut().insert(i, (pos, Record::Fail(printed, Errno::EIO)));
        let before = source.before_failure();

        let mut file = SeqFile::with_buffer_size(source, size);
        let mut all = Vec::new();
        let mut out = vec![0; n];
        loop {
            match file.read(&mut out) {
                Ok(0) => panic!("the end before the error"),
                Ok(got) => all.extend_from_slice(&out[..got]),
                Err(errno) => {
                    prop_assert_eq!(errno, Errno::EIO);
                    break;
                }
            }
        }
        prop_assert_eq!(&all, &before);
        prop_assert_eq!(file.position(), before.len() as u64);
        prop_assert_eq!(file.read(&mut out), Err(Errno::EIO));

        // Behind it there is no way past it, before it there is; a failed seek loses the position.
        let len = before.len() as u64;
        prop_assert_eq!(file.read_at(&mut out, len + 1), Err(Errno::EIO));
        prop_assert_eq!(file.position(), len);
        prop_assert_eq!(file.seek(SeekFrom::Start(len)), Ok(len));
        prop_assert_eq!(file.read(&mut out), Err(Errno::EIO));
        prop_assert_eq!(file.seek(SeekFrom::Start(len + 1)), Err(Errno::EIO));
        prop_assert_eq!(file.position(), 0);
        prop_assert_eq!(file.seek(SeekFrom::Start(len)), Ok(len));
        prop_assert_eq!(file.read(&mut out), Err(Errno::EIO));

        // Once it shows, the file goes on where it was.
        records.borrow_mut()[i].1 = Record::Skip(printed);
        file.read_to_end(&mut all).unwrap();
        prop_assert_eq!(&all, &healed);
    }

    /// In memory that does not grow: all before the record that it does not hold, then an error that names it.
    #[test]
    fn fixed_memory_gives_all_that_it_can_hold(
        source in sound(),
        size in 0..9000usize,
        heap in any::<bool>(),
        n in 1..9000usize,
        at in any::<prop::sample::Index>(),
    ) {
        let whole = source.whole();
        let records = source.records.borrow().clone();
        let mut before = 0;
        let too_large = records.iter().find_map(|(pos, record)| match record {
            Record::Text(text) if text.len() >= size => Some(*pos),
            Record::Text(text) => {
                before += text.len();
                None
            }
            // One that is skipped need not fit, but in no bytes at all nothing is told from an overflow.
            _ => None,
        });
        let mut memory = vec![0; size];
        let read = |file: &mut dyn FnMut(&mut [u8]) -> Result<usize, Errno>| {
            let (mut all, mut out) = (Vec::new(), vec![0; n]);
            let end = loop {
                match file(&mut out) {
                    Ok(0) => break None,
                    Ok(got) => all.extend_from_slice(&out[..got]),
                    Err(errno) => break Some(errno),
                }
            };
            (all, end)
        };
        let (got, named, again) = if heap && size > 0 {
            // The heap's bytes begin small and grow up to the limit.
            let mut file = SeqFile::with_buffer_size(source, 1).with_limit(size);
            let got = read(&mut |out| file.read(out));
            let offset = at.index(whole.len() + 1).min(before) as u64;
            (got, file.too_large(), file.read_at(&mut [0], offset).map(|_| file.too_large()))
        } else {
            let mut file = SeqFile::in_buffer(source, &mut memory[..]);
            let got = read(&mut |out| file.read(out));
            (got, file.too_large(), file.seek(SeekFrom::Start(0)).map(|_| file.too_large()))
        };
        prop_assert_eq!(&got.0, &whole[..before]);
        prop_assert_eq!(got.1, too_large.map(|_| Errno::ENOBUFS));
        prop_assert_eq!(named.map(|record| (record.pos(), record.limit())), too_large.map(|pos| (pos, size)));
        prop_assert!(matches!(again, Ok(None) | Err(Errno::ENOBUFS)));
    }

    #[test]
    fn whatever_fails_every_section_is_left(source in unsound(), ops in vec(op(), 0..STEPS)) {
        // The source panics when a section is entered twice, or used after an error.
        let mut file = SeqFile::new(source);
        let mut out = vec![0; 100_000];
        for op in ops {
            match op {
                Op::Read(n) => drop(file.read(&mut out[..n])),
                Op::ReadAt(n, at) => drop(file.read_at(&mut out[..n], at)),
                Op::Seek(to) => drop(file.seek(SeekFrom::Start(to))),
                Op::SeekBy(by) => drop(file.seek(SeekFrom::Current(by))),
                Op::Fill(n) => {
                    let _ = file.fill_buf();
                    file.consume(n);
                }
            }
        }
    }
}

fn lines(n: usize) -> Source {
    let line = |i| (i as u64, Record::Text(format!("{i:083}\n").into_bytes()));
    Source::new((0..n).map(line).collect())
}

#[test]
fn a_read_delivers_whole_records_of_one_buffer() {
    let mut file = SeqFile::new(lines(200));
    let mut out = vec![0; 65_536];
    // 48 records of 84 bytes leave 64 bytes of the 4,096 free.
    assert_eq!(file.read(&mut out), Ok(48 * 84));
    assert_eq!(file.read(&mut out), Ok(48 * 84));
    // The rest of a record goes out with the whole ones behind it.
    assert_eq!(file.read(&mut out[..10]), Ok(10));
    assert_eq!(file.read(&mut out), Ok(74 + 48 * 84));
}

#[test]
fn a_full_buffer_has_overflowed() {
    let text = |len| Source::new(vec![(0, Record::Text(vec![b'x'; len]))]);
    let mut out = vec![0; 10_000];
    for (len, buffer) in [(4095, 4096), (4096, 8192), (4097, 8192)] {
        let source = text(len);
        let log = source.log.clone();
        let mut file = SeqFile::new(source);
        assert_eq!(file.read(&mut out), Ok(len));
        let starts = if buffer == 4096 { 1 } else { 2 };
        let calls = log.borrow();
        let started = |call: &&_| matches!(call, support::source::Call::Start(_));
        assert_eq!(calls.iter().filter(started).count(), starts, "{len}");
    }
}

/// `too_large` names a record after the very call that answers ENOBUFS for it, and after no other.
#[test]
fn a_record_is_too_large_for_the_call_that_says_so() {
    let records = [2, 20].map(|len| Record::Text(vec![b'x'; len]));
    let source = Source::new((0..).zip(records).collect());
    let (mut file, mut out) = (SeqFile::in_buffer(source, [0; 8]), [0; 16]);
    assert_eq!(file.read(&mut out[..1]), Ok(1));
    // This read meets it, but has a byte to deliver.
    assert_eq!((file.read(&mut out), file.too_large()), (Ok(1), None));
    assert_eq!(file.read(&mut out), Err(Errno::ENOBUFS));
    assert_eq!(file.too_large().map(|record| record.pos()), Some(1));
    assert_eq!((file.read_at(&mut out, 0), file.too_large()), (Ok(2), None));
}

/// The records of a large read are printed where they are wanted: the file's own buffer is never made.
#[test]
fn a_large_read_takes_no_buffer() {
    struct Absent;
    impl Buffer for Absent {
        fn size(&self) -> usize {
            4096
        }
        fn prepare(&mut self) -> Result<(), Errno> {
            Err(Errno::EBUSY)
        }
        fn bytes(&self) -> &[u8] {
            &[]
        }
        fn bytes_mut(&mut self) -> &mut [u8] {
            &mut []
        }
        fn grow(&mut self) -> Result<(), Errno> {
            Err(Errno::ENOBUFS)
        }
    }
    let mut file = SeqFile::in_buffer(lines(200), Absent);
    let mut out = [0; 4096];
    assert_eq!(file.read(&mut out), Ok(48 * 84));
    assert_eq!(file.read(&mut out), Ok(48 * 84));
    assert_eq!(&out[..84], format!("{:083}\n", 48).as_bytes());
    assert_eq!(file.read(&mut out[..4095]), Err(Errno::EBUSY));
}

/// `std::io::copy` takes the records as they are read: its pieces are whole records of one buffer each.
#[test]
fn io_copy_takes_whole_records() {
    struct Pieces(Vec<usize>);
    impl io::Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut pieces = Pieces(Vec::new());
    let mut file = SeqFile::new(lines(100));
    assert_eq!(io::copy(&mut file, &mut pieces).unwrap(), 100 * 84);
    assert_eq!(pieces.0, [48 * 84, 48 * 84, 4 * 84]);
}

#[test]
fn reading_at_0_starts_anew() {
    let source = lines(3);
    let records = source.records.clone();
    let mut file = SeqFile::new(source);
    let mut out = [0; 10];
    assert_eq!(file.read_at(&mut out, 0), Ok(10));
    records.borrow_mut()[0].1 = Record::Text(b"fresh".to_vec());
    assert_eq!(file.read_at(&mut out[..5], 0), Ok(5));
    assert_eq!(&out[..5], b"fresh");
    // A file that grows is read on at its end.
    assert_eq!(file.seek(SeekFrom::Start(5 + 84 * 2)), Ok(173));
    assert_eq!(file.read(&mut out), Ok(0));
    records.borrow_mut().push((9, Record::Text(b"more".to_vec())));
    assert_eq!(file.read(&mut out), Ok(4));
}

#[test]
fn seeks_that_fail_move_nothing() {
    let mut file = SeqFile::new(lines(3));
    assert_eq!(file.seek(SeekFrom::Start(7)), Ok(7));
    let max = i64::MAX as u64;
    for to in [
        SeekFrom::End(0),
        SeekFrom::End(-5),
        SeekFrom::Current(-8),
        SeekFrom::Current(i64::MAX),
        SeekFrom::Start(max + 1),
        SeekFrom::Start(u64::MAX),
    ] {
        assert_eq!(file.seek(to), Err(Errno::EINVAL), "{to:?}");
        assert_eq!(file.position(), 7);
    }
    assert_eq!(file.seek(SeekFrom::Start(max)), Ok(max));
    assert_eq!(file.read(&mut []), Ok(0));
    assert_eq!(file.read(&mut [0]), Err(Errno::EINVAL));
    assert_eq!(file.read_at(&mut [0], max - 1), Ok(0));
    assert_eq!(file.read_at(&mut [0], u64::MAX), Err(Errno::EINVAL));
}

#[test]
fn no_memory_is_an_error() {
    let mut file = SeqFile::with_buffer_size(lines(1), 1 << 31);
    assert_eq!(file.read(&mut [0]), Err(Errno::ENOMEM));
    assert_eq!(file.seek(SeekFrom::Start(1)), Err(Errno::ENOMEM));
    assert_eq!(file.position(), 0);
}

#[test]
fn operations_may_be_lent() {
    let mut ops = SliceOps::new(&[1u8, 2][..], |n: &u8, out: &mut seqfile_core::SeqBuf<'_>| {
        out.put_dec(*n);
        Ok(seqfile_core::Show::Record)
    });
    for _ in 0..2 {
        let mut all = String::new();
        SeqFile::new(&mut ops).read_to_string(&mut all).unwrap();
        assert_eq!(all, "12");
    }
}
