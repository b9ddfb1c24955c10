//! Copies the module's sources into a build directory, with their times, so that make and its
//! outputs stay out of the checkout and a rebuild does only what changed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache;
use crate::command;

/// The parts of the checkout that the module is built from.
const PARTS: &[&str] = &["rcu-core", "seqfile-core", "semundo-core", "kmod"];

/// Brings `to` up to date with the checkout's sources, files that are gone included.
pub fn sync(to: &Path) -> Result<()> {
    let wanted = list()?;
    // What lies there beside the files of the last copy are build products: they stay.
    let manifest = to.join("sources.list");
    let before = fs::read_to_string(&manifest).unwrap_or_default();
    for gone in before.lines().filter(|file| !wanted.contains(*file)) {
        let _ = fs::remove_file(to.join(gone));
    }
    for file in &wanted {
        copy(&cache::root().join(file), &to.join(file))
            .with_context(|| format!("cannot copy {file} to {}", to.display()))?;
    }
    let lines: Vec<_> = wanted.into_iter().collect();
    fs::write(&manifest, lines.join("\n")).context("cannot write the list of sources")
}

/// The files that git tracks or does not ignore, and that are there.
fn list() -> Result<BTreeSet<String>> {
    let mut git = Command::new("git");
    // Under sudo the checkout is another user's.
    git.args(["-c", "safe.directory=*", "ls-files", "-z"]);
    git.args(["--cached", "--others", "--exclude-standard", "--"]);
    git.args(PARTS).current_dir(cache::root());
    let files = command::output(&mut git).context("cannot list the checkout's files")?;
    let files = files.split('\0').filter(|file| !file.is_empty());
    Ok(files.filter(|file| cache::root().join(file).is_file()).map(str::to_owned).collect())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let source = fs::metadata(from)?;
    let modified = source.modified()?;
    if let Ok(copy) = fs::metadata(to)
        && copy.len() == source.len()
        && copy.modified()? == modified
    {
        return Ok(());
    }
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::copy(from, to)?;
    // An older file put in place of a newer one must still look changed to make.
    File::options().write(true).open(to)?.set_modified(modified)?;
    Ok(())
}
