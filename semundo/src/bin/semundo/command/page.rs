//! `semundo completions` and `semundo man`

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;

pub fn completions(shell: Shell) -> Result<()> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "semundo", &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}

pub fn man(subcommand: Option<&str>) -> Result<()> {
    let mut command = Cli::command();
    command.build();
    if let Some(name) = subcommand {
        let found = command.find_subcommand(name).with_context(|| format!("there is no subcommand {name:?}"))?;
        // The page is called after the whole command.
        command = found.clone().display_name(format!("semundo-{name}"));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    io::stdout().write_all(&page)?;
    Ok(())
}
