//! `semundo restore`

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Error, Result, bail};
use semundo::image::Image;
use semundo::restore::{self, Report, Wanted};
use semundo::source::{self, Source};
use semundo::{Adjustments, UndoList};

use crate::cli::Restore;
use crate::print::count;

pub fn run(args: &Restore, open: impl FnOnce() -> Result<Box<dyn Source>, source::Error>) -> Result<()> {
    let wanted = wanted(args).with_context(|| args.file.display().to_string())?;
    match args.pid {
        Some(pid) => {
            let source = open()?;
            let report = if args.dry_run {
                restore::preview_process(&*source, pid, &wanted)?
            } else {
                restore::into_process(&*source, pid, &wanted)?
            };
            tell(args, &report, &format!("process {pid}"));
        }
        None => {
            let own = own_list(args, open());
            if args.dry_run {
                tell(args, &restore::preview_own(&own, &wanted)?, "the command");
            } else {
                become_command(args, &own, &wanted)?;
            }
        }
    }
    Ok(())
}

fn wanted(args: &Restore) -> Result<Wanted> {
    let image = Image::parse(&read(&args.file)?)?;
    let list = choose(image.lists(), args.list)?;
    let wanted = list.map_or_else(Wanted::default, |list| Wanted::of_image(&image, list));
    let wanted = if args.force { wanted.with_any_key() } else { wanted };
    wanted.remap(&args.remap).map_err(Error::msg).context("--remap")
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path != Path::new("-") {
        return fs::read(path);
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The list that is meant; none where none was saved.
fn choose(lists: &[UndoList], wanted: Option<i32>) -> Result<Option<&UndoList>> {
    let name = |list: &UndoList| format!("\n  --list {} ({})", list.tasks[0].tid, list.tasks[0].comm.escape_debug());
    match (wanted, lists) {
        (None, []) => Ok(None),
        (None, [list]) => Ok(Some(list)),
        (None, lists) => bail!("there are {}, choose one:{}", lists.len(), lists.iter().map(name).collect::<String>()),
        (Some(id), lists) => {
            // A thread's number says more than a process's, where the threads of one have several lists.
            let of_thread = lists.iter().find(|list| list.tasks.iter().any(|task| task.tid == id));
            let list = of_thread.or_else(|| lists.iter().find(|list| list.pids().contains(&id)));
            list.map(Some).with_context(|| {
                format!("no list of {id} was saved, only:{}", lists.iter().map(name).collect::<String>())
            })
        }
    }
}

/// What this process already has, which it does where a process that has a list executed it. Who may not read undo lists may still
/// restore.
fn own_list(args: &Restore, source: Result<Box<dyn Source>, source::Error>) -> Vec<Adjustments> {
    source.and_then(|source| source::own_list(&*source)).unwrap_or_else(|error| {
        if !args.quiet {
            eprintln!("semundo: note: the own undo list is taken to be empty, since it cannot be read: {error}");
        }
        Vec::new()
    })
}

fn become_command(args: &Restore, own: &[Adjustments], wanted: &Wanted) -> Result<(), restore::Error> {
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    let never = restore::exec(own, wanted, &mut command, |report| tell(args, report, "the command"))?;
    match never {}
}

fn tell(args: &Restore, report: &Report, whose: &str) {
    if args.quiet {
        return;
    }
    for note in &report.notes {
        eprintln!("semundo: note: {note}");
    }
    let did = if args.dry_run { "would restore" } else { "restored" };
    let (sets, calls) = (count(report.changed.len(), "semaphore set"), count(report.calls, "call"));
    let already = match report.unchanged.len() {
        0 => String::new(),
        number => format!("; {number} had these adjustments already"),
    };
    eprintln!("semundo: {did} {whose}'s adjustments of {sets} by {calls}{already}");
}
