//! Every offset and length around the edges: of the buffer's sizes, of the file, and of the records at those places.

use std::collections::BTreeSet;

use seqfile_core::{SeekFrom, SeqFile, SeqOperations};

use crate::calls::answer;
use crate::fd::Fd;

/// What lies around a place.
const AROUND: std::ops::RangeInclusive<i64> = -2..=2;

/// Seeks to each such offset and reads twice by each such length, all on newly opened files, and panics at the first difference.
pub fn compare<O: SeqOperations>(path: &str, whole: &[u8], ours: impl FnMut() -> SeqFile<O>) {
    compare_at(path, whole, 1000, ours);
}

/// The same, with so many pairs at least.
pub fn compare_at<O: SeqOperations>(path: &str, whole: &[u8], least: usize, mut ours: impl FnMut() -> SeqFile<O>) {
    let (mut pairs, mut a, mut b) = (0, vec![0; 20_000], vec![0; 20_000]);
    for offset in offsets(whole) {
        for len in lengths() {
            let (mut ours, kernel) = (ours(), Fd::open(path));
            let what = format!("{path}: {len} bytes at {offset}");
            assert_eq!(
                answer(ours.seek(SeekFrom::Start(offset as u64))),
                kernel.lseek(offset, libc::SEEK_SET),
                "{what}"
            );
            for time in 0..2 {
                let (got, want) = (answer(ours.read(&mut a[..len])), kernel.read(&mut b[..len]));
                assert_eq!(got, want, "{what}, time {time}");
                assert!(a[..want as usize] == b[..want as usize], "other bytes: {what}, time {time}");
            }
            pairs += 1;
        }
    }
    println!("{path}: the same at {pairs} pairs of offset and length");
    assert!(pairs >= least, "{pairs} pairs");
}

fn offsets(whole: &[u8]) -> BTreeSet<i64> {
    let sizes = (0..).map(|n| n * 4096).take_while(|size| *size < whole.len());
    let mut places: BTreeSet<_> = sizes.chain([whole.len()]).collect();
    // The records that a buffer ends in begin and end there.
    for place in places.clone() {
        let newline = |byte: &u8| *byte == b'\n';
        places.extend(whole[..place].iter().rposition(newline).map(|at| at + 1));
        places.extend(whole[place..].iter().position(newline).map(|at| place + at + 1));
    }
    let around = places.iter().flat_map(|place| AROUND.map(|by| *place as i64 + by));
    around.filter(|offset| *offset >= 0).collect()
}

fn lengths() -> BTreeSet<usize> {
    let around = [0, 4096, 8192, 16_384].into_iter().flat_map(|size: i64| AROUND.map(move |by| size + by));
    around.filter_map(|len| len.try_into().ok()).collect()
}
