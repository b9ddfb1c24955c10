//! A sequence of scripted records: text, skipped, failing in `show` or in `next`, at positions with
//! gaps. It logs every call, and panics if a call comes out of turn.

use std::{cell::RefCell, rc::Rc};

use proptest::{collection::vec, prelude::*};
use seqfile_core::{Errno, Section, SeqBuf, SeqOperations, Show};

use super::STEPS;

/// One record.
#[derive(Clone, Debug)]
pub enum Record {
    Text(Vec<u8>),
    /// Prints, then asks to be skipped.
    Skip(usize),
    /// Prints, then fails.
    Fail(usize, Errno),
    /// Prints; the step after it fails.
    Stuck(Vec<u8>, Errno),
}

/// One call of an operation, with the position it was made at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    Start(u64),
    Show(u64),
    Next(u64),
    Stop,
}

/// A sequence of records and their positions; the log is shared with the test.
#[derive(Clone, Debug)]
pub struct Source {
    pub records: Rc<RefCell<Vec<(u64, Record)>>>,
    pub log: Rc<RefCell<Vec<Call>>>,
}

impl Source {
    pub fn new(records: Vec<(u64, Record)>) -> Self {
        Self { records: Rc::new(RefCell::new(records)), log: Rc::default() }
    }

    /// Another sequence of the same records, with a log of its own.
    pub fn twin(&self) -> Self {
        Self::new(self.records.borrow().clone())
    }

    /// Everything that a reader sees, if nothing fails.
    pub fn whole(&self) -> Vec<u8> {
        Self::text(&self.records.borrow())
    }

    /// What a reader sees before the first record that fails to show.
    pub fn before_failure(&self) -> Vec<u8> {
        let records = self.records.borrow();
        let fails = |(_, r): &(u64, Record)| matches!(r, Record::Fail(..));
        let end = records.iter().position(fails).unwrap_or(records.len());
        Self::text(&records[..end])
    }

    fn text(records: &[(u64, Record)]) -> Vec<u8> {
        let mut all = Vec::new();
        for (_, record) in records {
            if let Record::Text(text) | Record::Stuck(text, _) = record {
                all.extend_from_slice(text);
            }
        }
        all
    }

    fn log(&self, call: Call) {
        self.log.borrow_mut().push(call);
    }
}

pub struct Walk<'a> {
    source: &'a mut Source,
    at: usize,
    entered: u64,
    broken: bool,
}

impl SeqOperations for Source {
    type Section<'a> = Walk<'a>;

    fn start(&mut self, pos: u64) -> Result<Walk<'_>, Errno> {
        let last = self.log.borrow().last().copied();
        assert!(matches!(last, None | Some(Call::Stop)), "start in a section");
        self.log(Call::Start(pos));
        let at = self.records.borrow().partition_point(|&(p, _)| p < pos);
        Ok(Walk { source: self, at, entered: pos, broken: false })
    }
}

impl Section for Walk<'_> {
    fn pos(&self) -> u64 {
        let records = self.source.records.borrow();
        match records.get(self.at) {
            Some(&(pos, _)) => pos,
            None => records.last().map_or(0, |&(last, _)| last + 1).max(self.entered),
        }
    }

    fn is_end(&self) -> bool {
        self.at >= self.source.records.borrow().len()
    }

    fn show(&mut self, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        assert!(!self.is_end() && !self.broken, "show out of turn");
        self.source.log(Call::Show(self.pos()));
        match &self.source.records.borrow()[self.at].1 {
            Record::Text(text) | Record::Stuck(text, _) => {
                // In pieces, as a real record.
                let (head, tail) = text.split_at(text.len() / 3);
                out.put_bytes(head);
                out.put_bytes(tail);
                Ok(Show::Record)
            }
            Record::Skip(n) => {
                out.put_bytes(&vec![b'?'; *n]);
                Ok(Show::Skip)
            }
            Record::Fail(n, errno) => {
                out.put_bytes(&vec![b'!'; *n]);
                Err(*errno)
            }
        }
    }

    fn next(&mut self) -> Result<(), Errno> {
        assert!(!self.is_end() && !self.broken, "next out of turn");
        self.source.log(Call::Next(self.pos()));
        if let Record::Stuck(_, errno) = self.source.records.borrow()[self.at].1 {
            self.broken = true;
            return Err(errno);
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

/// Text of mostly small records, some of many pages; every byte tells where it is from.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let long: usize = if cfg!(miri) { 300 } else { 20_000 };
    let len = prop_oneof![8 => 0..100usize, 1 => 0..long, 1 => 4090..4100usize];
    (len, any::<u8>()).prop_map(|(len, salt)| {
        let byte = |i: usize| (i as u8).wrapping_mul(7).wrapping_add(salt);
        (0..len).map(byte).collect()
    })
}

fn errno() -> impl Strategy<Value = Errno> {
    prop_oneof![Just(Errno::EIO), Just(Errno::EIDRM), Just(Errno::EPERM)]
}

/// Gives each record a position: gaps of 1 to 40.
fn place(records: Vec<(u64, Record)>) -> Source {
    let mut pos = 0;
    let placed = records.into_iter().enumerate().map(|(i, (gap, record))| {
        // The first record may be at 0.
        pos += if i == 0 { gap - 1 } else { gap };
        (pos, record)
    });
    Source::new(placed.collect())
}

fn gap() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(1u64), 1 => 1..40u64]
}

/// Sequences of text and skipped records.
pub fn sound() -> impl Strategy<Value = Source> {
    let record = prop_oneof![
        8 => text().prop_map(Record::Text),
        1 => (0..9000usize).prop_map(Record::Skip),
    ];
    vec((gap(), record), 0..STEPS).prop_map(place)
}

/// Sequences with failures of every kind among the records.
pub fn unsound() -> impl Strategy<Value = Source> {
    let record = prop_oneof![
        12 => text().prop_map(Record::Text),
        2 => (0..9000usize).prop_map(Record::Skip),
        1 => (0..9000usize, errno()).prop_map(|(n, e)| Record::Fail(n, e)),
        1 => (text(), errno()).prop_map(|(t, e)| Record::Stuck(t, e)),
    ];
    vec((gap(), record), 0..STEPS).prop_map(place)
}
