//! The files that show undo lists: the module's, or those of a patched kernel, which has one for each thread.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Result;
use nix::unistd::{getpid, gettid};
use semundo::proc::{self, Row};
use semundo::source::in_tree::InTree;
use semundo::{Select, Source};

use crate::expect::{HEADER, Undo};

const IN_TREE: &str = "/proc/thread-self/semundo";

/// Whether the kernel is a patched one.
pub fn in_tree() -> bool {
    Path::new(IN_TREE).exists()
}

/// The file of the caller's own list.
pub fn own() -> &'static str {
    if in_tree() { IN_TREE } else { proc::OWN }
}

/// The files and what they show where `undo` is the caller's list, and the only one of this IPC namespace.
pub fn showing(undo: &Undo) -> [(String, String); 2] {
    let (pid, tid) = (getpid().as_raw(), gettid().as_raw());
    if in_tree() {
        let paths = ["/proc/self/semundo".to_owned(), format!("/proc/{pid}/task/{tid}/semundo")];
        paths.map(|path| (path, undo.own_text()))
    } else {
        let table = format!("{HEADER}{}", undo.rows_text(pid, tid));
        [(proc::OWN.to_owned(), undo.own_text()), (proc::TABLE.to_owned(), table)]
    }
}

/// The rows of all lists of the caller's IPC namespace that the caller may see: the module's table, or what the kernel's files
/// add up to.
pub fn rows() -> Result<Vec<Row>> {
    if !in_tree() {
        return Ok(proc::table()?);
    }
    let namespace = fs::metadata("/proc/thread-self/ns/ipc")?.ino();
    let mut rows = Vec::new();
    for list in InTree::open()?.read(&Select::All)?.iter().filter(|list| list.ipc_namespace == namespace) {
        let lowest = list.tasks.iter().map(|task| task.tid).min().unwrap_or_default();
        for adjustments in &list.adjustments {
            rows.extend(list.pids().into_iter().map(|pid| Row {
                semid: adjustments.semid,
                pid,
                list: lowest,
                semadj: adjustments.semadj.clone(),
            }));
        }
    }
    rows.sort_by_key(|row| (row.semid, row.pid, row.list));
    Ok(rows)
}
