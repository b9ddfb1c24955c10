//! The reader: whatever the records are and however they are read, it answers as the kernel's `seq_file` does, by the same calls of the
//! operations; and in memory that does not grow, what a slice of everything concatenated says.

use std::cell::RefCell;
use std::rc::Rc;

use seqfile_core::{Buffer, Errno, Section, SeekFrom, SeqBuf, SeqFile, SeqOperations, Show};

#[path = "../../seqfile-core/tests/support/cseq.rs"]
mod cseq;

use cseq::CSeq;

/// The most bytes that are read at once, and more than any record has.
const MOST: usize = 40_000;

/// The most calls that are made: each may walk through all records.
const CALLS: usize = 30;

/// What a record does.
#[derive(Clone, Debug)]
enum Record {
    Text(usize),
    /// Prints, and is not to appear.
    Skip(usize),
    /// Prints, and fails so often before it appears.
    Fail(usize, u8),
    /// Appears; the step behind it fails.
    Stuck(usize),
}

/// One call of an operation, with its position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Call {
    Start(u64),
    Show(u64),
    Next(u64),
    Stop,
}

/// Records with positions that ascend; whoever drives them wrongly is told by a panic.
#[derive(Clone)]
struct Source {
    records: Vec<(u64, Record)>,
    log: Rc<RefCell<Vec<Call>>>,
}

impl Source {
    fn twin(&self) -> Self {
        Self { records: self.records.clone(), log: Rc::default() }
    }

    fn log(&self, call: Call) {
        self.log.borrow_mut().push(call);
    }
}

/// What records are cut from: no two places look alike for long.
static PATTERN: [u8; MOST] = {
    let (mut pattern, mut i) = ([0; MOST], 0);
    while i < MOST {
        pattern[i] = (i as u8) ^ ((i / 251) as u8);
        i += 1;
    }
    pattern
};

/// The text of the record at a position.
fn text(pos: u64, len: usize) -> &'static [u8] {
    &PATTERN[pos as usize % 1000..][..len]
}

struct Walk<'a> {
    source: &'a mut Source,
    at: usize,
    entered: u64,
    broken: bool,
}

impl SeqOperations for Source {
    type Section<'a> = Walk<'a>;

    fn start(&mut self, pos: u64) -> Result<Walk<'_>, Errno> {
        assert!(matches!(self.log.borrow().last(), None | Some(Call::Stop)), "start in a section");
        self.log(Call::Start(pos));
        let at = self.records.partition_point(|(other, _)| *other < pos);
        Ok(Walk { source: self, at, entered: pos, broken: false })
    }
}

impl Section for Walk<'_> {
    fn pos(&self) -> u64 {
        let records = &self.source.records;
        let end = || records.last().map_or(0, |(last, _)| last + 1).max(self.entered);
        records.get(self.at).map_or_else(end, |(pos, _)| *pos)
    }

    fn is_end(&self) -> bool {
        self.at >= self.source.records.len()
    }

    fn show(&mut self, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        assert!(!self.is_end() && !self.broken, "show out of turn");
        let pos = self.pos();
        self.source.log(Call::Show(pos));
        let record = &mut self.source.records[self.at].1;
        let (Record::Text(len) | Record::Skip(len) | Record::Fail(len, _) | Record::Stuck(len)) = *record;
        out.put_bytes(text(pos, len));
        match record {
            Record::Text(_) | Record::Stuck(_) | Record::Fail(_, 0) => Ok(Show::Record),
            Record::Skip(_) => Ok(Show::Skip),
            Record::Fail(_, times) => {
                *times -= 1;
                Err(Errno::EIO)
            }
        }
    }

    fn next(&mut self) -> Result<(), Errno> {
        assert!(!self.is_end() && !self.broken, "next out of turn");
        self.source.log(Call::Next(self.pos()));
        self.broken = matches!(self.source.records[self.at].1, Record::Stuck(_));
        if self.broken {
            return Err(Errno::EIDRM);
        }
        self.at += 1;
        Ok(())
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        self.source.log(Call::Stop);
    }
}

/// What is left of the input; zeros behind its end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A number, near a page or its multiples, small, or somewhat large.
    fn size(&mut self) -> usize {
        let (kind, byte) = (self.byte(), usize::from(self.byte()));
        match kind % 4 {
            0 => byte,
            1 => 4096 * (1 + usize::from(kind) / 64) + byte % 8 - 4,
            2 => byte * 40,
            _ => byte % 16,
        }
    }

    fn records(&mut self, sound: bool) -> Vec<(u64, Record)> {
        let (mut records, mut pos) = (Vec::new(), 0);
        for _ in 0..self.byte() % 32 {
            let (kind, size) = (self.byte(), self.size());
            pos += u64::from(kind / 64);
            let record = match kind % 8 {
                5 => Record::Skip(size),
                6 if !sound => Record::Fail(size, 1 + kind / 8 % 3),
                7 if !sound => Record::Stuck(size),
                _ => Record::Text(size),
            };
            records.push((pos, record));
            pos += 1;
        }
        records
    }
}

/// Checks the reader with records, memory and calls made from these bytes.
pub fn check(bytes: &[u8]) {
    let mut input = Input(bytes);
    let kind = input.byte();
    let records = input.records(!kind.is_multiple_of(3));
    let source = Source { records, log: Rc::default() };
    match kind % 3 {
        0 => as_the_kernel(source, &mut input),
        1 => {
            let mut memory = vec![0; input.size()];
            let (size, model) = (memory.len(), source.records.clone());
            as_a_slice(SeqFile::in_buffer(source, &mut memory[..]), &model, size, &mut input);
        }
        _ => {
            let (limit, model) = (input.size().max(1), source.records.clone());
            let first = 1 << (kind / 8 % 14);
            let file = SeqFile::with_buffer_size(source, first).with_limit(limit);
            as_a_slice(file, &model, limit.max(first), &mut input);
        }
    }
}

/// The same answers, bytes and calls as the kernel's, whatever fails.
fn as_the_kernel(source: Source, input: &mut Input<'_>) {
    let theirs = source.twin();
    let logs = (source.log.clone(), theirs.log.clone());
    let (mut ours, mut theirs) = (SeqFile::new(source), CSeq::open(theirs));
    let (mut a, mut b) = (vec![0; MOST], vec![0; MOST]);
    for _ in 0..CALLS {
        if input.0.is_empty() {
            break;
        }
        let (kind, size, offset) = (input.byte(), input.size().min(MOST), input.size() as i64);
        let offset = if kind >= 0xf0 { i64::MAX - offset } else { offset * i64::from(kind / 16 % 8) };
        let mut read = 0;
        let (got, want) = match kind % 4 {
            0 => (code(ours.read(&mut a[..size])), theirs.read(&mut b[..size]) as i64),
            1 => (code(ours.read_at(&mut a[..size], offset as u64)), theirs.pread(&mut b[..size], offset) as i64),
            2 => (code(ours.seek(SeekFrom::Start(offset as u64))), theirs.seek_set(offset)),
            _ => {
                let by = offset.min(1 << 40) - 2000;
                (code(ours.seek(SeekFrom::Current(by))), theirs.seek_cur(by))
            }
        };
        if kind % 4 < 2 {
            read = want.max(0) as usize;
        }
        assert_eq!(got, want);
        assert!(a[..read] == b[..read], "other bytes");
        assert_eq!(ours.position() as i64, theirs.position());
    }
    assert_eq!(*logs.0.borrow(), *logs.1.borrow());
}

fn code<T: TryInto<i64>>(answer: Result<T, Errno>) -> i64 {
    match answer {
        Ok(n) => n.try_into().unwrap_or(i64::MAX),
        Err(errno) => errno.negated().into(),
    }
}

/// Slices of the whole up to the first record that takes `size` bytes or more, and there an error that names it.
fn as_a_slice<B: Buffer>(mut file: SeqFile<Source, B>, records: &[(u64, Record)], size: usize, input: &mut Input<'_>) {
    let (mut whole, mut too_large) = (Vec::new(), None);
    for (pos, record) in records {
        match record {
            Record::Text(len) if *len >= size => {
                too_large = Some(*pos);
                break;
            }
            Record::Text(len) => whole.extend(text(*pos, *len)),
            _ => {}
        }
    }
    let end = whole.len() as u64;
    let slice = |got: Result<&[u8], Errno>, named: Option<u64>, at: u64, wanted: usize| match got {
        Ok(bytes) => {
            let rest = whole.get(at as usize..).unwrap_or_default();
            assert!(rest.starts_with(bytes) && named.is_none());
            assert!(!bytes.is_empty() || wanted == 0 || (rest.is_empty() && too_large.is_none()), "nothing at {at}");
        }
        Err(errno) => {
            assert!(at >= end, "an error at {at} of {end}");
            assert_eq!((errno, named), (Errno::ENOBUFS, too_large));
            assert!(too_large.is_some());
        }
    };
    let (mut out, mut pos) = (vec![0; MOST], 0);
    for _ in 0..CALLS {
        if input.0.is_empty() {
            break;
        }
        let (kind, wanted, offset) = (input.byte(), input.size().min(MOST), input.size() as u64);
        match kind % 4 {
            0 => {
                let got = file.read(&mut out[..wanted]);
                slice(got.map(|n| &out[..n]), file.too_large().map(|record| record.pos()), pos, wanted);
                pos += got.unwrap_or(0) as u64;
            }
            1 => {
                let got = file.read_at(&mut out[..wanted], offset);
                slice(got.map(|n| &out[..n]), file.too_large().map(|record| record.pos()), offset, wanted);
            }
            2 => {
                let got = file.seek(SeekFrom::Start(offset));
                let met = too_large.is_some() && offset > end;
                assert_eq!(got, if met { Err(Errno::ENOBUFS) } else { Ok(offset) });
                pos = got.unwrap_or(0);
            }
            _ => {
                let got = file.peek().map(<[u8]>::to_vec);
                slice(got.as_deref().map_err(|errno| *errno), file.too_large().map(|record| record.pos()), pos, 1);
                let n = wanted.min(got.map_or(0, |bytes| bytes.len()));
                file.skip(n);
                pos += n as u64;
            }
        }
        assert_eq!(file.position(), pos);
    }
}
