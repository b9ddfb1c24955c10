//! The module comes and goes under readers, and refuses a kernel that is not the one it was built for.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use semundo::proc;
use semundo::sysv::{Op, SemSet};

use super::{Test, test};
use crate::expect::HEADER;
use crate::kernel_log::{self, KernelLog};
use crate::module;
use crate::process::Child;
use crate::reading;
use crate::writing::{self, List};

pub const TESTS: &[Test] = &[
    test("reload: nothing but a greeting in the log since the first load", 60, first_load),
    test("reload: the module says that it is loaded", 60, says_loaded),
    test("reload: an open file outlives an unload or prevents it", 60, open_file),
    test("reload: a hundred times under readers", 300, hundred_times),
    test("reload: an unfinished line goes with the module", 60, unfinished_line),
    test("reload: a hundred times under writers", 300, hundred_times_written),
    test("reload: a wrong layout is refused", 60, wrong_layout),
    test("reload: where semop is not found, writes are not supported", 60, no_semop),
];

/// The module is loaded at the end of a test, whatever became of it.
struct Reload;

impl Drop for Reload {
    fn drop(&mut self) {
        if module::is_loaded().is_ok_and(|loaded| !loaded) {
            let _ = module::load(module::MODULE);
        }
    }
}

fn load() -> Result<()> {
    module::load(module::MODULE)?.context(module::MODULE)
}

fn holds_one() -> Result<String> {
    let set = SemSet::create(1, 0o600)?;
    set.op(&[Op::new(0, 1).undo()])?;
    Ok(format!("{} -1\n", set.id()))
}

/// From the kernel's own line about the load of a foreign module on.
fn first_load() -> Result<()> {
    let lines = KernelLog::from_start()?.lines()?;
    let start = lines.iter().position(|line| line.contains("semundo")).context("no line of the module")?;
    ensure!(lines[start..].iter().any(|line| line.starts_with("semundo: loaded")), "it does not say that it is loaded");
    kernel_log::ensure_quiet(&lines[start..])
}

fn says_loaded() -> Result<()> {
    let _reload = Reload;
    let mut log = KernelLog::mark()?;
    module::unload()?;
    for path in [proc::OWN, proc::TABLE] {
        ensure!(!std::fs::exists(path)?, "{path} is there without the module");
        ensure!(File::open(path).is_err(), "{path} opens without the module");
    }
    let error = proc::table().err().context("a table without a module")?.to_string();
    ensure!(error.contains("module is not loaded"), "{error}");
    load()?;
    let lines = log.lines()?;
    let said = lines.iter().filter(|line| line.starts_with("semundo: loaded")).count();
    ensure!(said == 1, "the log: {lines:?}");
    Ok(())
}

fn open_file() -> Result<()> {
    let _reload = Reload;
    let text = holds_one()?;
    for path in [proc::OWN, proc::TABLE] {
        let mut file = File::open(path)?;
        ensure!(file.read(&mut [0; 1])? == 1, "{path}: nothing to read");
        match module::try_unload() {
            // Busy: the file goes on.
            Err(Errno::EWOULDBLOCK) => {
                reading::rest(&mut file, 100).context("a file that kept the module")?;
                drop(file);
                module::unload()?;
            }
            // Gone: the file is dead, and says so without harm.
            Ok(()) => ensure!(file.read(&mut [0; 1]).is_err(), "{path} reads without a module"),
            Err(error) => bail!("delete_module: {error}"),
        }
        load()?;
    }
    ensure!(reading::text(proc::OWN)? == text, "the list after a reload");
    Ok(())
}

/// Reads one file again and again while the module comes and goes; what is read to the end must be `right`.
fn read_on(path: &str, right: impl Fn(&str) -> bool) -> Result<()> {
    loop {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Loading has the processor to itself for a moment.
                sleep(Duration::from_millis(1));
                continue;
            }
            Err(error) => return Err(error).context(path.to_owned()),
        };
        match reading::rest(&mut file, 4096) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes)?;
                ensure!(right(&text), "{path} shows {text:?}");
            }
            // A file whose module is gone (fs/proc/inode.c).
            Err(error) if error.raw_os_error() == Some(libc::EIO) => {}
            Err(error) => return Err(error).context(path.to_owned()),
        }
    }
}

fn hundred_times() -> Result<()> {
    let _reload = Reload;
    let own = holds_one()?;
    let mut readers = Vec::new();
    for number in 0..4 {
        // They share this process's list, so that each of them has one line to read, and the table a row for each of us.
        readers.push(Child::with_flags(libc::CLONE_SYSVSEM, |_| match number % 2 {
            0 => read_on(proc::OWN, |text| text == own),
            _ => read_on(proc::TABLE, |text| {
                text.strip_prefix(HEADER).is_some_and(|rows| {
                    (1..=5).contains(&rows.lines().count()) && rows.lines().all(|row| row.ends_with(" -1"))
                })
            }),
        })?);
    }
    for round in 0..100 {
        module::unload().with_context(|| format!("round {round}"))?;
        load().with_context(|| format!("round {round}"))?;
        sleep(Duration::from_millis(5));
    }
    for reader in &mut readers {
        if let Some(result) = reader.recv_within(Duration::from_millis(1)) {
            result.context("a reader")?;
        }
    }
    drop(readers);
    ensure!(reading::text(proc::OWN)? == own, "the list afterwards");
    Ok(())
}

fn unfinished_line() -> Result<()> {
    let _reload = Reload;
    let text = holds_one()?;
    let mut log = KernelLog::mark()?;
    let mut file = writing::open()?;
    ensure!(writing::write_to(&mut file, b"0 ").is_none(), "the begin of a line");
    // An open file is no reason to stay.
    module::try_unload()?;
    let answer = writing::write_to(&mut file, b"1\n");
    ensure!(answer == Some(libc::EIO), "a write without a module answers {answer:?}");
    drop(file);
    let lines = log.lines()?;
    let told = lines.iter().filter(|line| line.contains("in the middle of a line, its 2 bytes are dropped")).count();
    ensure!(told == 1, "the log: {lines:?}");
    load()?;
    ensure!(reading::text(proc::OWN)? == text, "the list after a reload");
    Ok(())
}

/// Writes two lists in turn while the module comes and goes: each write is done whole, or not at all because the module is gone.
fn write_on(sets: &[SemSet]) -> Result<()> {
    let lists = [1, -2].map(|adjustment| {
        let mut list = List::default();
        sets.iter().for_each(|set| list.set(set.id(), vec![adjustment; 100]));
        list
    });
    for list in lists.iter().cycle() {
        while match writing::open().map(|mut file| writing::write_to(&mut file, &list.text())) {
            Ok(None) => false,
            Ok(Some(libc::EIO)) => true,
            Ok(Some(errno)) => bail!("a write answers {errno}"),
            Err(_) => {
                sleep(Duration::from_millis(1));
                true
            }
        } {}
        match reading::text(proc::OWN) {
            Ok(text) => ensure!(text.as_bytes() == list.text(), "the list after a write"),
            // No module.
            Err(_) => sleep(Duration::from_millis(1)),
        }
    }
    Ok(())
}

fn hundred_times_written() -> Result<()> {
    let _reload = Reload;
    let sets: Vec<SemSet> = (0..10).map(|_| SemSet::create(100, 0o600)).collect::<Result<_, _>>()?;
    let mut writers = Vec::new();
    for _ in 0..3 {
        writers.push(Child::fork(|_| write_on(&sets))?);
    }
    for round in 0..100 {
        sleep(Duration::from_millis(5));
        module::unload().with_context(|| format!("round {round}"))?;
        load().with_context(|| format!("round {round}"))?;
    }
    for writer in &mut writers {
        if let Some(result) = writer.recv_within(Duration::from_millis(1)) {
            result.context("a writer")?;
        }
    }
    Ok(())
}

fn wrong_layout() -> Result<()> {
    let _reload = Reload;
    ensure!(std::fs::exists(module::WRONG_LAYOUT)?, "{} is missing", module::WRONG_LAYOUT);
    let text = holds_one()?;
    module::unload()?;
    let mut log = KernelLog::mark()?;
    let answer = module::load(module::WRONG_LAYOUT)?;
    ensure!(answer == Err(Errno::EINVAL), "finit_module answers {answer:?}");
    let lines = log.lines()?;
    let refusals = lines.iter().filter(|line| line.starts_with("semundo: refusing to load:")).count();
    ensure!(refusals == 1, "the log: {lines:?}");
    ensure!(!module::is_loaded()? && !std::fs::exists(proc::OWN)?, "it left something behind");
    load()?;
    ensure!(reading::text(proc::OWN)? == text, "the list under the right module");
    Ok(())
}

/// It says so once, when it is loaded; the list is read, and user space can restore.
fn no_semop() -> Result<()> {
    let _reload = Reload;
    ensure!(std::fs::exists(module::NO_SEMOP)?, "{} is missing", module::NO_SEMOP);
    let set = SemSet::create(2, 0o600)?;
    let mut list = List::default();
    list.set(set.id(), vec![0, -1]);
    writing::write_is(&list.text(), None, &list)?;
    module::unload()?;
    let mut log = KernelLog::mark()?;
    module::load(module::NO_SEMOP)?.context(module::NO_SEMOP)?;
    let lines = log.lines()?;
    let told = lines.iter().filter(|line| line.starts_with("semundo: /proc/semundo cannot be written to:")).count();
    ensure!(told == 1, "the log: {lines:?}");
    writing::write_is(writing::line(set.id(), &[5, 5]).as_bytes(), Some(libc::EOPNOTSUPP), &list)?;
    // What is wrong with the text is said first.
    writing::write_is(b"x\n", Some(libc::EINVAL), &list)?;
    ensure!(proc::table()?.len() == 1, "the table");
    set.op(&[Op::new(0, 2), Op::new(0, -2).undo()])?;
    list.set(set.id(), vec![2, -1]);
    list.is_own()?;
    module::unload()?;
    load()?;
    list.set(set.id(), vec![5, 5]);
    writing::write_is(&list.text(), None, &list)
}
