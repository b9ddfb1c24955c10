//! Running other programs: captured into a log file, and never outliving us.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write, pipe};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::cache;
use crate::progress::Step;

/// How many of a log's last lines an error shows.
const TAIL_LINES: usize = 40;

/// Makes the program die with the thread that spawns it, however that ends (`prctl(2)`,
/// PR_SET_PDEATHSIG).
pub fn die_with_us(command: &mut Command) -> &mut Command {
    // SAFETY: between fork and exec the closure makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            Ok(())
        })
    }
}

/// Runs a program to its end with both outputs in `log`; true if it succeeded.
pub fn succeeds(step: &Step, command: &mut Command, log: &Path) -> Result<bool> {
    succeeds_into(step, command, &mut create(log)?)
}

/// Creates a log file, and its directory.
pub fn create(log: &Path) -> Result<File> {
    if let Some(dir) = log.parent() {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    }
    File::create(log).with_context(|| format!("cannot create {}", log.display()))
}

/// Runs a program to its end with both outputs in an open log; true if it succeeded.
///
/// The log is written by whole lines.
pub fn succeeds_into(step: &Step, command: &mut Command, log: &mut impl Write) -> Result<bool> {
    let (reader, writer) = pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child =
        die_with_us(command).spawn().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    // The command holds the pipe's writing ends; reading ends only once they are closed.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        log.write_all(&line)?;
        step.note(&String::from_utf8_lossy(&line));
        line.clear();
    }
    Ok(child.wait()?.success())
}

/// Runs a program as one announced step; where it fails the error shows the end of its log.
pub fn run(what: &str, command: &mut Command, log: &Path) -> Result<()> {
    let step = Step::new(what);
    if succeeds(&step, command, log)? {
        return Ok(());
    }
    drop(step);
    bail!("{what}: failed\n{}\n(all of it: {})", tail(log), log.display());
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(cache::root());
    cargo
}

/// A program's standard output, where it succeeds.
pub fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let out = die_with_us(command).stdin(Stdio::null()).output().with_context(|| format!("cannot run {program}"))?;
    if !out.status.success() {
        let why = String::from_utf8_lossy(&out.stderr);
        bail!("{program}: {}: {}", out.status, why.trim());
    }
    String::from_utf8(out.stdout).with_context(|| format!("{program}: its output is not UTF-8"))
}

/// The last lines of a file, however it is encoded.
pub fn tail(file: &Path) -> String {
    let bytes = fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
