//! The walk against a naive model: exact while the source changes, whatever the reads; and its cost, counted.
#![allow(missing_docs)]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicI16;

use proptest::prelude::*;
use rcu_core::flavor::epoch::Epoch;
use semundo_core::source::{Adjustments, Key, OwnKey, Source, TableKey};
use semundo_core::types::SemAdj;
use semundo_core::walk::HeapWalk;
use semundo_core::{UndoList, text};
use seqfile_core::{Errno, SeqBuf, SeqFile};

/// A source that changes between the reads: an unordered list, newest first, as a kernel's.
#[derive(Default)]
struct Naive<K> {
    entries: RefCell<Vec<(K, Vec<AtomicI16>)>>,
    passes: Cell<usize>,
    visits: Cell<usize>,
}

impl<K: Key> Naive<K> {
    fn insert(&self, key: K, adjustments: &[SemAdj]) {
        self.remove(key);
        self.entries.borrow_mut().insert(0, (key, adjustments.iter().copied().map(AtomicI16::new).collect()));
    }

    fn remove(&self, key: K) {
        self.entries.borrow_mut().retain(|(other, _)| *other != key);
    }
}

impl<K: Key> Source for &Naive<K> {
    type Key = K;

    fn pass(&mut self, mut visit: impl FnMut(K, Adjustments<'_>)) -> Result<(), Errno> {
        self.passes.set(self.passes.get() + 1);
        for (key, adjustments) in &*self.entries.borrow() {
            self.visits.set(self.visits.get() + 1);
            visit(*key, adjustments);
        }
        Ok(())
    }
}

/// What one entry's record looks like, by the standard library's own formatting.
trait Record: Key {
    fn numbered(number: u16) -> Self;
    fn line(&self, adjustments: &[SemAdj]) -> String;
    /// The leading words of a line.
    const WORDS: usize;
}

impl Record for OwnKey {
    fn numbered(number: u16) -> Self {
        Self { semid: i32::from(number) * 40503 }
    }

    fn line(&self, adjustments: &[SemAdj]) -> String {
        format!("{}{}\n", self.semid, words(adjustments))
    }

    const WORDS: usize = 1;
}

impl Record for TableKey {
    /// Few sets with several processes each; process 3 has two lists.
    fn numbered(number: u16) -> Self {
        let (semid, pid) = (i32::from(number / 6) * 40503, i32::from(number % 6).min(3));
        Self { semid, pid, list: i32::from(number % 6) + 100, identity: usize::from(number) ^ 0x3f }
    }

    fn line(&self, adjustments: &[SemAdj]) -> String {
        format!("{:10} {:10} {:10}{}\n", self.semid, self.pid, self.list, words(adjustments))
    }

    const WORDS: usize = 3;
}

fn words(adjustments: &[SemAdj]) -> String {
    adjustments.iter().map(|adjustment| format!(" {adjustment}")).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, Vec<SemAdj>),
    Remove(u16),
    Read(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let adjustments = prop::collection::vec(prop_oneof![3 => Just(0), 2 => any::<SemAdj>()], 1..40);
    prop_oneof![
        2 => (0_u16..60, adjustments).prop_map(|(number, adjustments)| Step::Insert(number, adjustments)),
        1 => (0_u16..60).prop_map(Step::Remove),
        3 => prop_oneof![Just(1_usize), Just(7), 1_usize..200, Just(4096)].prop_map(Step::Read),
    ]
}

/// Whole text of a source as it stands.
fn naive_text<K: Record>(source: &Naive<K>) -> String {
    let entries = source.entries.borrow();
    let sorted: BTreeMap<_, _> = entries.iter().map(|(key, adjustments)| (*key, plain(adjustments))).collect();
    let lines = sorted.iter().filter(|(_, adjustments)| adjustments.iter().any(|adjustment| *adjustment != 0));
    K::HEADER.to_owned() + &lines.map(|(key, adjustments)| key.line(adjustments)).collect::<String>()
}

fn plain(adjustments: &[AtomicI16]) -> Vec<SemAdj> {
    adjustments.iter().map(|adjustment| adjustment.load(std::sync::atomic::Ordering::Relaxed)).collect()
}

/// The exactness rule for one incremental read with changes between its parts.
fn exact_while_it_changes<K: Record>(before: &[(u16, Vec<SemAdj>)], steps: &[Step], buffer: usize) {
    let source = Naive::<K>::default();
    for (number, adjustments) in before {
        source.insert(K::numbered(*number), adjustments);
    }
    // What may appear: any state that an entry had; what must: entries untouched from the first read to the end.
    let mut possible: BTreeSet<String> = BTreeSet::new();
    let mut must: Option<BTreeSet<String>> = None;
    let lines_now = |source: &Naive<K>| -> BTreeSet<String> {
        naive_text(source)[K::HEADER.len()..].split_inclusive('\n').map(str::to_owned).collect()
    };
    let mut file = SeqFile::with_buffer_size(HeapWalk::with_batch_min(&source, 1), buffer);
    let mut read = Vec::new();
    let mut drained = false;
    // After the given steps the rest is read by sevens, with the same changes again in between.
    let rest = steps.iter().cycle().take(steps.len() * 4).cloned().chain(std::iter::repeat(Step::Read(7)));
    for step in steps.iter().cloned().chain(rest) {
        match step {
            Step::Insert(number, adjustments) => source.insert(K::numbered(number), &adjustments),
            Step::Remove(number) => source.remove(K::numbered(number)),
            Step::Read(len) => {
                if must.is_none() {
                    possible = lines_now(&source);
                    must = Some(possible.clone());
                }
                let mut bytes = vec![0; len];
                let n = file.read(&mut bytes).unwrap();
                read.extend_from_slice(&bytes[..n]);
                if n == 0 {
                    drained = true;
                    break;
                }
                continue;
            }
        }
        // A line that must come out is one that no change takes away.
        if let Some(must) = &mut must {
            let now = lines_now(&source);
            must.retain(|line| now.contains(line));
            possible.extend(now);
        }
    }
    assert!(drained);
    let read = String::from_utf8(read).unwrap();
    let lines: Vec<_> = read.strip_prefix(K::HEADER).expect("the header").split_inclusive('\n').collect();
    let keys: Vec<Vec<i64>> = lines
        .iter()
        .map(|line| line.split_ascii_whitespace().take(K::WORDS).map(|word| word.parse().unwrap()).collect())
        .collect();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "ascending, each once: {read}");
    for line in &lines {
        assert!(possible.contains(*line), "{line:?} never was");
    }
    for line in must.unwrap_or_default() {
        assert!(lines.contains(&line.as_str()), "{line:?} was there all the time and did not come out: {read}");
    }
}

fn before() -> impl Strategy<Value = Vec<(u16, Vec<SemAdj>)>> {
    let adjustments = prop::collection::vec(prop_oneof![Just(0), any::<SemAdj>()], 1..40);
    prop::collection::vec((0_u16..60, adjustments), 0..50)
}

proptest! {
    #[test]
    fn own_list_is_exact_while_it_changes(
        before in before(), steps in prop::collection::vec(step(), 1..40), buffer in 0_u32..8,
    ) {
        exact_while_it_changes::<OwnKey>(&before, &steps, 1 << buffer);
    }

    #[test]
    fn table_is_exact_while_it_changes(
        before in before(), steps in prop::collection::vec(step(), 1..40), buffer in 0_u32..8,
    ) {
        exact_while_it_changes::<TableKey>(&before, &steps, 1 << buffer);
    }

    /// A list that stands still: any sizes and any seeks give slices of the whole.
    #[test]
    fn any_reads_are_slices_of_the_whole(
        before in before(), buffer in 0_u32..8,
        reads in prop::collection::vec((1_usize..300, prop::option::of(0_u16..2000)), 1..60),
    ) {
        let source = Naive::<TableKey>::default();
        for (number, adjustments) in &before {
            source.insert(TableKey::numbered(*number), adjustments);
        }
        let whole = naive_text(&source).into_bytes();
        let mut file = SeqFile::with_buffer_size(HeapWalk::with_batch_min(&source, 1), 1 << buffer);
        let mut at = 0_usize;
        for (len, seek) in reads {
            let mut bytes = vec![0; len];
            let n = match seek {
                Some(offset) => {
                    let n = file.read_at(&mut bytes, offset.into()).unwrap();
                    let rest = whole.get(usize::from(offset)..).unwrap_or_default();
                    prop_assert_eq!(&bytes[..n], &rest[..n.min(rest.len())]);
                    prop_assert!(n > 0 || rest.is_empty());
                    continue;
                }
                None => file.read(&mut bytes).unwrap(),
            };
            prop_assert_eq!(&bytes[..n], &whole[at..at + n]);
            prop_assert!(n > 0 || at == whole.len());
            at += n;
        }
    }

    /// The undo list in user space gives what the naive source gives.
    #[test]
    fn undo_list_is_the_naive_source(before in before(), removed in prop::collection::vec(0_u16..60, 0..20)) {
        let (list, naive) = (UndoList::new(Epoch), Naive::<OwnKey>::default());
        for (number, adjustments) in &before {
            let key = OwnKey::numbered(*number);
            list.remove(key.semid);
            prop_assert!(list.insert(key.semid, adjustments));
            prop_assert!(!list.insert(key.semid, &[1]));
            naive.insert(key, adjustments);
        }
        for number in removed {
            let key = OwnKey::numbered(number);
            list.remove(key.semid);
            naive.remove(key);
        }
        let mut whole = String::new();
        std::io::Read::read_to_string(&mut SeqFile::new(HeapWalk::new(&list)), &mut whole).unwrap();
        prop_assert_eq!(&whole, &naive_text(&naive));
        prop_assert!(text::lines(whole.as_bytes()).all(|line| line.is_ok()));
    }
}

/// A whole read in reads of 4 KiB visits each entry a bounded number of times, however many there are.
#[test]
fn cost_does_not_grow_with_the_square() {
    for entries in [1_000_u32, 10_000, 100_000] {
        let source = Naive::<OwnKey>::default();
        *source.entries.borrow_mut() = (0..entries)
            .map(|number| {
                let semid = number.wrapping_mul(2_654_435_761) as i32 & i32::MAX;
                (OwnKey { semid }, [1; 4].map(AtomicI16::new).into())
            })
            .collect();
        let mut file = SeqFile::new(HeapWalk::new(&source));
        let mut bytes = [0; 4096];
        let mut total = 0;
        loop {
            match file.read(&mut bytes).unwrap() {
                0 => break,
                n => total += n,
            }
        }
        assert!(total > entries as usize * 10);
        // Two to take the index (the first finds how much memory it needs), one for the only batch.
        assert_eq!((source.passes.get(), source.visits.get()), (3, 3 * entries as usize));
    }
}

/// Rewinding begins a new walk; going on does not.
#[test]
fn a_read_from_the_beginning_is_fresh() {
    let source = Naive::<OwnKey>::default();
    source.insert(OwnKey { semid: 5 }, &[1]);
    let mut file = SeqFile::new(HeapWalk::new(&source));
    let mut bytes = [0; 64];
    assert_eq!(file.read(&mut bytes), Ok(4));
    source.insert(OwnKey { semid: 6 }, &[2]);
    assert_eq!(file.read(&mut bytes), Ok(0), "the entry came after the walk began");
    assert_eq!(file.read_at(&mut bytes, 0), Ok(8));
    assert_eq!(&bytes[..8], b"5 1\n6 2\n");
}

/// An identifier that was given anew, to a set of another size, is another entry.
#[test]
fn a_set_of_another_size_is_not_mistaken() {
    let source = Naive::<OwnKey>::default();
    source.insert(OwnKey { semid: 1 }, &[7; 5000]);
    source.insert(OwnKey { semid: 2 }, &[7; 5000]);
    source.insert(OwnKey { semid: 3 }, &[7, 7]);
    let mut file = SeqFile::new(HeapWalk::new(&source));
    let mut whole = vec![0; 1];
    file.read(&mut whole).unwrap();
    // The last set's batch is not fetched yet: the wide ones before it fill two.
    source.insert(OwnKey { semid: 3 }, &[9]);
    std::io::Read::read_to_end(&mut file, &mut whole).unwrap();
    let wide = [1, 2].map(|semid| OwnKey { semid }.line(&[7; 5000])).concat();
    assert_eq!(String::from_utf8(whole).unwrap(), wide);
}

/// A list whose lowest thread exits goes by another one: the entry is still the same.
#[test]
fn an_entry_stays_itself_when_its_list_goes_by_another_thread() {
    let source = Naive::<TableKey>::default();
    let key = |list| TableKey { semid: 4, pid: 10, list, identity: 77 };
    source.insert(TableKey { semid: 1, ..key(10) }, &[7; 5000]);
    source.insert(TableKey { semid: 2, ..key(10) }, &[7; 5000]);
    source.insert(key(10), &[1]);
    source.insert(TableKey { identity: 78, ..key(12) }, &[2]);
    let mut file = SeqFile::new(HeapWalk::new(&source));
    let mut whole = vec![0; 1];
    file.read(&mut whole).unwrap();
    // The last entries' batch is not fetched yet.
    source.remove(key(10));
    source.insert(key(13), &[3]);
    std::io::Read::read_to_end(&mut file, &mut whole).unwrap();
    let whole = String::from_utf8(whole).unwrap();
    let rest: Vec<_> = whole.lines().skip(3).collect();
    assert_eq!(rest, ["         4         10         10 3", "         4         10         12 2"]);
}

/// An entry wider than any buffer at hand comes out whole.
#[test]
fn a_wide_entry_is_one_record() {
    let source = Naive::<OwnKey>::default();
    source.insert(OwnKey { semid: 9 }, &[-32768; 32_000]);
    let mut whole = String::new();
    std::io::Read::read_to_string(&mut SeqFile::new(HeapWalk::new(&source)), &mut whole).unwrap();
    assert_eq!(whole, OwnKey { semid: 9 }.line(&[-32768; 32_000]));
    let mut small = [0; 16];
    let mut out = SeqBuf::new(&mut small);
    text::put_line(9, &[-32768; 32_000], &mut out);
    assert!(out.has_overflowed());
}
