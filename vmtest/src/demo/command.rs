//! The second part: the command takes an undo list from a process that dies to one that is started in its place, without the module.

use std::process::{Child as Process, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use semundo::sysv::Op;

use super::{Checks, Named, print_indented};
use crate::process::Child;

const IMAGE: &str = "/tmp/list.semundo";

/// How long the restored process may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn run(checks: &mut Checks<'_>) -> Result<()> {
    let slots = Named::create("slots", &[5, 5])?;
    let set = *slots.set;
    let mut holder = Child::fork(|link| {
        set.op(&[Op::new(0, -2).undo()])?;
        link.go()?;
        link.wait()
    })?;
    holder.link().wait()?;
    let pid = holder.pid().to_string();
    writeln!(checks.out, "\nThe same without the module: the command reads undo lists by BPF.")?;
    writeln!(checks.out, "Process {pid} takes 2 slots, with SEM_UNDO.")?;

    let table = semundo(checks, &["ls"])?;
    checks.that(row_of(&table, &pid) == ["+2", "3", "5"], "it adds 2 at its end: 3 now, 5 then")?;

    semundo(checks, &["save", &pid, "--clear", "-o", IMAGE])?;
    writeln!(checks.out, "kill -9 {pid}")?;
    holder.kill()?;
    slots.print(checks.out)?;
    checks.that(slots.values()? == [3, 5], "nothing is given back: the list is in the file")?;

    let (successor, pid) = restore(checks)?;
    let table = semundo(checks, &["ls"])?;
    checks.that(row_of(&table, &pid) == ["+2", "3", "5"], "another process has it, and no value has changed")?;
    writeln!(checks.out, "kill -9 {pid}")?;
    end(successor)?;
    slots.print(checks.out)?;
    checks.that(slots.values()? == [5, 5], "the end of that one gives back what the first one took")
}

/// The command, shown with what it prints.
fn semundo(checks: &mut Checks<'_>, arguments: &[&str]) -> Result<String> {
    writeln!(checks.out, "semundo {}", arguments.join(" "))?;
    let output = Command::new("semundo").args(["--source", "bpf"]).args(arguments).output().context("semundo")?;
    let (text, message) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    print_indented(&format!("{text}{message}"), checks.out)?;
    ensure!(output.status.success(), "semundo {arguments:?}: {}", output.status);
    Ok(text)
}

/// Starts a program that gets the list, and waits until it has it.
fn restore(checks: &mut Checks<'_>) -> Result<(Process, String)> {
    let arguments = ["restore", IMAGE, "--", "sleep", "1000"];
    writeln!(checks.out, "semundo {} &", arguments.join(" "))?;
    let mut command = Command::new("semundo");
    let mut process = command.args(["--source", "bpf"]).args(arguments).stderr(Stdio::piped()).spawn()?;
    let pid = process.id().to_string();
    let start = Instant::now();
    while std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default() != "sleep\n" {
        if process.try_wait()?.is_some() || start.elapsed() > PATIENCE {
            end(process)?;
            bail!("the list was not restored");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok((process, pid))
}

fn end(mut process: Process) -> Result<()> {
    process.kill()?;
    process.wait()?;
    Ok(())
}

/// The columns ADJ, NOW and AFTER of a process's only row.
fn row_of<'a>(table: &'a str, pid: &str) -> Vec<&'a str> {
    let rows = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let of_process: Vec<_> = rows.filter(|row| row[0] == pid).collect();
    if let [row] = &of_process[..] { row[5..8].to_vec() } else { Vec::new() }
}
