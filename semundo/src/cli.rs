//! The command line, from which help, completions and manual page are made.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
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
    /// Show live who holds which semaphore
    ///
    /// One row a semaphore and undo list: the process (PID+N: N more share the list), its name, the set and its key, the
    /// semaphore's number in the set, what the process's exit adds to it, its value now and then, and the other holders. New
    /// rows, changed numbers and rows that are gone are marked +, * and - for a while; ? shows the keys. Where standard output
    /// is no terminal, tables are printed.
    Watch(WatchArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// What to watch and how.
#[derive(Args)]
pub struct WatchArgs {
    /// Only the lists of these processes, in whatever IPC namespace they are
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub pids: Vec<i32>,
    /// The seconds from one reading to the next, at least 0.1
    #[arg(long, short = 'n', value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub interval: Duration,
    /// Lists of all IPC namespaces, not only of one's own, with a column NS
    #[arg(long)]
    pub all: bool,
    /// End after so many readings
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

/// Seconds, from a tenth to a day.
fn interval(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(0.1..=86400.0).contains(&seconds) {
        return Err("not from 0.1 to 86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn intervals() {
        assert_eq!(interval("0.1"), Ok(Duration::from_millis(100)));
        assert_eq!(interval("2"), Ok(Duration::from_secs(2)));
        for wrong in ["0", "0.09", "-1", "x", "", "nan", "inf", "1e9"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
