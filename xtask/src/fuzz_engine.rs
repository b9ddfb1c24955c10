//! `cargo xtask fuzz-engine`: random programs on the engine and on the running kernel, until they differ or the time is over.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::command;

/// What `fuzz-engine` takes.
#[derive(clap::Args)]
#[command(after_help = "\
It takes root, and BPF to read undo lists themselves. The seed is printed; where the engine differs from the kernel, so is
the program, shortened, and the command that runs it again. The step host-tests runs 20,000 programs of one seed.")]
pub struct Args {
    /// For how long
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// What programs are made from [default: another one each time]
    #[arg(long)]
    seed: Option<u64>,
    /// The number of the first program
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many programs at most [default: no limit]
    #[arg(long)]
    programs: Option<u64>,
}

/// Builds the package `enginetest` and runs its program.
pub fn run(args: &Args) -> Result<ExitCode> {
    let mut cargo = command::cargo();
    cargo.args(["run", "--quiet", "-p", "enginetest", "--"]);
    cargo.args(["--minutes", &args.minutes.to_string(), "--first", &args.first.to_string()]);
    for (name, value) in [("--seed", args.seed), ("--programs", args.programs)] {
        cargo.args(value.into_iter().flat_map(|value| [name.to_owned(), value.to_string()]));
    }
    let status = command::die_with_us(&mut cargo).status().context("cannot run cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
