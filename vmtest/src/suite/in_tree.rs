//! What only a patched kernel has: a file for each thread of each process, and who may read it.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use io_uring::{IoUring, opcode, squeue, types};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::unistd::{getpid, gettid};
use semundo::sysv::{Op, SemSet};

use super::binding::{errno, take_one};
use super::permissions::become_user;
use super::{Test, test};
use crate::process::Child;
use crate::reading;
use crate::writing::{self, write_to};

pub const TESTS: &[Test] = &[
    test("in-tree: the mode is 0666, everywhere", 60, modes),
    test("in-tree: self, PID and task/TID are of one list", 60, paths),
    test("in-tree: a thread with a list of its own", 60, unshared_thread),
    test("in-tree: another process's list, until it dies", 60, another),
    test("in-tree: another user's list answers EPERM", 60, another_user),
    test("in-tree: a process that is not dumpable reads itself alone", 60, not_dumpable),
    test("in-tree: an open file asks again at each read", 60, asks_again),
    test("in-tree: an inherited file has the rights of who reads it", 60, inherited),
    test("in-tree: io_uring reads the list of the file's task", 60, io_uring_read),
    test("in-tree: another process's list is written by nobody", 60, write_to_another),
    test("in-tree: threads write the list that they share, and no other", 60, threads_write),
    test("in-tree: a list that goes while it is read, again and again", 60, going),
    test("in-tree: exits and sharing under readers of all files, 20 s", 120, churn),
];

fn path(pid: i32) -> String {
    format!("/proc/{pid}/semundo")
}

fn task_path(pid: i32, tid: i32) -> String {
    format!("/proc/{pid}/task/{tid}/semundo")
}

/// A process that becomes something, takes one, tells the text of its list, and holds.
fn holder(become_it: impl FnOnce() -> Result<()>) -> Result<(Child, String)> {
    let mut child = Child::fork(|link| {
        become_it()?;
        link.send(take_one()?)?;
        link.hold()
    })?;
    let text = child.link().recv_text()?;
    child.link().wait()?;
    Ok((child, text))
}

fn modes() -> Result<()> {
    let (pid, tid) = (getpid().as_raw(), gettid().as_raw());
    for path in
        [path(1), path(pid), task_path(pid, tid), "/proc/self/semundo".into(), "/proc/thread-self/semundo".into()]
    {
        let mode = fs::metadata(&path)?.permissions().mode();
        ensure!(mode == 0o100_666, "{path}: mode {mode:o}");
    }
    Ok(())
}

fn paths() -> Result<()> {
    let (pid, tid) = (getpid().as_raw(), gettid().as_raw());
    let all = [path(pid), task_path(pid, tid), "/proc/self/semundo".into(), "/proc/thread-self/semundo".into()];
    for path in &all {
        ensure!(reading::text(path)?.is_empty(), "{path}: there is nothing to undo yet");
    }
    let text = take_one()?;
    for path in &all {
        let got = reading::text(path)?;
        ensure!(got == text, "{path} shows {got:?} instead of {text:?}");
    }
    let other = thread::spawn(move || reading::text(&task_path(pid, gettid().as_raw())));
    let other = other.join().map_err(|_| anyhow!("the thread panicked"))??;
    ensure!(other == text, "a thread that shares the list shows {other:?}");
    Ok(())
}

fn unshared_thread() -> Result<()> {
    let text = take_one()?;
    let pid = getpid().as_raw();
    let thread = thread::spawn(move || -> Result<()> {
        unshare(CloneFlags::CLONE_SYSVSEM)?;
        let own = take_one()?;
        let tid = gettid().as_raw();
        for (path, want) in [
            (task_path(pid, tid), &own),
            // No directory lists it, and it is there all the same.
            (path(tid), &own),
            ("/proc/thread-self/semundo".into(), &own),
            ("/proc/self/semundo".into(), &text),
            (path(pid), &text),
            (task_path(pid, pid), &text),
        ] {
            let got = reading::text(&path)?;
            ensure!(got == *want, "{path} shows {got:?} instead of {want:?}");
        }
        Ok(())
    });
    thread.join().map_err(|_| anyhow!("the thread panicked"))?
}

fn another() -> Result<()> {
    let (child, text) = holder(|| Ok(()))?;
    let pid = child.pid();
    for path in [path(pid), task_path(pid, pid)] {
        let got = reading::text(&path)?;
        ensure!(got == text, "{path} shows {got:?} instead of {text:?}");
    }
    let mut file = File::open(path(pid))?;
    child.kill()?;
    ensure!(errno(File::open(path(pid))) == Some(libc::ENOENT), "the file is there after the end");
    let answer = errno(file.read(&mut [0; 100]));
    ensure!(answer == Some(libc::ESRCH), "an open file of a process that is gone answers {answer:?}");
    Ok(())
}

fn another_user() -> Result<()> {
    let (root, root_text) = holder(|| Ok(()))?;
    let (user, user_text) = holder(|| become_user(1000, 1000))?;
    let (root, user) = (root.pid(), user.pid());
    ensure!(reading::text(&path(user))? == user_text, "root does not see the user's list");
    Child::fork(|_| {
        become_user(1000, 1000)?;
        ensure!(reading::text(&path(user))? == user_text, "the user does not see its other process");
        for path in [path(root), task_path(root, root)] {
            let answer = errno(File::open(&path));
            ensure!(answer == Some(libc::EPERM), "{path} answers {answer:?}");
        }
        Ok(())
    })?
    .join()?;
    ensure!(reading::text(&path(root))? == root_text, "root's list");
    Ok(())
}

fn not_dumpable() -> Result<()> {
    let mut child = Child::fork(|link| {
        become_user(1000, 1000)?;
        prctl::set_dumpable(false)?;
        let text = take_one()?;
        ensure!(reading::text("/proc/self/semundo")? == text, "it does not see itself");
        link.hold()
    })?;
    child.link().wait()?;
    let pid = child.pid();
    Child::fork(|_| {
        become_user(1000, 1000)?;
        let answer = errno(File::open(path(pid)));
        ensure!(answer == Some(libc::EPERM), "its sibling gets {answer:?}");
        Ok(())
    })?
    .join()
}

/// What an open file may show is decided when it shows it: the process may have become another.
fn asks_again() -> Result<()> {
    let mut target = Child::fork(|link| {
        become_user(1000, 1000)?;
        take_one()?;
        link.step()?;
        prctl::set_dumpable(false)?;
        link.hold()
    })?;
    target.link().wait()?;
    let pid = target.pid();
    let mut reader = Child::fork(|link| {
        become_user(1000, 1000)?;
        let (mut untouched, mut half_read) = (File::open(path(pid))?, File::open(path(pid))?);
        ensure!(half_read.read(&mut [0; 1])? == 1, "nothing to read");
        link.step()?;
        let mut bytes = [0; 100];
        let answers = [errno(untouched.read(&mut bytes)), errno(half_read.read_at(&mut bytes, 0))];
        ensure!(answers == [Some(libc::EPERM); 2], "read and pread answer {answers:?}");
        Ok(())
    })?;
    reader.link().wait()?;
    target.link().step()?;
    reader.link().go()?;
    reader.join()
}

fn inherited() -> Result<()> {
    let (root, _) = holder(|| Ok(()))?;
    let (user, user_text) = holder(|| become_user(1000, 1000))?;
    let (mut of_root, mut of_user) = (File::open(path(root.pid()))?, File::open(path(user.pid()))?);
    Child::fork(|_| {
        become_user(1000, 1000)?;
        let answer = errno(of_root.read(&mut [0; 100]));
        ensure!(answer == Some(libc::EPERM), "root's file answers {answer:?}");
        ensure!(reading::rest(&mut of_user, 100)? == user_text.as_bytes(), "the user's file, opened by root");
        Ok(())
    })?
    .join()
}

fn io_uring_read() -> Result<()> {
    let (child, text) = holder(|| Ok(()))?;
    let own = take_one()?;
    let mut ring = IoUring::new(4).context("io_uring_setup")?;
    for (path, want) in [(path(child.pid()), text), ("/proc/self/semundo".to_owned(), own)] {
        let file = File::open(&path)?;
        let mut bytes = [0; 100];
        let read = opcode::Read::new(types::Fd(file.as_raw_fd()), bytes.as_mut_ptr(), bytes.len() as u32);
        let read = read.build().flags(squeue::Flags::ASYNC);
        // SAFETY: the file and the buffer outlive the request, which is waited for here.
        unsafe { ring.submission().push(&read)? };
        ring.submit_and_wait(1)?;
        let answer = ring.completion().next().context("no completion")?.result();
        let right = usize::try_from(answer).is_ok_and(|count| &bytes[..count] == want.as_bytes());
        ensure!(right, "{path}: a read answers {answer}");
    }
    Ok(())
}

fn write_to_another() -> Result<()> {
    let (child, text) = holder(|| Ok(()))?;
    let pid = child.pid();
    for path in &[path(pid), task_path(pid, pid)] {
        let mut file = OpenOptions::new().write(true).open(path)?;
        for text in [&*text, "0 1\n", "nonsense"] {
            let answer = write_to(&mut file, text.as_bytes());
            ensure!(answer == Some(libc::EPERM), "a write of {text:?} to {path} answers {answer:?}");
        }
        Child::fork(|_| {
            become_user(1000, 1000)?;
            let answer = errno(OpenOptions::new().write(true).open(path));
            ensure!(answer == Some(libc::EPERM), "a user opens {path}: {answer:?}");
            Ok(())
        })?
        .join()?;
    }
    ensure!(reading::text(&path(pid))? == text, "the list has changed");
    Ok(())
}

fn threads_write() -> Result<()> {
    let set = SemSet::create(1, 0o666)?;
    let (pid, tid) = (getpid().as_raw(), gettid().as_raw());
    let line = |adjustment: i16| writing::line(set.id(), &[adjustment]);
    let write = |path: &str, adjustment: i16| -> Result<Option<i32>> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        Ok(write_to(&mut file, line(adjustment).as_bytes()))
    };
    thread::scope(|scope| {
        let thread = scope.spawn(|| -> Result<()> {
            for (path, adjustment) in [("/proc/self/semundo", 1), (&*task_path(pid, tid), 2), (&*path(pid), 3)] {
                let answer = write(path, adjustment)?;
                ensure!(answer.is_none(), "a write to {path} answers {answer:?}");
                ensure!(reading::text(path)? == line(adjustment), "after a write to {path}");
            }
            unshare(CloneFlags::CLONE_SYSVSEM)?;
            for path in ["/proc/self/semundo", &task_path(pid, tid)] {
                let answer = write(path, 4)?;
                ensure!(answer == Some(libc::EPERM), "a write to {path} of another thread answers {answer:?}");
            }
            ensure!(write("/proc/thread-self/semundo", 5)?.is_none(), "the thread's own");
            ensure!(reading::text("/proc/thread-self/semundo")? == line(5), "the thread's own list");
            Ok(())
        });
        thread.join().map_err(|_| anyhow!("the thread panicked"))?
    })?;
    ensure!(reading::text("/proc/self/semundo")? == line(3), "the process's list");
    Ok(())
}

/// What a reader has found by way of a task must stay memory of a list while the reader uses it. The list is new each time, and
/// the old one goes at once (kernel/fork.c: ksys_unshare).
fn going() -> Result<()> {
    let set = SemSet::create(1, 0o600)?;
    let mut target = Child::fork(|link| {
        link.go()?;
        loop {
            set.op(&[Op::new(0, 1), Op::new(0, -1).undo()])?;
            unshare(CloneFlags::CLONE_SYSVSEM)?;
            set.set_value(0, 0)?;
        }
    })?;
    target.link().wait()?;
    let (path, line) = (path(target.pid()), writing::line(set.id(), &[1]));
    let mut readers = Vec::new();
    for _ in 0..2 {
        readers.push(Child::fork(|link| {
            let (start, mut seen) = (Instant::now(), [0, 0]);
            while start.elapsed() < Duration::from_secs(5) {
                let text = reading::text(&path)?;
                ensure!(text.is_empty() || text == line, "it reads {text:?}");
                seen[usize::from(text.is_empty())] += 1;
            }
            link.send(format!("{} reads found it, {} did not", seen[0], seen[1]))
        })?);
    }
    for mut reader in readers {
        println!("   {}", reader.link().recv_text()?);
        reader.join()?;
    }
    ensure!(target.recv_within(Duration::from_millis(1)).is_none(), "the target has ended");
    Ok(())
}

/// Processes that take, share their list with children, leave it, and exit, under readers that follow all of them.
fn churn() -> Result<()> {
    let sets = (0..8).map(|_| SemSet::create(2, 0o600)).collect::<Result<Vec<_>, _>>()?;
    sets.iter().try_for_each(|set| set.set_values(&[10_000; 2]))?;
    let mut children = Vec::new();
    for number in 0..12 {
        let sets = &sets;
        children.push(Child::fork(move |_| {
            loop {
                let flags = if number % 3 == 0 { libc::CLONE_SYSVSEM } else { 0 };
                Child::with_flags(flags, |_| {
                    sets.iter().try_for_each(|set| set.op(&[Op::new(1, -1).undo()]))?;
                    unshare(CloneFlags::CLONE_SYSVSEM)?;
                    sets[number % 8].op(&[Op::new(0, -2).undo()])?;
                    Ok(())
                })?
                .join()?;
            }
        })?);
    }
    for _ in 0..4 {
        children.push(Child::fork(|_| {
            loop {
                read_everybodys()?;
            }
        })?);
    }
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        for child in &mut children {
            if let Some(result) = child.recv_within(Duration::from_millis(5)) {
                result?;
            }
        }
    }
    Ok(())
}

/// Reads the files of all processes, many of which are gone by then; every line is whole.
fn read_everybodys() -> Result<()> {
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(Ok(pid)) = entry.file_name().to_str().map(str::parse::<i32>) else { continue };
        let mut text = String::new();
        let answer = File::open(path(pid)).and_then(|mut file| file.read_to_string(&mut text));
        let answer = errno(answer);
        ensure!([None, Some(libc::ENOENT), Some(libc::ESRCH)].contains(&answer), "{pid}: {answer:?}");
        for line in text.split_inclusive('\n') {
            let numbers = line.strip_suffix('\n').map(|line| line.split(' ').map(str::parse::<i32>));
            let numbers = numbers.and_then(|numbers| numbers.collect::<Result<Vec<_>, _>>().ok());
            ensure!(numbers.is_some_and(|numbers| numbers.len() == 3), "process {pid}: {text:?}");
        }
    }
    Ok(())
}
