//! What the kernel's own tests do with `/proc` (`tools/testing/selftests/proc`), done on the kernel's files and on ours: an odd
//! file that is rewound (`proc-net-dev-lseek.c`), files of a single record that change all the time (`proc-uptime-*.c`), and a
//! first read of whatever there is (`read.c`).

use std::{fs, mem};

use seqfile_core::{SeekFrom, SeqBuf, SeqFile, Show, SingleOps, SliceOps};

use crate::{
    calls::{self, answer},
    edges,
    fd::Fd,
    stage,
};

fn put_line(line: &&str, out: &mut SeqBuf<'_>) -> Result<Show, seqfile_core::Errno> {
    out.put_str(line);
    Ok(Show::Record)
}

/// `/proc/net/dev` stands still in a new network namespace alone.
#[test]
fn net_dev() {
    const PATH: &str = "/proc/net/dev";
    if !stage::plays("net_dev") {
        return stage::in_new_namespace(libc::CLONE_NEWNET, "selftests::net_dev", "net_dev");
    }
    let whole = fs::read_to_string(PATH).unwrap();
    assert!(whole.contains("lo:"), "{whole}");
    // The header is a record of two lines.
    let header = whole.match_indices('\n').nth(1).unwrap().0 + 1;
    let mut rows = vec![&whole[..header]];
    rows.extend(whole[header..].split_inclusive('\n'));
    let ours = || SeqFile::new(SliceOps::new(&rows[..], put_line));

    let (mut file, kernel) = (ours(), Fd::open(PATH));
    let mut read = |bytes: &mut [u8; 4096], other: &mut [u8; 4096]| {
        let got = file.read(bytes);
        assert_eq!(answer(file.seek(SeekFrom::Start(0))), 0);
        let again = kernel.read(other);
        assert_eq!(kernel.lseek(0, libc::SEEK_SET), 0);
        (got.unwrap(), again as usize)
    };
    let mut bytes = [[0; 4096]; 4];
    let [a, b, c, d] = &mut bytes;
    let lens = [read(a, b), read(c, d)];
    assert_eq!(lens, [(whole.len(), whole.len()); 2]);
    bytes.iter().for_each(|bytes| assert_eq!(&bytes[..whole.len()], whole.as_bytes()));
    calls::compare(PATH, whole.len(), 4000, ours);
}

/// Files of one buffer, whatever their records are: the same as a single record.
#[test]
fn files_that_stand_still() {
    for name in ["version", "filesystems", "devices"] {
        let path = format!("/proc/{name}");
        let whole = fs::read_to_string(&path).unwrap();
        assert!((1..4096).contains(&whole.len()), "{path} has {} bytes", whole.len());
        let ours = || {
            SeqFile::new(SingleOps::new((), |(), out| {
                out.put_str(&whole);
                Ok(Show::Record)
            }))
        };
        calls::compare(&path, whole.len(), 2000, ours);
        edges::compare_at(&path, whole.as_bytes(), 100, ours);
        assert_eq!(fs::read_to_string(&path).unwrap(), whole, "{path} changed meanwhile");
    }
}

/// Hundredths of seconds since the boot.
fn clock() -> u64 {
    // SAFETY: all zeros is a valid timespec.
    let mut time: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: `time` may be written.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) }, 0);
    time.tv_sec as u64 * 100 + time.tv_nsec as u64 / 10_000_000
}

/// The first number of `/proc/uptime`'s form.
fn hundredths(text: &[u8]) -> u64 {
    let text = std::str::from_utf8(text).unwrap();
    let (seconds, fraction) = text.split(' ').next().unwrap().split_once('.').unwrap();
    assert_eq!(fraction.len(), 2, "{text}");
    seconds.parse::<u64>().unwrap() * 100 + fraction.parse::<u64>().unwrap()
}

/// Read at offset 0 by `pread` it is now; read in pieces it is one moment, which lies between those before and after.
#[test]
fn uptime() {
    let kernel = Fd::open("/proc/uptime");
    let mut ours = SeqFile::new(SingleOps::new(0, |_: &mut i32, out| {
        let now = clock();
        out.put_dec(now / 100);
        out.put_char(b'.');
        out.put_dec_zeros(now % 100, 2);
        out.put_str(" 0.00\n");
        Ok(Show::Record)
    }));
    let mut last = 0;
    let mut bytes = [0; 64];
    for round in 0..500 {
        let n = ours.read_at(&mut bytes, 0).unwrap();
        let us = hundredths(&bytes[..n]);
        let n = kernel.pread(&mut bytes, 0) as usize;
        let them = hundredths(&bytes[..n]);
        assert!(last <= us && us <= them, "round {round}: {last} {us} {them}");
        last = them;
    }
    // A byte a read.
    let (mut us, mut them, mut byte) = (Vec::new(), Vec::new(), [0]);
    let before = clock();
    while ours.read(&mut byte).unwrap() > 0 {
        us.push(byte[0]);
    }
    while kernel.read(&mut byte) > 0 {
        them.push(byte[0]);
    }
    for text in [us, them] {
        assert!((before..=clock()).contains(&hundredths(&text)), "{before} {}", text.escape_ascii());
        assert_eq!(text.last(), Some(&b'\n'));
    }
    // Both are at their end until they are rewound.
    assert_eq!((ours.read(&mut byte), kernel.read(&mut byte)), (Ok(0), 0));
    assert_eq!((answer(ours.seek(SeekFrom::Start(0))), kernel.lseek(0, libc::SEEK_SET)), (0, 0));
    assert_eq!((ours.read(&mut byte), kernel.read(&mut byte)), (Ok(1), 1));
}
