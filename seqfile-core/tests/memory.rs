//! An open file's memory does not grow with the number of records, only with the largest of them.
#![cfg(all(feature = "std", not(miri)))]

#[path = "../../fuzz/src/allocated.rs"]
mod allocated;

use std::collections::BTreeMap;

use seqfile_core::{MapOps, SeqBuf, SeqFile, SeqOperations, Show, SliceOps};

/// The most bytes that reading all of a sequence by such pieces has allocated: twice, so that what is not given back counts double.
fn peak<O: SeqOperations>(ops: impl Fn() -> O, out: &mut [u8], records: usize) -> usize {
    let mut read = || {
        let (mut file, mut total) = (SeqFile::new(ops()), 0);
        loop {
            match file.read(out).unwrap() {
                0 => break total,
                n => total += n,
            }
        }
    };
    let (totals, bytes) = allocated::peak(|| [read(), read()]);
    assert_eq!(totals, [records * 10; 2]);
    bytes
}

fn put(n: u32, out: &mut SeqBuf<'_>) -> Result<Show, seqfile_core::Errno> {
    out.put_dec_padded(n, 9);
    out.put_char(b'\n');
    Ok(Show::Record)
}

#[test]
fn memory_is_that_of_the_buffer() {
    let mut out = vec![0; 5000];
    for records in [10, 1000, 100_000] {
        let slice: Vec<u32> = (0..records).collect();
        let map: BTreeMap<u32, ()> = (0..records).map(|n| (n, ())).collect();
        let records = records as usize;
        for (len, bytes) in [(1000, 4096), (5000, 0)] {
            let out = &mut out[..len];
            let show = |n: &u32, out: &mut SeqBuf<'_>| put(*n, out);
            assert_eq!(peak(|| SliceOps::new(&slice[..], show), out, records), bytes, "a slice of {records} by {len}");
            let show = |n: &u32, (): &(), out: &mut SeqBuf<'_>| put(*n, out);
            assert_eq!(peak(|| MapOps::new(&map, show), out, records), bytes, "a map of {records} by {len}");
        }
    }
}
