//! The `semundo` command: shows what the exit of processes will give back to System V semaphores.

mod cli;
mod print;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser};
use semundo::proc;

use cli::{Cli, Command};

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("semundo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match command {
        Command::Ls { json } => {
            let rows = print::with_commands(proc::table()?);
            if json { print::json(&rows, &mut out)? } else { print::table(&rows, &mut out)? }
        }
        Command::Show { pid: None, json } => {
            let own = proc::own()?;
            if json { print::json(&own, &mut out)? } else { print::list(&own, &mut out)? }
        }
        Command::Show { pid: Some(pid), json } => {
            let mut rows = proc::table()?;
            rows.retain(|row| row.pid == pid);
            let rows = print::with_commands(rows);
            if json { print::json(&rows, &mut out)? } else { print::table(&rows, &mut out)? }
        }
        Command::Watch(arguments) => {
            // It writes to the terminal by itself, from more than one thread.
            drop(out);
            return watch::run(&arguments);
        }
        Command::Completions { shell } => {
            // Into memory first: the generator panics where it cannot write.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "semundo", &mut script);
            out.write_all(&script)?;
        }
        Command::Man => clap_mangen::Man::new(Cli::command()).render(&mut out)?,
    }
    out.flush()?;
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}
