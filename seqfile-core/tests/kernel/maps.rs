//! `/proc/PID/maps` of a process that stands still, with mappings of a file whose path is so long
//! that their records do not fit in a page.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    os::fd::AsRawFd,
    path::PathBuf,
    process::{self, Stdio},
    ptr,
};

use seqfile_core::{SeqBuf, SeqFile, Show, SliceOps};

use crate::{calls, dd, edges, stage};

/// The longest path that may be opened, `PATH_MAX` with its NUL.
const PATH_LEN: usize = 4095;

/// A path of `PATH_LEN` bytes below `top`, with its directories.
fn long_path(top: &str) -> PathBuf {
    let mut path = top.to_owned();
    while path.len() + 1 < PATH_LEN {
        let mut left = PATH_LEN - path.len() - 1;
        // The last component is neither empty nor too long.
        if left > 255 {
            left = 250.min(left - 2);
        }
        path.push('/');
        path.push_str(&"d".repeat(left));
    }
    let path = PathBuf::from(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    path
}

/// Maps the file a few times, says so, and waits for its standard input to close.
fn pose(file: &str) {
    let file = File::open(file).unwrap();
    for n in 0..5 {
        // Unequal in length and protection: they are not joined to one.
        let prot = [libc::PROT_READ, libc::PROT_NONE][n % 2];
        let (len, fd) = (4096 * (n + 1), file.as_raw_fd());
        // SAFETY: a new mapping, wherever there is room, which nobody uses.
        let at = unsafe { libc::mmap(ptr::null_mut(), len, prot, libc::MAP_PRIVATE, fd, 0) };
        assert_ne!(at, libc::MAP_FAILED);
    }
    // The one line of the test harness's output that the other side waits for.
    println!("\nposing");
    // No allocation, no Rust I/O behind this: the mappings stay as they are.
    let mut byte = 0u8;
    // SAFETY: one byte, which may be written.
    unsafe { libc::read(0, (&raw mut byte).cast(), 1) };
    process::exit(0);
}

#[test]
fn maps_of_a_process() {
    const FILE: &str = "SEQFILE_TEST_FILE";
    if stage::plays("maps") {
        return pose(&env::var(FILE).unwrap());
    }
    let top = env::temp_dir().join(format!("seqfile-core-{}", process::id()));
    let path = long_path(top.to_str().unwrap());
    fs::write(&path, [0; 4096 * 5]).unwrap();
    let mut model = stage::again("maps::maps_of_a_process", "maps")
        .env(FILE, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(model.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap() == "posing"));
    // The directories can go; the mappings' path then says that the file is deleted.
    fs::remove_dir_all(&top).unwrap();

    let maps = format!("/proc/{}/maps", model.id());
    let mut whole = String::new();
    File::open(&maps).unwrap().read_to_string(&mut whole).unwrap();
    let rows: Vec<&str> = whole.split_inclusive('\n').collect();
    let large = rows.iter().filter(|row| row.len() > 4096).count();
    assert!(large >= 2, "no record outgrows a page: {large}");
    let show = |row: &&str, out: &mut SeqBuf<'_>| {
        out.put_str(row);
        Ok(Show::Record)
    };
    let ours = || SeqFile::new(SliceOps::new(&rows[..], show));
    calls::compare(&maps, whole.len(), 8_000, ours);
    edges::compare(&maps, whole.as_bytes(), ours);
    dd::compare(&maps, whole.as_bytes(), ours);
    assert_eq!(fs::read_to_string(&maps).unwrap(), whole);

    let _ = model.stdin.take().unwrap().write_all(b"\n");
    assert!(model.wait().unwrap().success());
}
