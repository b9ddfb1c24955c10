//! The command line, from which help, completions and manual pages are made.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

const EXIT_STATUS: &str = "\
Exit status: 0 done; 1 not done, and nothing is changed; 2 wrong use; 3 changes were made and could not be taken back, the message \
says which. `restore FILE -- COMMAND` ends as COMMAND does.";

/// See, save and restore the undo lists of System V semaphores
///
/// A process that does semop(2) with SEM_UNDO has an undo list: adjustments that the kernel adds to the semaphores when the
/// process ends. This command reads those lists (on a stock kernel with BPF, as root), keeps them in files, and puts them into
/// the list of a new process or of one that runs.
#[derive(Parser)]
#[command(name = "semundo", version, after_long_help = EXIT_STATUS)]
pub struct Cli {
    /// Read undo lists this way only [default: the first that works]
    #[arg(long, global = true, value_name = "WAY")]
    pub source: Option<SourceName>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The ways to read undo lists.
#[derive(Clone, Copy, ValueEnum)]
pub enum SourceName {
    /// The files of a kernel with the patch series: /proc/PID/semundo
    InTree,
    /// The table of the kernel module: /proc/sysvipc/semundo
    Module,
    /// A BPF iterator, which needs no change of the kernel
    Bpf,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// List who holds what: one row an undo list and semaphore
    ///
    /// Columns: PID (PID+N: N more processes share the list), COMMAND, SEMID, KEY, SEM (the semaphore's number in its set), ADJ (what the
    /// end of the process adds), NOW (the semaphore's value), AFTER (its value after that end), OTHERS (other processes with an
    /// adjustment of this semaphore). A value never gets below 0 or above 32767.
    Ls(Ls),
    /// Show the undo list of one process, as /proc/PID/semundo would
    ///
    /// One line a semaphore set: its id, then one adjustment a semaphore.
    Show(Show),
    /// Save undo lists, with what is needed to verify their sets, in a file
    ///
    /// The lists are exact together if the processes stand still: stop or freeze them first. Nothing is changed, unless --clear is given.
    Save(Save),
    /// Put a saved undo list into a new process or into one that runs
    ///
    /// No semaphore's value changes. Everything is checked first (the sets exist, and have the size and key that they had), then all is
    /// done or nothing. Sets that the file does not name keep the adjustments that they have.
    Restore(Restore),
    /// Show live who holds which semaphore
    ///
    /// One row a semaphore and undo list, as `semundo ls`. New rows, changed numbers and rows that are gone are marked +, * and - for
    /// a while; ? shows the keys. Where standard output is no terminal, tables are printed.
    Watch(Watch),
    /// Tell which ways to read and to restore work here, and what would make the others work
    ///
    /// Exit status 0 if undo lists can be read and restored.
    Check {
        /// Print a JSON array of objects
        #[arg(long)]
        json: bool,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print a manual page
    Man {
        /// The page of one subcommand
        subcommand: Option<String>,
    },
}

/// `semundo ls`
#[derive(Args)]
pub struct Ls {
    /// Only these processes, in whichever IPC namespace [default: all in the caller's IPC namespace]
    #[arg(value_name = "PID", value_parser = pid())]
    pub pids: Vec<i32>,
    /// All IPC namespaces
    #[arg(long, conflicts_with = "pids")]
    pub all: bool,
    /// Print a JSON array of objects
    #[arg(long)]
    pub json: bool,
}

/// `semundo show`
#[derive(Args)]
pub struct Show {
    /// The process [default: this one, whose list is that of the process that executed it: exec semundo show]
    #[arg(value_parser = pid())]
    pub pid: Option<i32>,
    /// The list of this thread of it [default: that of its first thread that has one]
    #[arg(long, value_name = "TID", requires = "pid", value_parser = pid())]
    pub thread: Option<i32>,
    /// Print a JSON array of objects
    #[arg(long)]
    pub json: bool,
}

/// `semundo save`
#[derive(Args)]
pub struct Save {
    #[command(flatten)]
    pub processes: Processes,
    /// Write to this file, which is replaced when all is written [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Then take the adjustments out of the processes, so that their end gives nothing back
    #[arg(long, requires = "output")]
    pub clear: bool,
}

/// Whose lists are saved.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Processes {
    /// These processes
    #[arg(value_name = "PID", value_parser = pid())]
    pub pids: Vec<i32>,
    /// This process and all its descendants
    #[arg(long, value_name = "PID", value_parser = pid())]
    pub tree: Option<i32>,
    /// All processes in the IPC namespace of this one
    #[arg(long, value_name = "PID", value_parser = pid())]
    pub ipc_ns: Option<i32>,
}

/// `semundo restore`
#[derive(Args)]
pub struct Restore {
    /// What `semundo save` wrote; - for standard input
    pub file: PathBuf,
    /// Into this running process
    #[arg(long, value_name = "PID", value_parser = pid(), conflicts_with = "command")]
    pub pid: Option<i32>,
    /// Into the process that this command becomes; it starts when all is restored
    #[arg(last = true, required_unless_present = "pid")]
    pub command: Vec<std::ffi::OsString>,
    /// The list that this process or thread had [default: the file's only one]
    #[arg(long, value_name = "PID", value_parser = pid())]
    pub list: Option<i32>,
    /// Check and plan everything, do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// The set that had the id OLD is now NEW; may be given several times
    #[arg(long, value_name = "OLD=NEW", value_parser = renaming)]
    pub remap: Vec<(i32, i32)>,
    /// Take sets whose key is another than it was
    #[arg(long)]
    pub force: bool,
    /// Say nothing unless it fails
    #[arg(short, long)]
    pub quiet: bool,
}

/// `semundo watch`
#[derive(Args)]
pub struct Watch {
    /// Only the lists of these processes, in whichever IPC namespace [default: all in the caller's IPC namespace]
    #[arg(value_name = "PID", value_parser = pid())]
    pub pids: Vec<i32>,
    /// The seconds from one reading to the next, at least 0.1
    #[arg(long, short = 'n', value_name = "SECONDS", default_value = "1", value_parser = interval)]
    pub interval: Duration,
    /// All IPC namespaces
    #[arg(long, conflicts_with = "pids")]
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

fn pid() -> clap::builder::RangedI64ValueParser<i32> {
    clap::value_parser!(i32).range(1..)
}

fn renaming(text: &str) -> Result<(i32, i32), String> {
    let id = |text: &str| text.parse().ok().filter(|id| *id >= 0);
    let parts = text.split_once('=').and_then(|(old, new)| Some((id(old)?, id(new)?)));
    parts.ok_or_else(|| "two identifiers of sets are wanted: OLD=NEW".to_owned())
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

    #[test]
    fn renamings() {
        assert_eq!(renaming("3=40"), Ok((3, 40)));
        for wrong in ["", "3", "3=", "=4", "-1=2", "3=4=5", "3=99999999999"] {
            assert!(renaming(wrong).is_err(), "{wrong}");
        }
    }
}
