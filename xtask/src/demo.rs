//! `cargo xtask demo`: the story of an undo list, on a stock kernel, every value checked.

use std::process::ExitCode;

use anyhow::Result;

use crate::qemu::Outputs;
use crate::suite::Suite;
use crate::vm::Boot;

/// What `demo` takes.
#[derive(clap::Args)]
pub struct Args {
    /// The Debian suite whose stock kernel boots
    #[arg(long, value_name = "SUITE", default_value = "trixie")]
    kernel: Suite,
}

/// Boots and tells the story; fails where one value is not right.
pub fn run(args: &Args) -> Result<ExitCode> {
    let status = Boot::command(args.kernel, &["vmtest", "demo"]).run(Outputs::ours())?;
    Ok(ExitCode::from(status))
}
