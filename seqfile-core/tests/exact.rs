//! The exactness rule, for each ready-made sequence: what is there from the first read to the end of file comes out exactly
//! once, in order, whatever is added, changed or removed between the reads, and whatever their size.
#![cfg(all(feature = "std", feature = "rcu"))]

mod support;

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    rc::Rc,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use proptest::{collection::vec, prelude::*};
use rcu_core::{HLinks, HList, Links, List, flavor::membarrier::Membarrier, linked};
use seqfile_core::{
    Errno, IndexOps, MapOps, Pass, SeqBuf, SeqFile, SeqOperations, Show, SingleOps, SliceOps, Unlocked,
};
use support::{STEPS, config};

/// What may be done to a collection of numbers with values between reads of it.
#[derive(Clone, Debug)]
enum Step {
    Insert(u16, u32),
    Remove(u16),
    Read(usize),
    Peek(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..60u16;
    prop_oneof![
        2 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
        1 => key.prop_map(Step::Remove),
        3 => prop_oneof![Just(1usize), Just(7), 1..200usize, Just(4096)].prop_map(Step::Read),
        1 => (1..50usize).prop_map(Step::Peek),
    ]
}

fn before() -> impl Strategy<Value = Vec<(u16, u32)>> {
    vec((0..60u16, any::<u32>()), 0..50)
}

fn line(key: u16, value: u32) -> String {
    format!("{key} {value}\n")
}

fn put(key: u16, value: u32, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
    // In pieces, as a real record; every seventh does not appear.
    out.put_dec(key);
    out.put_char(b' ');
    out.put_dec(value);
    out.put_char(b'\n');
    Ok(if value % 7 == 0 { Show::Skip } else { Show::Record })
}

/// The rule, for a collection that `insert` and `remove` change and that `ops` is over. `K` tells a record by its line.
fn exact<O: SeqOperations>(
    before: &[(u16, u32)],
    steps: &[Step],
    buffer: u32,
    mut insert: impl FnMut(u16, u32),
    mut remove: impl FnMut(u16),
    ops: impl FnOnce() -> O,
) {
    let mut model = BTreeMap::new();
    for &(key, value) in before {
        insert(key, value);
        model.insert(key, value);
    }
    let mut file = SeqFile::with_buffer_size(ops(), 1 << buffer);
    let shown = |model: &BTreeMap<u16, u32>| -> Vec<String> {
        model.iter().filter(|(_, value)| **value % 7 != 0).map(|(&key, &value)| line(key, value)).collect()
    };
    // Untouched from the first read to the end; and whatever was there at some time since.
    let (mut must, mut may): (Option<Vec<String>>, Vec<String>) = (None, Vec::new());
    let mut read = String::new();
    let rest = steps.iter().cycle().take(steps.len() * 3).cloned().chain(std::iter::repeat(Step::Read(7)));
    for step in steps.iter().cloned().chain(rest) {
        match step {
            Step::Insert(key, value) => {
                insert(key, value);
                model.insert(key, value);
            }
            Step::Remove(key) => {
                remove(key);
                model.remove(&key);
            }
            Step::Read(_) | Step::Peek(_) => {
                must.get_or_insert_with(|| {
                    may = shown(&model);
                    may.clone()
                });
                let end = match step {
                    Step::Read(len) => {
                        let mut bytes = vec![0; len];
                        let n = file.read(&mut bytes).unwrap();
                        read.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
                        n == 0
                    }
                    Step::Peek(len) => {
                        let bytes = file.peek().unwrap();
                        let n = len.min(bytes.len());
                        read.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
                        file.skip(n);
                        n == 0
                    }
                    _ => unreachable!(),
                };
                if end {
                    break;
                }
                continue;
            }
        }
        if let Some(must) = &mut must {
            let now = shown(&model);
            must.retain(|line| now.contains(line));
            may.extend(now);
        }
    }
    let lines: Vec<_> = read.split_inclusive('\n').collect();
    let keys: Vec<u16> = lines.iter().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "in order, each once: {read}");
    lines.iter().for_each(|line| assert!(may.iter().any(|other| other == line), "{line:?} never was"));
    for line in must.unwrap_or_default() {
        assert!(lines.contains(&line.as_str()), "{line:?} was there all the time and did not come out: {read}");
    }
}

struct Entry {
    links: Links,
    hlinks: HLinks,
    key: u16,
    value: u32,
}
linked!(Entry, links);
linked!(Entry, hlinks: HLinks);

fn entry(key: u16, value: u32) -> Box<Entry> {
    Box::new(Entry { links: Links::new(), hlinks: HLinks::new(), key, value })
}

/// A hash map, which is passed over in whatever order it has.
struct Hashed<'a>(&'a Mutex<HashMap<u16, u32>>);

impl Pass for Hashed<'_> {
    type Record = (u16, u32);

    fn pass(&mut self, mut visit: impl FnMut(&(u16, u32))) -> Result<(), Errno> {
        self.0.lock().unwrap().iter().for_each(|(&key, &value)| visit(&(key, value)));
        Ok(())
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn a_locked_map(before in before(), steps in vec(step(), 1..STEPS), buffer in 0..8u32) {
        let map = RwLock::new(BTreeMap::new());
        exact(
            &before, &steps, buffer,
            |key, value| _ = map.try_write().unwrap().insert(key, value),
            |key| _ = map.try_write().unwrap().remove(&key),
            || MapOps::locked(&map, |key: &u16, value: &u32, out: &mut SeqBuf<'_>| put(*key, *value, out)),
        );
    }

    #[test]
    fn a_map_under_a_mutex_with_a_private_state(
        before in before(), steps in vec(step(), 1..STEPS), buffer in 0..8u32,
    ) {
        let map = Arc::new(Mutex::new(BTreeMap::new()));
        let shown = Rc::new(RefCell::new(0));
        exact(
            &before, &steps, buffer,
            |key, value| _ = map.try_lock().unwrap().insert(key, value),
            |key| _ = map.try_lock().unwrap().remove(&key),
            || MapOps::with_private(map.clone(), shown.clone(), |shown, key: &u16, value, out| {
                *shown.borrow_mut() += 1;
                put(*key, *value, out)
            }),
        );
    }

    #[test]
    fn an_rcu_list(before in before(), steps in vec(step(), 1..STEPS), buffer in 0..8u32) {
        let list: List<Entry, _> = List::new(Membarrier);
        exact(
            &before, &steps, buffer,
            |key, value| {
                let mut writer = list.lock();
                // As the kernel does, at the head; now and then at the tail, or in the place of the old one.
                let mut replaced = false;
                writer.replace(|old| (old.key == key).then(|| { replaced = true; entry(key, value) }));
                match value % 2 {
                    _ if replaced => {}
                    0 => writer.push_front(entry(key, value)),
                    _ => writer.push_back(entry(key, value)),
                }
            },
            |key| list.lock().retain(|entry| entry.key != key),
            || IndexOps::new(&list, |entry: &Entry| entry.key, |entry, out| put(entry.key, entry.value, out)),
        );
    }

    #[test]
    fn an_rcu_hlist(before in before(), steps in vec(step(), 1..STEPS), buffer in 0..8u32) {
        let list: HList<Entry, _> = HList::new(Membarrier);
        exact(
            &before, &steps, buffer,
            |key, value| {
                let mut writer = list.lock();
                writer.retain(|entry| entry.key != key);
                writer.push_front(entry(key, value));
            },
            |key| list.lock().retain(|entry| entry.key != key),
            || IndexOps::with_private(&list, |entry: &Entry| entry.key, (), |(), entry, out| {
                put(entry.key, entry.value, out)
            }),
        );
    }

    #[test]
    fn a_hash_map(before in before(), steps in vec(step(), 1..STEPS), buffer in 0..8u32) {
        let map = Mutex::new(HashMap::new());
        exact(
            &before, &steps, buffer,
            |key, value| _ = map.try_lock().unwrap().insert(key, value),
            |key| _ = map.try_lock().unwrap().remove(&key),
            || IndexOps::new(Hashed(&map), |entry: &(u16, u32)| entry.0, |entry, out| put(entry.0, entry.1, out)),
        );
    }

    /// An item that keeps its index: they change in place, and come and go at the end.
    #[test]
    fn a_slice(
        before in vec(any::<u32>(), 0..50), steps in vec(step(), 1..STEPS), buffer in 0..8u32,
    ) {
        let before: Vec<_> = (0..).zip(before).collect();
        let mut model: Vec<u32> = before.iter().map(|(_, value)| *value).collect();
        let ops = SliceOps::with_private(model.clone(), (), |(), value: &u32, out| put(0, *value, out));
        let mut file = SeqFile::with_buffer_size(ops, 1 << buffer);
        // Each item's lines since the first read, while it is there.
        let mut since: Option<Vec<Vec<u32>>> = None;
        let mut read = String::new();
        for step in steps.iter().cloned().chain(std::iter::repeat(Step::Read(7))) {
            match step {
                Step::Insert(key, value) => match model.get_mut(usize::from(key)) {
                    Some(item) => *item = value,
                    None => model.push(value),
                },
                Step::Remove(_) => _ = model.pop(),
                Step::Read(len) | Step::Peek(len) => {
                    since.get_or_insert_with(|| model.iter().map(|value| vec![*value]).collect());
                    let mut bytes = vec![0; len];
                    let n = file.read(&mut bytes).unwrap();
                    read.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
                    if n == 0 {
                        break;
                    }
                    continue;
                }
            }
            file.get_mut().items_mut().clone_from(&model);
            if let Some(since) = &mut since {
                since.resize_with(since.len().max(model.len()), Vec::new);
                for (values, value) in since.iter_mut().zip(&model) {
                    values.push(*value);
                }
                // One that went and came again is another one: it may come out or not.
                for values in since.iter_mut().skip(model.len()) {
                    values.insert(0, 0);
                }
            }
        }
        // The lines are a walk through the items: of each one of its values, or, where it could be skipped or gone, none.
        let mut lines = read.lines().map(|line| line.strip_prefix("0 ").unwrap().parse::<u32>().unwrap()).peekable();
        for values in since.unwrap() {
            let some = values.iter().any(|value| value % 7 == 0);
            match lines.peek() {
                Some(line) if values.contains(line) => _ = lines.next(),
                _ => prop_assert!(some || values.is_empty(), "one of {values:?} did not come out: {read}"),
            }
        }
        prop_assert_eq!(lines.next(), None, "{}", read);
    }

    /// However it is read, a single record is one printing.
    #[test]
    fn a_single_record(sizes in vec(1..40usize, 1..30), buffer in 0..8u32, len in 0..300usize) {
        let show = |printed: &mut u32, out: &mut SeqBuf<'_>| {
            *printed += 1;
            (0..len).for_each(|_| out.put_char(b'a' + (*printed % 26) as u8));
            Ok(Show::Record)
        };
        let mut file = SeqFile::with_buffer_size(SingleOps::new(0, show), 1 << buffer);
        let mut read = Vec::new();
        for size in sizes.iter().cycle() {
            let mut bytes = vec![0; *size];
            let n = file.read(&mut bytes).unwrap();
            read.extend_from_slice(&bytes[..n]);
            // As time goes on between two reads.
            *file.get_mut().private_mut() += u32::from(read.len() % 2 == 1);
            if n == 0 {
                break;
            }
        }
        prop_assert_eq!(read.len(), len);
        prop_assert!(read.windows(2).all(|pair| pair[0] == pair[1]), "{:?}", read);
    }
}

/// A list that another thread changes all the while: what it leaves alone comes out once, in every reading.
#[test]
fn an_rcu_list_beside_a_writer() {
    const KEYS: u16 = 200;
    let rounds = if cfg!(miri) { 5 } else { 300 };
    let list: List<Entry, _> = List::new(Membarrier);
    (0..KEYS).step_by(2).for_each(|key| list.lock().push_front(entry(key, 1)));
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..rounds {
                // The odd ones come, at either end, and go.
                let odd = |i: u16| (round * 14 + i * 2) % KEYS + 1;
                (0..20).for_each(|i| match i % 2 {
                    0 => list.lock().push_front(entry(odd(i), 1)),
                    _ => list.lock().push_back(entry(odd(i), 1)),
                });
                list.lock().retain(|entry| entry.key % 2 == 0);
            }
            ended.store(true, Ordering::Release);
        });
        let mut size = 1;
        loop {
            let last = ended.load(Ordering::Acquire);
            let ops = IndexOps::new(&list, |entry: &Entry| entry.key, |entry, out| put(entry.key, entry.value, out));
            let (mut file, mut bytes, mut read) = (SeqFile::with_buffer_size(ops, 64), vec![0; size], Vec::new());
            loop {
                match file.read(&mut bytes).unwrap() {
                    0 => break,
                    n => read.extend_from_slice(&bytes[..n]),
                }
            }
            let lines = seqfile_core::lines::lines(&read);
            let keys: Vec<u16> = lines
                .map(|line| std::str::from_utf8(line).unwrap().strip_suffix(" 1").unwrap().parse().unwrap())
                .collect();
            assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
            assert!(keys.iter().filter(|key| **key % 2 == 0).copied().eq((0..KEYS).step_by(2)), "{keys:?}");
            size = size % 150 + 13;
            if last {
                break;
            }
        }
    });
}

/// A map that needs no lock is one that nobody changes.
#[test]
fn an_unlocked_map() {
    let map = BTreeMap::from([("a", 1), ("b", 2)]);
    let mut file = SeqFile::new(MapOps::new(&map, |key: &&str, value: &i32, out: &mut SeqBuf<'_>| {
        let _ = write!(out, "{key}{value}");
        Ok(Show::Record)
    }));
    let mut out = [0; 10];
    assert_eq!(file.read(&mut out), Ok(4));
    assert_eq!(&out[..4], b"a1b2");
    let mut ops = MapOps::with_private(Unlocked(&map), 0, |n, key: &&str, _: &i32, out| {
        *n += 1;
        out.put_str(key);
        Ok(Show::Record)
    });
    // A position that no walk has led to is counted from the beginning.
    for (pos, key) in [(1, Some("b")), (0, Some("a")), (7, None)] {
        let mut section = ops.start(pos).unwrap();
        let mut bytes = [0; 4];
        let mut out = SeqBuf::new(&mut bytes);
        let shown = (!seqfile_core::Section::is_end(&section)).then(|| {
            let _ = seqfile_core::Section::show(&mut section, &mut out).unwrap();
            std::str::from_utf8(out.as_bytes()).unwrap()
        });
        assert_eq!(shown, key, "{pos}");
    }
    assert_eq!(*ops.show().private(), 2);
}

/// A record that cannot be printed is an error where it would come, and is tried again by who comes back.
#[test]
fn a_record_that_fails_is_met_where_it_is() {
    let list: List<Entry, _> = List::new(Membarrier);
    (0..200).for_each(|key| list.lock().push_front(entry(key, 1)));
    let mut file = SeqFile::new(IndexOps::with_private(
        &list,
        |entry: &Entry| entry.key,
        true,
        |fails, entry, out| match entry.key {
            100 if *fails => Err(Errno::EIO),
            key => put(key, entry.value, out),
        },
    ));
    let whole: String = (0..200).map(|key| line(key, 1)).collect();
    let before = whole.find("100 ").unwrap();
    let mut out = vec![0; 10_000];
    assert_eq!(file.read(&mut out), Ok(before));
    for _ in 0..2 {
        assert_eq!(file.read(&mut out[before..]), Err(Errno::EIO));
    }
    *file.get_mut().show_mut().private_mut() = false;
    assert_eq!(file.read(&mut out[before..]), Ok(whole.len() - before));
    assert_eq!(out[..whole.len()], *whole.as_bytes());
}

/// A whole read passes over the records a bounded number of times, however many there are.
#[test]
fn the_passes_do_not_grow_with_the_records() {
    struct Counted(Vec<u32>, u32);
    impl Pass for Counted {
        type Record = u32;
        fn pass(&mut self, visit: impl FnMut(&u32)) -> Result<(), Errno> {
            self.1 += 1;
            self.0.iter().for_each(visit);
            Ok(())
        }
    }
    let many = if cfg!(miri) { 500 } else { 100_000 };
    for records in [many / 100, many / 10, many] {
        let source = Counted((0..records).rev().collect(), 0);
        let mut file = SeqFile::new(IndexOps::new(
            source,
            |n: &u32| *n,
            |n, out| {
                out.put_dec_padded(*n, 9);
                out.put_char(b'\n');
                Ok(Show::Record)
            },
        ));
        let (mut out, mut total) = (vec![0; 4096], 0);
        loop {
            match file.read(&mut out).unwrap() {
                0 => break,
                n => total += n,
            }
        }
        assert_eq!(total, records as usize * 10);
        let passes = file.get_ref().source().1;
        assert!(passes <= 10, "{passes} for {records}");
    }
}

/// A record that is replaced during a pass may be met twice: it is one record all the same, also where a batch of records ends.
#[test]
fn a_record_that_is_met_twice_comes_once() {
    struct Twice(u32);
    impl Pass for Twice {
        type Record = u32;
        fn pass(&mut self, mut visit: impl FnMut(&u32)) -> Result<(), Errno> {
            (0..self.0).chain(1..self.0).for_each(|n| visit(&n));
            Ok(())
        }
    }
    let show = |n: &u32, out: &mut SeqBuf<'_>| {
        out.put_dec_padded(*n, 9);
        out.put_char(b'\n');
        Ok(Show::Record)
    };
    for records in [0, 1, 33, 100] {
        let (mut file, mut out) = (SeqFile::new(IndexOps::new(Twice(records), |n: &u32| *n, show)), vec![0; 4096]);
        let read = file.read(&mut out).unwrap();
        let lines: Vec<u32> = out[..read]
            .split(|byte| *byte == b'\n')
            .filter_map(|line| std::str::from_utf8(line).unwrap().trim().parse().ok())
            .collect();
        assert_eq!(lines, (0..records).collect::<Vec<_>>());
    }
}
