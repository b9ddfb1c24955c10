//! Valid images, made up from a seed, and images with a line or a number changed: what a fuzzer would not put together byte by byte.

use semundo::image::{Image, SavedSet};
use semundo::undo_list::{Adjustments, Task, UndoList};

/// An image, written, without its checksum, so that it may be changed: up to two namespaces with up to four sets each, whose lists are
/// one to three.
pub fn image(seed: u32) -> Vec<u8> {
    let mut random = Random(seed.into());
    let (mut sets, mut lists) = (Vec::new(), Vec::new());
    for ipc_namespace in 1..=random.below(3) {
        let first = sets.len();
        for semid in 0..=random.below(4) {
            sets.push(set(ipc_namespace, semid as i32 * 32769, &mut random));
        }
        for _ in 0..=random.below(3) {
            let tid = lists.len() as i32 + 1;
            lists.push(list(tid, ipc_namespace, &sets[first..], &mut random));
        }
    }
    let image = Image::new(sets, lists).expect("the sample fits together");
    let mut written = Vec::new();
    image.write(&mut written).expect("a vector takes all");
    let checksum = written.windows(8).rposition(|part| part == b",\n\"crc32").expect("it is written");
    written.truncate(checksum);
    written.extend_from_slice(b"\n}\n");
    written
}

/// The ends of the fields' ranges.
const ENDS: &[&[u8]] = &[
    b"0",
    b"-1",
    b"-32768",
    b"32767",
    b"32768",
    b"65535",
    b"65536",
    b"2147483647",
    b"4294967295",
    b"4294967296",
    b"18446744073709551615",
];

/// The image with a line doubled, moved or left out, or with a number that is another of its own or the end of a range.
pub fn change(image: &[u8], seed: u32) -> Vec<u8> {
    let mut random = Random(seed.into());
    let mut lines: Vec<_> = image.split_inclusive(|byte| *byte == b'\n').collect();
    let mut words: Vec<_> = image.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()).collect();
    let numbers: Vec<_> = (0..words.len()).filter(|index| words[*index][0].is_ascii_digit()).collect();
    if lines.is_empty() || numbers.is_empty() {
        return image.to_vec();
    }
    let (from, to) = (random.index(lines.len()), random.index(lines.len()));
    let (number, other) = (numbers[random.index(numbers.len())], numbers[random.index(numbers.len())]);
    match random.below(8) {
        0 => lines.insert(from, lines[from]),
        1 => lines.swap(from, to),
        2 => lines[to] = &[],
        3 => words[number] = ENDS[random.index(ENDS.len())],
        _ => words[number] = words[other],
    }
    let by_lines = lines.concat();
    if by_lines == image { words.concat() } else { by_lines }
}

fn set(ipc_namespace: u64, semid: i32, random: &mut Random) -> SavedSet {
    let nsems = random.below(5) as usize + 1;
    let values = (0..nsems).map(|_| random.below(32768) as u16).collect();
    SavedSet { ipc_namespace, semid, key: random.next() as i32, nsems, mode: 0o600, uid: 0, gid: u32::MAX, values }
}

fn list(tid: i32, ipc_namespace: u64, sets: &[SavedSet], random: &mut Random) -> UndoList {
    let comm = ["", "worker", "\"\\\n\u{7f}", "\u{fffd}"][random.below(4) as usize].to_owned();
    let adjustments = sets
        .iter()
        .map(|set| Adjustments { semid: set.semid, semadj: (0..set.nsems).map(|_| random.next() as i16).collect() });
    let adjustments = adjustments.collect();
    UndoList { tasks: vec![Task { pid: i32::MAX, tid, comm }], ipc_namespace, adjustments }
}

/// Numbers that look random (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn index(&mut self, len: usize) -> usize {
        (self.next() % len as u64) as usize
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
