//! The file system by messages, over a source whose lists are made up.

use std::fmt::Write;
use std::process;
use std::sync::Mutex;

use semundo::source::Error;
use semundo::{Adjustments, Select, Source, Task, UndoList};

use crate::fs::Semundofs;
use crate::kernel::{Kernel, ROOT};

/// A source that has one process's list: this one's.
struct Made(Mutex<Result<Vec<Adjustments>, String>>);

impl Source for Made {
    fn name(&self) -> &'static str {
        "made"
    }

    fn read(&self, select: &Select) -> Result<Vec<UndoList>, Error> {
        select.check()?;
        let pid = process::id() as i32;
        let adjustments = self.0.lock().unwrap().clone().map_err(Error::Unavailable)?;
        let tasks = vec![Task { pid, tid: pid, comm: "made".to_owned() }];
        Ok(if select.takes(pid) { vec![UndoList { tasks, ipc_namespace: 1, adjustments }] } else { Vec::new() })
    }
}

fn made(sets: Vec<Adjustments>) -> &'static Made {
    Box::leak(Box::new(Made(Mutex::new(Ok(sets)))))
}

/// Sets of many widths, some wider than any buffer is at first.
fn sets() -> Vec<Adjustments> {
    let widths = [1, 3, 500, 1, 4000, 20].into_iter().cycle().take(60);
    widths.zip(1..).map(|(width, semid)| Adjustments { semid, semadj: vec![semid as i16 - 30; width] }).collect()
}

fn text(sets: &[Adjustments]) -> String {
    let mut text = String::new();
    for set in sets {
        let _ = write!(text, "{}", set.semid);
        set.semadj.iter().for_each(|adjustment| _ = write!(text, " {adjustment}"));
        text.push('\n');
    }
    text
}

#[test]
fn a_list_in_pieces_and_anywhere() {
    let (source, own) = (made(sets()), process::id());
    let mut kernel = Kernel::serve(Semundofs::new(source));
    let whole = text(&sets());
    let (directory, mode) = kernel.lookup(ROOT, &own.to_string()).unwrap();
    assert_eq!((mode, kernel.mode(directory)), (0o040_500, Ok(0o040_500)));
    let (file, mode) = kernel.lookup(directory, "semundo").unwrap();
    assert_eq!((mode, kernel.mode(file)), (0o100_400, Ok(0o100_400)));
    let (handle, cached) = kernel.open(file).unwrap();
    assert!(!cached, "a cached file of size 0 is empty");
    for size in [7, 4096, 65_536] {
        let mut read = Vec::new();
        loop {
            let piece = kernel.read(file, handle, read.len() as u64, size).unwrap();
            if piece.is_empty() {
                break;
            }
            read.extend(piece);
        }
        assert!(read == whole.as_bytes(), "in pieces of {size}");
    }
    for offset in [1, 5000, 4095, whole.len() as u64 - 1] {
        let piece = kernel.read(file, handle, offset, 100).unwrap();
        assert!(!piece.is_empty() && whole.as_bytes()[offset as usize..].starts_with(&piece), "at {offset}");
    }
    assert_eq!(kernel.read(file, handle, 1 << 40, 100), Ok(Vec::new()));
    // Two readers do not disturb each other, and one that begins anew gets what is now.
    let (other, _) = kernel.open(file).unwrap();
    let first = kernel.read(file, handle, 0, 7).unwrap();
    *source.0.lock().unwrap() = Ok(vec![Adjustments { semid: 8, semadj: vec![-1] }]);
    assert_eq!(kernel.read(file, other, 0, 100), Ok(b"8 -1\n".to_vec()));
    let more = kernel.read(file, handle, 7, 7).unwrap();
    assert!(whole.as_bytes().starts_with(&[first, more].concat()));
    kernel.release(file, handle).unwrap();
    assert_eq!(kernel.read(file, handle, 0, 7), Err(libc::EBADF));
    kernel.end();
}

#[test]
fn what_is_not_there() {
    let source = made(Vec::new());
    let mut kernel = Kernel::serve(Semundofs::new(source));
    let own = process::id().to_string();
    for name in ["", "self", "0", "-1", "+1", "4194305", "99999999999", &format!("0{own}"), "semundo"] {
        assert_eq!(kernel.lookup(ROOT, name), Err(libc::ENOENT), "{name:?}");
    }
    let (directory, _) = kernel.lookup(ROOT, &own).unwrap();
    assert_eq!(kernel.lookup(directory, "maps"), Err(libc::ENOENT));
    let (file, _) = kernel.lookup(directory, "semundo").unwrap();
    assert_eq!(kernel.lookup(file, "semundo"), Err(libc::ENOENT));
    assert_eq!(kernel.open(directory), Err(libc::ENOENT));
    assert_eq!(kernel.mode(u64::from(u32::MAX)), Err(libc::ENOENT));
    // A process that has no list has an empty file.
    let (handle, _) = kernel.open(file).unwrap();
    assert_eq!(kernel.read(file, handle, 0, 100), Ok(Vec::new()));
    // A source that fails is an error, and not an empty file.
    *source.0.lock().unwrap() = Err("out of order".to_owned());
    assert_eq!(kernel.read(file, handle, 0, 100), Err(libc::EIO));
    kernel.end();
}

#[test]
fn directories_in_pieces() {
    let mut kernel = Kernel::serve(Semundofs::new(made(Vec::new())));
    let own = process::id().to_string();
    let (directory, _) = kernel.lookup(ROOT, &own).unwrap();
    let (file, _) = kernel.lookup(directory, "semundo").unwrap();
    let entries = kernel.read_dir(directory, 0, 4096).unwrap();
    let named: Vec<_> = entries.iter().map(|(number, _, name)| (*number, name.as_str())).collect();
    assert_eq!(named, [(directory, "."), (ROOT, ".."), (file, "semundo")]);
    assert_eq!(kernel.read_dir(directory, entries[2].1, 4096), Ok(Vec::new()));
    assert_eq!(kernel.read_dir(file, 0, 4096), Err(libc::ENOTDIR));

    // Few at a time; others may come and go meanwhile, those that stay come once.
    let (mut seen, mut offset) = (Vec::new(), 0);
    loop {
        let entries = kernel.read_dir(ROOT, offset, 100).unwrap();
        let Some((_, last, _)) = entries.last() else {
            break;
        };
        offset = *last;
        seen.extend(entries.into_iter().map(|(number, _, name)| (number, name)));
    }
    assert_eq!(seen.iter().filter(|(number, name)| (*number, name) == (directory, &own)).count(), 1);
    let pids: Vec<u32> = seen[2..].iter().map(|(_, name)| name.parse().unwrap()).collect();
    assert!(pids.windows(2).all(|pair| pair[0] < pair[1]), "{pids:?}");
    assert!(pids.contains(&1));
    kernel.end();
}
