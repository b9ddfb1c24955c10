//! To whom an open file answers.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, PermissionsExt};

use anyhow::{Context, Result, ensure};
use io_uring::{IoUring, opcode, squeue, types};
use nix::sys::prctl;
use nix::unistd::{Uid, setresuid};
use semundo::proc;
use semundo::sysv::{Op, SemSet};

use super::permissions::become_user;
use super::{Test, test};
use crate::process::Child;
use crate::reading;

pub const TESTS: &[Test] = &[
    test("binding: modes are 0666 and 0444", 60, modes),
    test("binding: an inherited file answers EPERM", 60, inherited),
    test("binding: after a change of ids it answers EPERM", 60, changed_ids),
    test("binding: a thread of the opener reads", 60, thread_reads),
    test("binding: io_uring never answers an empty list", 60, io_uring_read),
    test("binding: the table is not written", 60, table_write),
];

pub(super) fn errno<T>(result: std::io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

/// Takes one from a fresh set, and gives the text that the caller's list has then.
pub(super) fn take_one() -> Result<String> {
    let set = SemSet::create(1, 0o666)?;
    set.op(&[Op::new(0, 1), Op::new(0, -1).undo()])?;
    Ok(format!("{} 1\n", set.id()))
}

fn modes() -> Result<()> {
    for (path, want) in [(proc::OWN, 0o100_666), (proc::TABLE, 0o100_444)] {
        let mode = fs::metadata(path)?.permissions().mode();
        ensure!(mode == want, "{path}: mode {mode:o}");
    }
    Ok(())
}

fn inherited() -> Result<()> {
    let text = take_one()?;
    let (untouched, mut half_read) = (File::open(proc::OWN)?, File::open(proc::OWN)?);
    ensure!(half_read.read(&mut [0; 1])? == 1, "nothing to read");
    let mut child = Child::fork(|link| {
        take_one()?;
        for mut file in [&untouched, &half_read] {
            let errors = (errno(file.read(&mut [0; 100])), errno(file.read_at(&mut [0; 100], 0)));
            ensure!(errors == (Some(libc::EPERM), Some(libc::EPERM)), "read and pread answer {errors:?}");
        }
        link.go()
    })?;
    child.link().wait()?;
    child.join()?;
    // The opener still reads, and what the child tried has moved nothing.
    let rest = reading::rest(&mut half_read, 100)?;
    ensure!(rest == text.as_bytes()[1..], "the rest is {:?}", String::from_utf8_lossy(&rest));
    ensure!(reading::rest(&mut &untouched, 100)? == text.as_bytes(), "the opener's own read");
    Ok(())
}

fn changed_ids() -> Result<()> {
    take_one()?;
    for user in [false, true] {
        let child = Child::fork(|_| {
            take_one()?;
            let mut file = File::open(proc::OWN)?;
            ensure!(file.read(&mut [0; 1])? == 1, "nothing to read");
            if user {
                become_user(1000, 1000)?;
            } else {
                setresuid(Uid::from_raw(0), Uid::from_raw(1000), Uid::from_raw(0))?;
                prctl::set_dumpable(true)?;
            }
            let errors = (errno(file.read(&mut [0; 100])), errno(file.read_at(&mut [0; 100], 0)));
            ensure!(errors == (Some(libc::EPERM), Some(libc::EPERM)), "read and pread answer {errors:?}");
            let again = reading::text(proc::OWN)?;
            ensure!(again.lines().count() == 1, "opened again it shows {again:?}");
            Ok(())
        })?;
        child.join().with_context(|| if user { "all ids" } else { "the effective id" })?;
    }
    Ok(())
}

fn thread_reads() -> Result<()> {
    let text = take_one()?;
    let mut file = File::open(proc::OWN)?;
    let seen = std::thread::spawn(move || reading::rest(&mut file, 10)).join().expect("no panic")?;
    ensure!(seen == text.as_bytes(), "it read {:?}", String::from_utf8_lossy(&seen));
    Ok(())
}

/// io_uring may read in a thread of its own, which is of the process but has no part in its undo list.
fn io_uring_read() -> Result<()> {
    let text = take_one()?;
    let file = File::open(proc::OWN)?;
    let mut ring = IoUring::new(4).context("io_uring_setup")?;
    let mut bytes = [0; 100];
    let read = opcode::Read::new(types::Fd(file.as_raw_fd()), bytes.as_mut_ptr(), bytes.len() as u32);
    let read = read.build().flags(squeue::Flags::ASYNC);
    // SAFETY: the file and the buffer outlive the request, which is waited for here.
    unsafe { ring.submission().push(&read)? };
    ring.submit_and_wait(1)?;
    let answer = ring.completion().next().context("no completion")?.result();
    let right = usize::try_from(answer).is_ok_and(|count| &bytes[..count] == text.as_bytes());
    ensure!(right || answer == -libc::EOPNOTSUPP, "a read answers {answer}");
    Ok(())
}

/// Only root gets the table open for writing at all.
fn table_write() -> Result<()> {
    let before = take_one()?;
    let answer = errno(OpenOptions::new().write(true).open(proc::TABLE)?.write(b"0 1 1 1\n"));
    ensure!(answer == Some(libc::EOPNOTSUPP), "a write answers {answer:?}");
    Child::fork(|_| {
        become_user(1000, 1000)?;
        let answer = errno(OpenOptions::new().write(true).open(proc::TABLE));
        ensure!(answer == Some(libc::EACCES), "a user opens it for writing: {answer:?}");
        Ok(())
    })?
    .join()?;
    ensure!(reading::text(proc::OWN)? == before, "the list has changed");
    Ok(())
}
