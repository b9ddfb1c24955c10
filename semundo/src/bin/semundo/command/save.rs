//! `semundo save`

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use semundo::image::Image;
use semundo::ipc_namespace::IpcNamespace;
use semundo::restore::{self, Wanted};
use semundo::{Select, Source, UndoList, processes, save};
use tempfile::NamedTempFile;

use crate::cli::{Processes, Save};
use crate::print::count;

pub fn run(args: &Save, source: &dyn Source) -> Result<()> {
    let image = save::save(source, &select(&args.processes)?)?;
    match args.output.as_deref() {
        Some(path) if path != Path::new("-") => {
            write_file(&image, path).with_context(|| format!("cannot write {}", path.display()))?;
        }
        _ => image.write(&mut io::stdout().lock())?,
    }
    if args.clear {
        clear(source, image.lists())?;
    }
    let (lists, sets) = (count(image.lists().len(), "undo list"), count(image.sets().len(), "semaphore set"));
    eprintln!("semundo: saved{}: {lists}, {sets}", if args.clear { " and cleared" } else { "" });
    Ok(())
}

fn select(processes: &Processes) -> Result<Select> {
    let pids = if let Some(root) = processes.tree {
        processes::tree(root)
    } else if let Some(pid) = processes.ipc_ns {
        Select::Pids(vec![pid]).check()?;
        let namespace = IpcNamespace::of(pid).with_context(|| format!("the IPC namespace of process {pid}"))?.inode();
        let mut all = processes::all();
        all.retain(|pid| IpcNamespace::of(*pid).is_ok_and(|other| other.inode() == namespace));
        all
    } else {
        processes.pids.clone()
    };
    Ok(Select::Pids(pids))
}

/// The file is replaced when all is written, and is on disk before anything else is done.
fn write_file(image: &Image, path: &Path) -> Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Ok(image.write(&mut fs::File::options().write(true).open(path)?)?);
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(directory)?;
    image.write(&mut file)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    fs::File::open(directory)?.sync_all()?;
    Ok(())
}

/// Takes all the lists out, or none.
fn clear(source: &dyn Source, lists: &[UndoList]) -> Result<(), restore::Error> {
    for (number, list) in lists.iter().enumerate() {
        if let Err(error) = restore::clear(source, list) {
            // All of them are tried, also where one cannot be had back.
            let put_back: Vec<_> = lists[..number].iter().map(|list| put_back(source, list)).collect();
            put_back.into_iter().collect::<Result<(), _>>()?;
            return Err(error);
        }
    }
    Ok(())
}

fn put_back(source: &dyn Source, list: &UndoList) -> Result<(), restore::Error> {
    let (first, wanted) = (&list.tasks[0], Wanted::of_list(list));
    restore::into_thread(source, first.pid, first.tid, &wanted).map(drop).map_err(|error| restore::Error::Lost {
        failed: "another list could not be cleared".to_owned(),
        sets: list.adjustments.iter().map(|set| set.semid).collect(),
        why: error.to_string(),
    })
}
