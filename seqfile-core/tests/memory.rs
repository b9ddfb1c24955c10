//! An open file's memory does not grow with the number of records, only with the largest of them.
#![cfg(all(feature = "std", not(miri)))]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::BTreeMap,
};

use seqfile_core::{MapOps, SeqBuf, SeqFile, SeqOperations, Show, SliceOps};

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, which counts what a thread has.
struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

// SAFETY: all is done by the system's allocator; counting allocates nothing, since the cells are made at compile time and have
// no destructor. `realloc` is the trait's own, over these two.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above; the memory is the system allocator's.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn count(bytes: isize) {
    let now = NOW.get() + bytes;
    NOW.set(now);
    PEAK.set(PEAK.get().max(now));
}

/// The most bytes that reading all of a sequence by such pieces has allocated, which it gives back.
fn peak(ops: impl SeqOperations, out: &mut [u8], records: usize) -> isize {
    let before = NOW.get();
    PEAK.set(before);
    let (mut file, mut total) = (SeqFile::new(ops), 0);
    loop {
        match file.read(out).unwrap() {
            0 => break,
            n => total += n,
        }
    }
    drop(file);
    assert_eq!((total, NOW.get()), (records * 10, before));
    PEAK.get() - before
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
            assert_eq!(peak(SliceOps::new(&slice[..], show), out, records), bytes, "a slice of {records} by {len}");
            let show = |n: &u32, (): &(), out: &mut SeqBuf<'_>| put(*n, out);
            assert_eq!(peak(MapOps::new(&map, show), out, records), bytes, "a map of {records} by {len}");
        }
    }
}
