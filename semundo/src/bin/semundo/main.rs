//! The `semundo` command: see, save and restore the undo lists of System V semaphores.

mod cli;
mod columns;
mod command;
mod print;
mod reading;

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use semundo::restore;
use semundo::source::{self, Kind, Source};

use cli::{Cli, Command, SourceName};

/// Not done, and nothing is changed.
const FAILED: u8 = 1;
/// Changes were made and could not be taken back.
const LOST: u8 = 3;

fn main() -> ExitCode {
    let Cli { source, command } = Cli::parse();
    match run(command, source) {
        Ok(status) => status,
        // Whoever read our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("semundo: {error:#}");
            ExitCode::from(if is_lost(&error) { LOST } else { FAILED })
        }
    }
}

fn run(command: Command, source: Option<SourceName>) -> Result<ExitCode> {
    match command {
        Command::Ls(args) => command::ls::run(&args, open(source)?)?,
        Command::Show(args) => command::show::run(&args, &*open(source)?)?,
        Command::Save(args) => command::save::run(&args, &*open(source)?)?,
        Command::Restore(args) => command::restore::run(&args, || open(source))?,
        Command::Watch(args) => command::watch::run(&args, open(source)?)?,
        Command::Check { json } => return command::check::run(json),
        Command::Completions { shell } => command::page::completions(shell)?,
        Command::Man { subcommand } => command::page::man(subcommand.as_deref())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The source that is wanted, or the first that works.
fn open(wanted: Option<SourceName>) -> Result<Box<dyn Source>, source::Error> {
    match wanted {
        None => source::open(),
        Some(SourceName::InTree) => Kind::InTree.open(),
        Some(SourceName::Module) => Kind::Module.open(),
        Some(SourceName::Bpf) => Kind::Bpf.open(),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

fn is_lost(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| matches!(cause.downcast_ref(), Some(restore::Error::Lost { .. })))
}
