//! Models of a reader beside a writer: loom runs every interleaving of the sections that a file enters with the writer's changes.
//!
//! Built with `--cfg loom` alone; empty otherwise. That the reader cannot be held up between two calls is part of each model: the
//! writer finishes in every schedule, or loom reports a deadlock.
#![cfg(all(loom, feature = "std"))]
#![allow(missing_docs)]

use std::{collections::BTreeMap, ops::Deref};

use loom::sync::{Arc, Mutex, MutexGuard};
use loom::thread;
use seqfile_core::{Enter, Errno, IndexOps, MapOps, Pass, SeqBuf, SeqFile, SeqOperations, Show};

/// A lock of loom's.
struct Locked<T>(Mutex<T>);

struct Guard<'a, T>(MutexGuard<'a, T>);

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Enter for Locked<T> {
    type Target = T;

    type Guard<'a>
        = Guard<'a, T>
    where
        Self: 'a;

    fn enter(&self) -> Guard<'_, T> {
        Guard(self.0.lock().unwrap())
    }
}

/// A list under such a lock, in whatever order.
struct Listed(Arc<Locked<Vec<u8>>>);

impl Pass for Listed {
    type Record = u8;

    fn pass(&mut self, visit: impl FnMut(&u8)) -> Result<(), Errno> {
        self.0.0.lock().unwrap().iter().for_each(visit);
        Ok(())
    }
}

fn put(key: u8, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
    out.put_char(b'0' + key);
    out.put_char(b'\n');
    Ok(Show::Record)
}

/// Reads a file to its end, a record a read, and says which keys came.
fn read<O: SeqOperations>(ops: O) -> Vec<u8> {
    let (mut file, mut keys, mut out) = (SeqFile::with_buffer_size(ops, 4), Vec::new(), [0; 2]);
    while file.read(&mut out).unwrap() > 0 {
        assert_eq!(out[1], b'\n');
        keys.push(out[0] - b'0');
    }
    keys
}

/// Those that were there all the time came out exactly once, in order, and nothing that never was.
fn exact(keys: &[u8], always: &[u8], at_times: &[u8]) {
    assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
    assert!(always.iter().all(|key| keys.contains(key)), "{keys:?}");
    assert!(keys.iter().all(|key| always.contains(key) || at_times.contains(key)), "{keys:?}");
}

#[test]
fn a_map_that_changes_under_its_reader() {
    loom::model(|| {
        let map = Arc::new(Locked(Mutex::new(BTreeMap::from([(1, ()), (2, ()), (4, ())]))));
        let theirs = map.clone();
        let writer = thread::spawn(move || {
            theirs.0.lock().unwrap().insert(0, ());
            theirs.0.lock().unwrap().remove(&2);
            theirs.0.lock().unwrap().insert(3, ());
        });
        let keys = read(MapOps::locked(&*map, |key: &u8, (): &(), out: &mut SeqBuf<'_>| put(*key, out)));
        writer.join().unwrap();
        exact(&keys, &[1, 4], &[0, 2, 3]);
    });
}

#[test]
fn a_list_that_changes_under_its_reader() {
    loom::model(|| {
        let list = Arc::new(Locked(Mutex::new(vec![4, 2, 1])));
        let theirs = list.clone();
        let writer = thread::spawn(move || {
            // New ones at the head, as the kernel does.
            theirs.0.lock().unwrap().insert(0, 0);
            theirs.0.lock().unwrap().retain(|key| *key != 2);
            theirs.0.lock().unwrap().insert(0, 3);
        });
        let keys = read(IndexOps::new(Listed(list), |key: &u8| *key, |key, out| put(*key, out)));
        writer.join().unwrap();
        exact(&keys, &[1, 4], &[0, 2, 3]);
    });
}

#[test]
fn two_readers_of_a_map() {
    loom::model(|| {
        let map = Arc::new(Locked(Mutex::new(BTreeMap::from([(1, ()), (2, ())]))));
        let theirs = map.clone();
        let show = |key: &u8, (): &(), out: &mut SeqBuf<'_>| put(*key, out);
        let other = thread::spawn(move || read(MapOps::locked(&*theirs, show)));
        assert_eq!(read(MapOps::locked(&*map, show)), [1, 2]);
        assert_eq!(other.join().unwrap(), [1, 2]);
    });
}
