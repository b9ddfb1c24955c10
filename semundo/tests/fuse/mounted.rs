//! The file system, mounted, over the live kernel's undo lists.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::process::Command;

use fuser::{Config, MountOption};
use semundo::source;

use crate::fs::Semundofs;
use crate::support;

#[test]
fn lists_of_live_processes() {
    if let Err(error) = File::options().read(true).write(true).open("/dev/fuse") {
        println!("NOT TESTED: a mounted file system: /dev/fuse: {error}");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let source = Box::leak(source::open().unwrap());
    let mut config = Config::default();
    config.mount_options = vec![MountOption::RO, MountOption::FSName("semundo-test".to_owned())];
    let session = fuser::spawn_mount(Semundofs::new(source), directory.path(), &config).unwrap();

    let (sets, holder) = support::held(&[vec![(5, 2), (3, -3)], vec![(1, 0), (0, 32767), (9, -32768)]]);
    let path = directory.path().join(holder.pid().to_string()).join("semundo");
    let mut lines = [(sets[0].id(), "2 -3"), (sets[1].id(), "0 32767 -32768")];
    lines.sort_unstable();
    let whole: String = lines.iter().map(|(semid, semadj)| format!("{semid} {semadj}\n")).collect();
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);

    // A byte a read; anywhere; by dd.
    let mut file = File::open(&path).unwrap();
    let (mut read, mut byte) = (Vec::new(), [0]);
    while file.read(&mut byte).unwrap() > 0 {
        read.push(byte[0]);
    }
    assert_eq!(read, whole.as_bytes());
    for offset in 0..=whole.len() {
        let mut bytes = [0; 100];
        let n = file.read_at(&mut bytes, offset as u64).unwrap();
        assert_eq!(&bytes[..n], &whole.as_bytes()[offset..], "at {offset}");
    }
    for (bs, skip) in [(1, 3), (3, 2), (7, 1), (4096, 0), (5, 100)] {
        let input = format!("if={}", path.display());
        let dd = Command::new("dd")
            .args([&input, &format!("bs={bs}"), &format!("skip={skip}"), "status=none"])
            .output()
            .unwrap();
        assert_eq!(dd.stdout, whole.as_bytes().get(bs * skip..).unwrap_or_default(), "bs={bs} skip={skip}");
    }

    // Every process is there, and whoever has nothing to undo has an empty file.
    let own = std::process::id().to_string();
    assert!(fs::read_dir(directory.path()).unwrap().any(|entry| entry.unwrap().file_name() == own.as_str()));
    assert_eq!(fs::read_to_string(directory.path().join("1/semundo")).unwrap(), "");
    assert_eq!(fs::write(&path, "1 1\n").unwrap_err().kind(), ErrorKind::ReadOnlyFilesystem);

    // A process that has ended is gone, also for who has its file open.
    holder.end();
    assert_eq!(File::open(&path).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(file.read_at(&mut byte, 0).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    drop(file);
    session.umount_and_join().unwrap();
}
