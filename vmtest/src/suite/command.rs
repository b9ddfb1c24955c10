//! The `semundo` command on the live files.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::getpid;
use semundo::sysv::{Op, SemSet};
use serde_json::json;

use super::{Test, test};
use crate::files;
use crate::process::Child;

pub const TESTS: &[Test] =
    &[test("command: semundo ls and show", 60, ls_and_show), test("command: semundo check", 120, check)];

const COMMAND: &str = "/bin/semundo";

/// Runs the command and gives what it prints.
fn semundo(arguments: &[&str]) -> Result<String> {
    let output = Command::new(COMMAND).args(arguments).output().context(COMMAND)?;
    ensure!(output.status.success(), "semundo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn ls_and_show() -> Result<()> {
    let set = SemSet::create(2, 0o600)?;
    set.op(&[Op::new(1, 4).undo()])?;
    let (id, pid) = (set.id(), getpid().as_raw());
    let rows: serde_json::Value = serde_json::from_str(&semundo(&["ls", "--json"])?)?;
    let row = &rows[0];
    let told = (&row["pids"], &row["comm"], &row["semid"], &row["semaphore"], &row["adjustment"], &row["value_after"]);
    let want = [json!([pid]), json!("vmtest"), json!(id), json!(1), json!(-4), json!(0)];
    let [pids, comm, semid, semaphore, adjustment, after] = &want;
    ensure!(told == (pids, comm, semid, semaphore, adjustment, after) && rows[1].is_null(), "ls --json prints {rows}");
    let (id, pid) = (id.to_string(), pid.to_string());
    let named: &[&[&str]] =
        if files::in_tree() { &[&["--source", "in-tree"]] } else { &[&["--source", "module"], &["--source", "bpf"]] };
    for source in [&[&[][..]], named].concat() {
        let table = semundo(&[source, &["ls"]].concat())?;
        let fields: Vec<&str> = table.lines().last().unwrap_or_default().split_ascii_whitespace().collect();
        ensure!(
            fields == [&pid, "vmtest", &id, "0x00000000", "1", "-4", "4", "0", "-"],
            "{source:?} ls prints {table}"
        );
        let text = semundo(&[source, &["show", &pid]].concat())?;
        ensure!(text == format!("{id} 0 -4\n"), "{source:?} show PID prints {text}");
    }
    // A fresh process has no list, unless it was made by an exec of a process that has one.
    ensure!(semundo(&["show"])?.is_empty(), "a process without a list shows one");
    let (mut output, input) = std::io::pipe()?;
    let child = Child::fork(move |_| {
        set.op(&[Op::new(0, 1).undo()])?;
        bail!(Command::new(COMMAND).arg("show").stdout(input).exec())
    })?;
    let mut own = String::new();
    output.read_to_string(&mut own)?;
    child.join()?;
    ensure!(own == format!("{id} -1 0\n"), "after an exec show prints {own:?}");
    Ok(())
}

/// The files that this kernel has are found to work, and no others; where it is a stock one, so is every other way.
fn check() -> Result<()> {
    let output = Command::new(COMMAND).args(["check", "--json"]).output().context(COMMAND)?;
    let ways: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let in_tree = files::in_tree();
    let mut wanted = vec![("read by in-tree", in_tree), ("read by module", !in_tree), ("kernel module", !in_tree)];
    if !in_tree {
        // A small kernel of our own need not have what these want.
        wanted.extend([("read by bpf", true), ("restore -- COMMAND", true), ("restore --pid PID", true)]);
        ensure!(output.status.success(), "{}", output.status);
    }
    for (way, works) in wanted {
        let found = ways.as_array().context("an array")?.iter().find(|found| found["way"] == way);
        let found = found.with_context(|| format!("no {way}: {ways}"))?;
        ensure!(found["works"] == works, "{found}");
        if way == "kernel module" {
            let want = if in_tree { "not needed".to_owned() } else { version()? };
            ensure!(found["why"].as_str().is_some_and(|why| why.contains(&want)), "{found}");
        }
    }
    Ok(())
}

/// The loaded module's version.
fn version() -> Result<String> {
    Ok(std::fs::read_to_string("/sys/module/semundo/version")?.trim().to_owned())
}
