//! Random calls, made on a `SeqFile` and on the kernel's file, and compared.

use seqfile_core::{Errno, SeekFrom, SeqFile, SeqOperations};

use crate::fd::{Answer, Fd};

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn size(&mut self) -> usize {
        let limit = [1, 8, 100, 5000, 20_000, 100_000][self.below(6) as usize];
        self.below(limit + 1) as usize
    }

    /// An offset for a file of `len` bytes: mostly inside, also around the end, far out, negative,
    /// and too large.
    fn offset(&mut self, len: u64) -> i64 {
        match self.below(20) {
            0 => -1 - self.below(len) as i64,
            1 => i64::MAX - self.below(3) as i64,
            2 => i64::MIN,
            3 => (1 << 40) + self.below(len) as i64,
            4 => 0,
            5..8 => (len - 2 + self.below(5)) as i64,
            _ => self.below(len) as i64,
        }
    }
}

/// Makes `calls` random calls on both and panics at the first difference. Both are opened anew now
/// and then, since a buffer that has grown stays large.
pub fn compare<O: SeqOperations>(path: &str, len: usize, calls: usize, mut ours: impl FnMut() -> SeqFile<O>) {
    let seed = std::env::var("SEQFILE_SEED").map_or(0x5eed, |s| s.parse().unwrap());
    println!("{path}: {calls} calls, SEQFILE_SEED={seed}");
    let mut random = Random(seed);
    let mut bytes = [vec![0; 100_001], vec![0; 100_001]];
    let mut files = (ours(), Fd::open(path));
    let (mut data, mut errors) = (0, 0);
    for i in 0..calls {
        if random.below(100) == 0 {
            files = (ours(), Fd::open(path));
        }
        let (ours, kernel) = (&mut files.0, &files.1);
        let [a, b] = &mut bytes;
        let n = random.size();
        let (what, got, want) = match random.below(8) {
            0..4 => (format!("read {n}"), answer(ours.read(&mut a[..n])), kernel.read(&mut b[..n])),
            4..6 => {
                let at = random.offset(len as u64);
                (
                    format!("pread {n} at {at}"),
                    answer(ours.read_at(&mut a[..n], at as u64)),
                    kernel.pread(&mut b[..n], at),
                )
            }
            6 => {
                let to = random.offset(len as u64);
                (
                    format!("seek to {to}"),
                    answer(ours.seek(SeekFrom::Start(to as u64))),
                    kernel.lseek(to, libc::SEEK_SET),
                )
            }
            _ if random.below(4) == 0 => {
                let by = random.offset(len as u64);
                (
                    format!("seek to the end and {by}"),
                    answer(ours.seek(SeekFrom::End(by))),
                    kernel.lseek(by, libc::SEEK_END),
                )
            }
            _ => {
                let by = random.offset(len as u64) / 4;
                (format!("seek by {by}"), answer(ours.seek(SeekFrom::Current(by))), kernel.lseek(by, libc::SEEK_CUR))
            }
        };
        assert_eq!(got, want, "call {i}, {what}");
        if !what.starts_with("seek") && got > 0 {
            let got = got as usize;
            assert!(a[..got] == b[..got], "bytes of call {i}, {what}");
            data += got;
        }
        errors += usize::from(got < 0);
        assert_eq!(ours.position(), kernel.position(), "position after {i}, {what}");
    }
    println!("{path}: the same {data} bytes and {errors} errors");
    assert!(data > calls * 10 && errors > calls / 50, "the calls were too tame");
}

/// An answer as a system call gives it.
pub fn answer<T: TryInto<i64>>(result: Result<T, Errno>) -> Answer {
    match result {
        Ok(n) => n.try_into().ok().unwrap(),
        Err(errno) => errno.negated().into(),
    }
}
