//! `semundo check`: every way is tried end to end, on a semaphore set of our own.

mod criu;
mod module;

use std::env;
use std::io::Write;
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};
use semundo::image::{Image, SavedSet};
use semundo::ipc_namespace::IpcNamespace;
use semundo::restore::{self, Wanted};
use semundo::source::{self, Kind};
use semundo::sysv::TempSet;
use semundo::{Adjustments, Select, Task, UndoList};
use serde::Serialize;

use crate::print;

/// One way to read or to restore.
#[derive(Serialize)]
struct Checked {
    way: String,
    works: bool,
    /// What it was found to do, or why it does not work and what would help.
    why: String,
}

pub fn run(json: bool) -> Result<ExitCode> {
    let mut all: Vec<Checked> = Kind::ALL.iter().map(|kind| read(*kind)).collect();
    let can_read = all.iter().any(|checked| checked.works);
    // It says what the module lacks; nothing depends on the module.
    all.push(match module::module() {
        Ok(found) => checked("kernel module", Ok(()), &found),
        Err(error) => checked("kernel module", Err(error), ""),
    });
    all.push(checked("restore -- COMMAND", own_list(), "an own list survived exec and was given back at the end"));
    all.push(checked("restore --pid PID", process(), "another process got a list and gave it back at its end"));
    let can_restore = all[all.len() - 2..].iter().all(|checked| checked.works);
    let found = criu::look();
    let why = found.as_ref().cloned().unwrap_or_default();
    all.push(checked("checkpoints by criu", found.map(drop), &why));
    let mut out = print::stdout();
    if json {
        print::json(&all, &mut out)?;
    } else {
        for Checked { way, works, why } in &all {
            writeln!(out, "{}  {way}: {why}", print::verdict(*works))?;
        }
        let verdict = match (can_read, can_restore) {
            (true, true) => "Undo lists can be seen, saved and restored here.",
            (true, false) => "Undo lists can be seen and saved here, but not every way to restore them works.",
            (false, _) => "Undo lists cannot be read here.",
        };
        writeln!(out, "{verdict}")?;
    }
    out.flush()?;
    Ok(if can_read && can_restore { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn checked(way: impl Into<String>, result: Result<()>, found: &str) -> Checked {
    let works = result.is_ok();
    Checked { way: way.into(), works, why: result.map_or_else(|error| format!("{error:#}"), |()| found.to_owned()) }
}

/// Reads our own list, of which it is known what it is.
fn read(kind: Kind) -> Checked {
    let try_it = || {
        let source = kind.open()?;
        let set = TempSet::create(3, 0o600).context("a semaphore set for the test")?;
        let wanted = Wanted::new([(set.id(), vec![0, 2, -1])]).map_err(anyhow::Error::msg)?;
        restore::into_own(&[], &wanted)?;
        let own = source::own_list(&*source)?;
        let found = own.iter().find(|adjustments| adjustments.semid == set.id());
        ensure!(found.is_some_and(|found| found.semadj == [0, 2, -1]), "it reads {found:?} where 0 2 -1 is true");
        let lists = source.read(&Select::All)?.len();
        Ok(lists)
    };
    let way = format!("read by {}", kind.name());
    match try_it() {
        Ok(lists) => checked(way, Ok(()), &format!("{} seen", print::count(lists, "undo list"))),
        Err(error) => checked(way, Err(error), ""),
    }
}

/// Restores as a user would: into a command, whose end shows that it had the list.
fn own_list() -> Result<()> {
    let set = TempSet::create(1, 0o600).context("a semaphore set for the test")?;
    let mut child = ourselves(&["restore", "--quiet", "-", "--", &own_path()?, "--version"])?;
    let image = image(&set)?;
    let mut input = child.stdin.take().expect("it is piped");
    image.write(&mut input)?;
    drop(input);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("{}", message.trim().trim_start_matches("semundo: "));
    }
    ends_at_two(&set)
}

/// Restores into a process that waits, then ends it.
fn process() -> Result<()> {
    let source = source::open()?;
    let set = TempSet::create(1, 0o600).context("a semaphore set for the test")?;
    // It waits for an image that never comes.
    let mut child = ourselves(&["restore", "-", "--", "true"])?;
    let wanted = Wanted::new([(set.id(), vec![2])]).map_err(anyhow::Error::msg)?;
    let restored = restore::into_process(&*source, child.id() as i32, &wanted);
    child.kill()?;
    child.wait()?;
    restored?;
    ends_at_two(&set)
}

fn ends_at_two(set: &TempSet) -> Result<()> {
    let value = set.get_value(0)?;
    ensure!(value == 2, "after the end of the process the semaphore is {value}, not 2");
    Ok(())
}

fn image(set: &TempSet) -> Result<Image> {
    let ipc_namespace = IpcNamespace::own()?.inode();
    let adjustments = vec![Adjustments { semid: set.id(), semadj: vec![2] }];
    let tasks = vec![Task { pid: 1, tid: 1, comm: "check".to_owned() }];
    let lists = vec![UndoList { tasks, ipc_namespace, adjustments }];
    Ok(Image::new(vec![SavedSet::read(ipc_namespace, set.id())?], lists)?)
}

fn own_path() -> Result<String> {
    let path = env::current_exe().context("where this program lies")?;
    path.into_os_string().into_string().ok().context("this program's path is not UTF-8")
}

fn ourselves(arguments: &[&str]) -> Result<Child> {
    let mut command = Command::new(own_path()?);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command.spawn()?)
}
