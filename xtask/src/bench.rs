//! `cargo xtask bench`: runs benchmark groups and writes their report.

mod criu;
mod load;
mod rcu;
mod seqfile;
mod source;

use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::bench_report::{self, Bar, Measurement, Sense};
use crate::cache;
use crate::command;
use crate::progress::{Step, say};
use crate::qemu::Outputs;
use crate::suite::Suite;
use crate::vm::Boot;

/// What `bench` takes.
#[derive(clap::Args)]
#[command(after_help = "\
Groups: criu, kernel-read, kernel-write, load, rcu, seqfile, source. The group load also makes a page,
target/bench/load.html.
Bars that are not met are shown, and do not make it fail.")]
pub struct Args {
    /// The groups to run [default: all]
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,

    /// Make docs/load.svg anew, the plot that the README shows (with the group load)
    #[arg(long)]
    readme: bool,
}

/// A benchmark group.
struct Group {
    name: &'static str,
    measure: fn() -> Result<Vec<Measurement>>,
    bars: fn(&[Measurement]) -> Vec<Bar>,
}

/// All groups.
const GROUPS: &[Group] = &[
    Group {
        name: "kernel-read",
        measure: || in_vm("kernel-read"),
        bars: |all| {
            let (ours, kernel) = (("sets-32000", "semundo", 1), ("sets-32000", "sysvipc-sem", 1));
            vec![bench_report::ratio(all, ours, kernel, Sense::AtMost, 1.0)]
        },
    },
    Group { name: "kernel-write", measure: || in_vm("kernel-write"), bars: kernel_write_bars },
    Group { name: "criu", measure: criu::measure, bars: criu::bars },
    Group { name: "load", measure: load::measure, bars: load::bars },
    Group { name: "rcu", measure: rcu::measure, bars: rcu::bars },
    Group { name: "seqfile", measure: seqfile::measure, bars: seqfile::bars },
    Group { name: "source", measure: source::measure, bars: source::bars },
];

/// A write is not slower than the library, which does the same from user space, and readers do not slow down who they read.
fn kernel_write_bars(all: &[Measurement]) -> Vec<Bar> {
    let mut bars = Vec::new();
    for case in ["restore-1", "restore-100", "restore-10000"] {
        bars.push(bench_report::ratio(all, (case, "write", 1), (case, "library", 1), Sense::AtMost, 1.0));
    }
    for case in ["hammer-simple", "hammer-complex"] {
        for readers in ["readers", "own-readers"] {
            bars.push(bench_report::ratio(all, (case, readers, 2), (case, "alone", 2), Sense::AtLeast, 0.95));
        }
    }
    bars
}

/// Runs the groups, writes the two files and prints the two tables.
pub fn run(args: &Args) -> Result<ExitCode> {
    let (mut all, mut bars) = (Vec::new(), Vec::new());
    let groups = select(&args.groups)?;
    let load = |group: &&Group| group.name == "load";
    if args.readme && !groups.iter().any(load) {
        bail!("--readme takes the plot of the group load, which is not among the groups");
    }
    for group in groups {
        let measured = (group.measure)()?;
        if measured.is_empty() {
            bail!("group {} measured nothing", group.name);
        }
        bars.extend((group.bars)(&measured));
        all.extend(measured);
    }
    write("report.json", &all)?;
    write("bars.json", &bars)?;
    if args.readme {
        load::update_readme()?;
    }
    let (of_load, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|m| m.group == "load");
    if !others.is_empty() {
        say(&bench_report::measurement_table(&others));
    }
    if !of_load.is_empty() {
        say(&load::table(&of_load));
    }
    say(bench_report::bar_table(&bars).trim_end());
    Ok(ExitCode::SUCCESS)
}

fn select(names: &[String]) -> Result<Vec<&'static Group>> {
    if names.is_empty() {
        return Ok(GROUPS.iter().collect());
    }
    let find = |name: &String| {
        let known = || GROUPS.iter().map(|group| group.name).collect::<Vec<_>>();
        GROUPS
            .iter()
            .find(|group| group.name == name)
            .with_context(|| format!("no benchmark group {name:?}; there are: {}", known().join(", ")))
    };
    names.iter().map(find).collect()
}

/// Runs a group's measuring program on this machine and takes its figures.
fn by_program(group: &str, duration: &str, program: &mut Command) -> Result<Vec<Measurement>> {
    let step = Step::new(&format!("measure {group} (some {duration})"));
    let out = command::die_with_us(program).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    drop(step);
    let out = out.with_context(|| format!("cannot run {}", program.get_program().display()))?;
    let output = String::from_utf8_lossy(&out.stdout);
    if !out.status.success() {
        bail!("{output}\ngroup {group} failed: {}", out.status);
    }
    bench_report::measurements(&output).with_context(|| format!("group {group} printed a bad measurement:\n{output}"))
}

fn in_vm(group: &str) -> Result<Vec<Measurement>> {
    let output = Arc::new(Mutex::new(Vec::new()));
    let collected = Arc::clone(&output);
    let outputs = Outputs {
        stdout: Box::new(move |bytes| {
            collected.lock().expect("no writer panics").extend_from_slice(bytes);
            Ok(())
        }),
        ..Outputs::ours()
    };
    let mut boot = Boot::command(Suite::Trixie, &["vmtest", "bench", group]);
    boot.timeout = Some(Duration::from_secs(1800));
    let step = Step::new(&format!("measure {group} in the VM"));
    let status = boot.run(outputs);
    drop(step);
    let output = output.lock().expect("no writer panics");
    let output = String::from_utf8_lossy(&output);
    match status {
        Ok(0) => bench_report::measurements(&output)
            .with_context(|| format!("group {group} printed a bad measurement:\n{output}")),
        Ok(status) => bail!("{output}\ngroup {group} failed: exit status {status}"),
        Err(error) => Err(error.context(format!("{output}\ngroup {group} failed"))),
    }
}

fn write(name: &str, rows: &impl Serialize) -> Result<()> {
    let path = cache::make_dir(&cache::root().join("target/bench"))?.join(name);
    let text = serde_json::to_string_pretty(rows)? + "\n";
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args as _;

    #[test]
    fn groups_are_chosen_by_name_and_all_by_default() {
        assert_eq!(select(&[]).unwrap().len(), GROUPS.len());
        let one = select(&["kernel-read".to_owned()]).unwrap();
        assert_eq!(one[0].name, "kernel-read");
        let error = select(&["nothing".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("kernel-read"), "{error}");
    }

    #[test]
    fn the_help_names_every_group() {
        let command = Args::augment_args(clap::Command::new("bench"));
        let help = command.get_after_help().map(ToString::to_string).unwrap();
        assert!(GROUPS.iter().all(|group| help.contains(group.name)));
    }
}
