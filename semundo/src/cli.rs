//! The command line, from which help, completions and manual page are made.

use clap::{Parser, Subcommand};
use clap_complete::Shell;

/// Show what the exit of processes will give back to System V semaphores.
///
/// A process that does semop(2) with SEM_UNDO has an undo list: adjustments that the kernel adds to the semaphores when the
/// process exits. This command reads those lists from the files of the kernel module semundo.
#[derive(Parser)]
#[command(name = "semundo", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// List the undo lists of all processes that you may trace
    ///
    /// One row a semaphore set and list: the set, the process, the lowest thread id that shares the list, the command's name,
    /// and one adjustment a semaphore of the set.
    Ls {
        /// Print a JSON array of objects
        #[arg(long)]
        json: bool,
    },
    /// Show the undo list of one process
    ///
    /// Without PID it is the command's own list, which is empty unless a process that has one executes the command
    /// (`exec semundo show`): one line a set, the set's id and one adjustment a semaphore.
    Show {
        /// The process, by its process id
        #[arg(value_parser = clap::value_parser!(i32).range(1..))]
        pid: Option<i32>,
        /// Print a JSON array of objects
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
