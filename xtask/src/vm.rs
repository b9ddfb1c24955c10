//! `cargo xtask vm`: boots a suite's stock kernel with the module loaded and runs a command.

use std::fs;
use std::io::{IsTerminal, stdin, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::termios::tcgetwinsize;

use crate::cache::{self, RunDir};
use crate::chroot::Chroot;
use crate::command;
use crate::guest;
use crate::in_tree::{self, Checkers};
use crate::initramfs::{self, Contents, Job};
use crate::kernel::{self, Module};
use crate::progress;
use crate::qemu::{self, Machine, Outputs};
use crate::suite::Suite;

/// What `vm` takes.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask vm                        a shell; leave it with `exit`, or with Ctrl-A X
  cargo xtask vm -- cat /proc/sysvipc/semundo
  cargo xtask vm -- vmtest suite        the tests that run inside
  cargo xtask vm --in-tree -- cat /proc/self/semundo
  cargo xtask vm --in-tree --checked kasan -- vmtest awake
  cargo xtask vm -- sh -c 'dmesg | tail; exit 3'
Its exit status is the command's. /bin holds busybox, vmtest and semundo.")]
pub struct Args {
    /// The Debian suite whose stock kernel boots
    #[arg(long, value_name = "SUITE", default_value = "trixie")]
    kernel: Suite,
    /// Boot the kernel with the patch series of kmod/patches instead, without the module
    #[arg(long)]
    in_tree: bool,
    /// And with these of the kernel's own checkers
    #[arg(long, value_name = "CHECKERS", requires = "in_tree")]
    checked: Option<Checkers>,
    /// The VM's memory [default: 1024, with checkers 3072]
    #[arg(long, value_name = "MiB")]
    memory: Option<u32>,
    /// Stop the VM after this many seconds [default: 600, with checkers 5400; a shell has no limit]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Boot without loading the module (it lies at /semundo.ko)
    #[arg(long)]
    no_load: bool,
    /// What to run in the VM as root; without it, an interactive shell
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Boots as the command line says.
pub fn run(args: &Args) -> Result<ExitCode> {
    let mut boot = Boot::new(args.kernel);
    if args.in_tree {
        boot = boot.in_tree(args.checked);
    }
    boot.memory = args.memory.unwrap_or(boot.memory);
    boot.load &= !args.no_load;
    boot.test_modules = !args.in_tree;
    boot.timeout = args.timeout.map(Duration::from_secs).or(boot.timeout);
    if args.command.is_empty() {
        if !stdin().is_terminal() {
            bail!("a shell needs a terminal; give a command: cargo xtask vm -- COMMAND");
        }
        let size = tcgetwinsize(stdout()).or_else(|_| tcgetwinsize(stdin()));
        let size = size.context("cannot tell the terminal's size")?;
        boot.timeout = args.timeout.map(Duration::from_secs);
        boot.job = Job::Shell(size.ws_row, size.ws_col);
        progress::line("a shell in the VM: leave it with `exit`, or with Ctrl-A X");
    } else {
        boot.job = Job::Command(args.command.clone());
    }
    Ok(ExitCode::from(boot.run(Outputs::ours())?))
}

/// A boot with everything it needs.
pub struct Boot {
    /// The suite whose kernel boots.
    pub suite: Suite,
    /// Memory in MiB.
    pub memory: u32,
    /// Whether the module is loaded before the command runs.
    pub load: bool,
    /// Whether the patched kernel boots, for which there is no module.
    pub in_tree: bool,
    /// The checkers of the patched kernel.
    pub checkers: Option<Checkers>,
    /// Whether the modules that are made for tests are there too.
    pub test_modules: bool,
    /// A kernel's image and a module for it, in place of the suite's kernel and the module that is built for that.
    pub kernel_and_module: Option<(PathBuf, PathBuf)>,
    /// Programs that go to `/tests`.
    pub tests: Vec<PathBuf>,
    /// How long the VM may run.
    pub timeout: Option<Duration>,
    /// What runs.
    pub job: Job,
}

impl Boot {
    /// The usual boot of a suite's kernel.
    pub fn new(suite: Suite) -> Self {
        Self {
            suite,
            memory: 1024,
            load: true,
            in_tree: false,
            checkers: None,
            test_modules: false,
            kernel_and_module: None,
            tests: Vec::new(),
            timeout: Some(Duration::from_secs(600)),
            job: Job::Command(vec!["true".to_owned()]),
        }
    }

    /// The usual boot, for a command.
    pub fn command(suite: Suite, words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned());
        Self { job: Job::Command(words.collect()), ..Self::new(suite) }
    }

    /// The same of the patched kernel, which has no module to load.
    pub fn in_tree(mut self, checkers: Option<Checkers>) -> Self {
        (self.load, self.in_tree, self.checkers) = (false, true, checkers);
        if checkers.is_some() {
            self.memory = 3072;
            self.timeout = Some(Duration::from_secs(5400));
        }
        self
    }

    /// Builds what is missing, boots, and returns the command's exit status.
    pub fn run(&self, outputs: Outputs) -> Result<u8> {
        let run = RunDir::new()?;
        let initramfs = run.file("initramfs");
        let image = self.prepare(&initramfs)?;
        let kernel_log = cache::of(self.suite)?.join("kernel.log");
        let log = run.file("kernel.log");
        let load = if self.load { "" } else { "semundo.load=0" };
        let checkers = self.checkers.map_or("", Checkers::kernel_arguments);
        let machine = Machine {
            image: &image,
            initramfs: &initramfs,
            memory: self.memory,
            processors: 2,
            kernel_arguments: &format!("{load} {checkers}"),
            kernel_log: &log,
            status: run.file("status"),
            timeout: self.timeout,
            interactive: matches!(self.job, Job::Shell(..)),
        };
        let status = qemu::run(&machine, outputs);
        // The newest log stays; a run's own file keeps two runs at once apart.
        let _ = fs::copy(&log, &kernel_log);
        status.map_err(|error| {
            let last = command::tail(&kernel_log);
            let all = kernel_log.display();
            anyhow!("{error:#}\nThe kernel's last lines:\n{last}\n(all of them: {all})")
        })
    }

    /// Writes the initramfs and returns the kernel's image.
    fn prepare(&self, initramfs: &Path) -> Result<PathBuf> {
        let _lock = cache::lock(self.suite)?;
        let chroot = Chroot::prepare(self.suite)?;
        let programs = guest::build()?;
        let mut files = vec![(programs.vmtest, "bin/vmtest".to_owned()), (programs.semundo, "bin/semundo".to_owned())];
        if let Some((_, module)) = &self.kernel_and_module {
            files.push((module.clone(), "semundo.ko".to_owned()));
        } else if !self.in_tree {
            let module = kernel::module(self.suite, &chroot, Module::Real)?;
            files.push((module, "semundo.ko".to_owned()));
        }
        for test in &self.tests {
            let name = test.file_name().context("a test program has no name")?;
            files.push((test.clone(), format!("tests/{}", name.to_string_lossy())));
        }
        if self.test_modules {
            for (which, name) in [(Module::WrongLayout, "wrong-layout"), (Module::NoSemop, "no-semop")] {
                let module = kernel::module(self.suite, &chroot, which)?;
                files.push((module, format!("semundo-{name}.ko")));
            }
        }
        let contents = Contents { programs: files, trees: Vec::new(), job: self.job.clone() };
        initramfs::write(initramfs, &contents)?;
        match &self.kernel_and_module {
            Some((image, _)) => Ok(image.clone()),
            None if self.in_tree => in_tree::image(self.suite, &chroot, self.checkers),
            None => kernel::image(&chroot),
        }
    }
}
