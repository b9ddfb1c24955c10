//! The program that runs inside the virtual machine, as root, with the module loaded or on a patched kernel.
//!
//! `vmtest demo` tells the story of one undo list, `vmtest suite [FILTER]...` runs the tests, `vmtest awake` has the kernel's own checkers
//! find bugs, `vmtest bench GROUP` measures.

mod awake;
mod bench;
mod checkers;
mod demo;
mod expect;
mod files;
mod kernel_log;
mod limits;
mod module;
mod process;
mod random;
mod reading;
mod suite;
mod writing;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "usage: vmtest demo | suite [FILTER]... | awake | bench kernel-read|kernel-write";

/// What `vmtest say` adds to an errno to make it its exit status.
const SAY_ERRNO: i32 = 100;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("vmtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything held.
fn run() -> Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["demo"] => demo::run(&mut std::io::stdout()),
        ["suite", ref filters @ ..] => suite::run(filters),
        ["awake"] => awake::run(),
        ["bench", group] => bench::run(group),
        // What a process becomes that execs us, to show the list that it kept.
        ["own"] => {
            std::io::copy(&mut std::fs::File::open(files::own())?, &mut std::io::stdout())?;
            Ok(true)
        }
        // What a process becomes that execs us to say something; an errno becomes the status.
        ["say", text] => match nix::unistd::write(std::io::stdout(), text.as_bytes()) {
            Ok(written) => Ok(written == text.len()),
            Err(errno) => std::process::exit(errno as i32 + SAY_ERRNO),
        },
        _ => bail!(USAGE),
    }
}
