//! `semundo show`

use std::io::Write;

use anyhow::{Result, bail};
use semundo::undo_list::{of_process, of_thread};
use semundo::{Select, Source, UndoList, processes};

use crate::cli::Show;
use crate::print;

pub fn run(args: &Show, source: &dyn Source) -> Result<()> {
    let pid = args.pid.unwrap_or(std::process::id() as i32);
    let lists = source.read(&Select::Pids(vec![pid]))?;
    let list = match args.thread {
        Some(tid) if !processes::threads(pid).contains(&tid) => bail!("process {pid} has no thread {tid}"),
        Some(tid) => of_thread(&lists, tid),
        None => of_process(&lists, pid),
    };
    let adjustments = list.map_or(&[][..], |list| &list.adjustments);
    let mut out = print::stdout();
    if args.json {
        print::json(adjustments, &mut out)?
    } else {
        print::list(adjustments, &mut out)?
    }
    out.flush()?;
    if args.thread.is_none() && lists.len() > 1 {
        eprintln!("semundo: process {pid} has {}", others(&lists, list));
    }
    Ok(())
}

/// The lists that were not shown.
fn others(lists: &[UndoList], shown: Option<&UndoList>) -> String {
    let others = lists.iter().filter(|list| Some(*list) != shown);
    let threads: Vec<_> = others.map(|list| format!("--thread {}", list.tasks[0].tid)).collect();
    format!("more undo lists: {}", threads.join(", "))
}
