//! The steps of `cargo xtask test`: one table. What needs a VM comes last.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::apt;
use crate::bpf;
use crate::cache;
use crate::chroot::{Bind, Chroot};
use crate::command;
use crate::criu;
use crate::dkms;
use crate::fuzz;
use crate::guest;
use crate::in_tree::Checkers;
use crate::kernel::{self, Module};
use crate::programs;
use crate::progress::Step;
use crate::qemu::{Outputs, Sink};
use crate::shim_checkers;
use crate::suite::Suite;
use crate::vm::Boot;
use crate::{proof, proof_nightly};

/// The packages that build without std, and with the oldest supported Rust.
const CORES: &[&str] = &["-p", "rcu-core", "-p", "seqfile-core", "-p", "semundo-core"];

const NO_STD_TARGET: &str = "x86_64-unknown-none";

/// The suite whose Rust is the oldest supported, and whose kernel the tests boot.
const SUITE: Suite = Suite::Trixie;

/// One step.
pub struct TestStep {
    /// What a filter is matched against.
    pub name: &'static str,
    /// What it does.
    pub work: fn(&mut Log) -> Result<Ran>,
}

/// How a step ended.
pub enum Ran {
    /// It ran, and succeeded or not.
    Done(bool),
    /// It cannot be run here, for this reason.
    NotRun(String),
}

/// All steps in their order.
pub const STEPS: &[TestStep] = &[
    TestStep { name: "fmt", work: |log| log.cargo(&["fmt", "--all", "--check"]) },
    TestStep {
        name: "clippy",
        work: |log| {
            let all = ["clippy", "--workspace", "--all-targets", "--all-features"];
            with_all_features(log, &[&all[..], &["--", "-D", "warnings"]].concat())
        },
    },
    TestStep {
        name: "clippy-no-default-features",
        work: |log| {
            let rest = &["--no-default-features", "--", "-D", "warnings"];
            log.cargo(&[&["clippy"], CORES, rest].concat())
        },
    },
    TestStep {
        name: "doc",
        work: |log| with_all_features(log, &["doc", "--no-deps", "--workspace", "--all-features"]),
    },
    TestStep {
        name: "host-tests",
        work: |log| with_all_features(log, &["test", "--workspace", "--all-features", "--no-fail-fast"]),
    },
    TestStep { name: "programs", work: programs::run },
    TestStep { name: "fuzz", work: fuzz::run },
    TestStep { name: "loom", work: proof::loom },
    TestStep { name: "loom-self-check", work: proof::loom_self_check },
    TestStep { name: "litmus", work: proof::litmus },
    TestStep { name: "litmus-self-check", work: proof::litmus_self_check },
    TestStep { name: "torture", work: proof::torture },
    TestStep { name: "torture-self-check", work: proof::torture_self_check },
    TestStep { name: "miri", work: proof_nightly::miri },
    TestStep { name: "miri-self-check", work: proof_nightly::miri_self_check },
    TestStep { name: "thread-sanitizer", work: proof_nightly::thread_sanitizer },
    TestStep { name: "thread-sanitizer-self-check", work: proof_nightly::thread_sanitizer_self_check },
    TestStep { name: "bpf-object", work: bpf_object },
    TestStep { name: "no-std", work: no_std },
    TestStep { name: "minimum-rust", work: minimum_rust },
    TestStep { name: "module", work: |log| module(log, Module::Real) },
    TestStep { name: "module-wrong-layout", work: |log| module(log, Module::WrongLayout) },
    TestStep { name: "criu", work: |log| criu::on_host(log, SUITE) },
    TestStep { name: "vm-suite", work: |log| vm_suite(log, SUITE) },
    TestStep { name: "vm-command", work: |log| command_in_vm(log, SUITE) },
];

/// Those that are run when they are asked for: they make chroots or kernels of their own.
pub const THOROUGH_STEPS: &[TestStep] = &[
    TestStep { name: "criu-forky", work: |log| criu::on_host(log, Suite::Forky) },
    TestStep { name: "vm-suite-bookworm", work: |log| vm_suite(log, Suite::Bookworm) },
    TestStep { name: "vm-suite-forky", work: |log| vm_suite(log, Suite::Forky) },
    TestStep { name: "vm-criu", work: |log| criu::vm::run(log, SUITE, true) },
    TestStep { name: "vm-criu-bookworm", work: |log| criu::vm::run(log, Suite::Bookworm, false) },
    TestStep { name: "vm-command-bookworm", work: |log| command_in_vm(log, Suite::Bookworm) },
    TestStep { name: "vm-command-forky", work: |log| command_in_vm(log, Suite::Forky) },
    TestStep { name: "dkms", work: dkms::run },
    TestStep { name: "shim-checkers", work: shim_checkers::run },
    TestStep { name: "vm-in-tree", work: |log| in_tree(log, SUITE, None, &["suite"]) },
    TestStep { name: "vm-in-tree-forky", work: |log| in_tree(log, Suite::Forky, None, &["suite"]) },
    TestStep { name: "vm-in-tree-kasan", work: |log| in_tree(log, SUITE, Some(Checkers::Kasan), &["suite"]) },
    TestStep { name: "checkers-awake-kasan", work: |log| in_tree(log, SUITE, Some(Checkers::Kasan), &["awake"]) },
    TestStep { name: "vm-in-tree-kcsan", work: |log| in_tree(log, SUITE, Some(Checkers::Kcsan), KCSAN_SUITE) },
    TestStep { name: "checkers-awake-kcsan", work: |log| in_tree(log, SUITE, Some(Checkers::Kcsan), &["awake"]) },
];

/// The tests in which several work on the same at the same time.
const KCSAN_SUITE: &[&str] = &["suite", "threads", "write races", "exact", "in-tree"];

/// Where a step's output goes.
pub struct Log<'a> {
    step: &'a Step,
    file: File,
}

impl<'a> Log<'a> {
    /// A log that also shows its newest line as the step's progress.
    pub fn new(step: &'a Step, file: File) -> Self {
        Self { step, file }
    }

    /// Runs a program to its end; true if it succeeded.
    pub fn run(&mut self, command: &mut Command) -> Result<bool> {
        command::succeeds_into(self.step, command, &mut self.file)
    }

    /// Runs a program to its end, and also gives what it printed. Each line of that gets `prefix` here: tests that are to fail are not
    /// counted among the step's.
    pub fn run_and_read(&mut self, prefix: &str, command: &mut Command) -> Result<(bool, String)> {
        let mut printed = Printed { file: &self.file, prefix, text: Vec::new() };
        let succeeded = command::succeeds_into(self.step, command, &mut printed)?;
        Ok((succeeded, String::from_utf8_lossy(&printed.text).into_owned()))
    }

    /// Writes a line of our own.
    pub fn line(&mut self, text: &str) -> Result<()> {
        Ok(writeln!(self.file, "{text}")?)
    }

    fn cargo(&mut self, arguments: &[&str]) -> Result<Ran> {
        let mut cargo = command::cargo();
        cargo.args(arguments);
        cargo.env("CARGO_TERM_COLOR", "never");
        cargo.env("RUSTDOCFLAGS", "-D warnings");
        Ok(Ran::Done(self.run(&mut cargo)?))
    }

    /// Where a VM's output goes.
    pub fn sink(&self) -> Result<Sink> {
        let file = Arc::new(Mutex::new(self.file.try_clone()?));
        Ok(Box::new(move |bytes| file.lock().expect("no writer panics").write_all(bytes)))
    }
}

/// Lines on their way to a log, kept as well.
struct Printed<'a> {
    file: &'a File,
    prefix: &'a str,
    text: Vec<u8>,
}

impl Write for Printed<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.file.write_all(self.prefix.as_bytes())?;
        self.file.write_all(line)?;
        self.text.extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Cargo with the features of all packages, one of which wants C libraries and one a C++ compiler.
fn with_all_features(log: &mut Log, arguments: &[&str]) -> Result<Ran> {
    apt::ensure(apt::FOR_PEERS)?;
    apt::ensure(apt::FOR_FUZZERS)?;
    log.cargo(arguments)
}

fn no_std(log: &mut Log) -> Result<Ran> {
    if !has_target(NO_STD_TARGET) {
        let mut add = Command::new("rustup");
        add.args(["target", "add", NO_STD_TARGET]);
        if !matches!(log.run(&mut add), Ok(true)) || !has_target(NO_STD_TARGET) {
            let why = format!("`rustup target add {NO_STD_TARGET}` does not work here");
            return Ok(Ran::NotRun(why));
        }
    }
    let rest: &[&str] = &["--no-default-features", "--target", NO_STD_TARGET];
    if let failed @ Ran::Done(false) = log.cargo(&[&["build"], CORES, rest].concat())? {
        return Ok(failed);
    }
    log.cargo(&[&["build"], CORES, rest, &["--features", "alloc"]].concat())
}

fn has_target(target: &str) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]);
    command::output(&mut rustc).is_ok_and(|dir| Path::new(dir.trim()).exists())
}

/// Checks the cores with the suite's own Rust, offline, with the host's downloaded crates.
fn minimum_rust(log: &mut Log) -> Result<Ran> {
    if let failed @ Ran::Done(false) = log.cargo(&["fetch"])? {
        return Ok(failed);
    }
    let _lock = cache::lock(SUITE)?;
    let chroot = Chroot::prepare(SUITE)?;
    let (root, cargo_home) = (cache::root(), cargo_home()?);
    let target = cache::make_dir(&cache::of(SUITE)?.join("minimum-rust"))?;
    let bind = |host, inside, writable| Bind { host, inside, writable };
    let binds = [bind(&root, "/src", false), bind(&cargo_home, "/cargo", false), bind(&target, "/target", true)];
    let cargo = "cd /src && export CARGO_HOME=/cargo CARGO_TARGET_DIR=/target && \
                 rustc --version && exec cargo check --frozen \"$@\"";
    for features in ["--all-features", "--no-default-features"] {
        let inside = [&["sh", "-c", cargo, "sh"], CORES, &[features]].concat();
        if !log.run(&mut chroot.command(&binds, &inside)?)? {
            return Ok(Ran::Done(false));
        }
    }
    Ok(Ran::Done(true))
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = env::home_dir().context("HOME is not set")?;
    Ok(home.join(".cargo"))
}

/// The committed object is what its source compiles to.
fn bpf_object(log: &mut Log) -> Result<Ran> {
    let same = bpf::is_current()?;
    log.line(if same {
        "the object is as its source"
    } else {
        "the object is not what its source compiles to: cargo xtask bpf"
    })?;
    Ok(Ran::Done(same))
}

fn module(log: &mut Log, which: Module) -> Result<Ran> {
    let _lock = cache::lock(SUITE)?;
    let chroot = Chroot::prepare(SUITE)?;
    let module = kernel::module(SUITE, &chroot, which)?;
    writeln!(log.file, "{}", module.display())?;
    Ok(Ran::Done(true))
}

/// Runs the suite on a suite's stock kernel, for which the module is built without a warning.
fn vm_suite(log: &mut Log, suite: Suite) -> Result<Ran> {
    let mut boot = Boot::command(suite, &["vmtest", "suite"]);
    boot.test_modules = true;
    boot.timeout = Some(Duration::from_secs(1800));
    let outputs = Outputs { stdout: log.sink()?, stderr: log.sink()? };
    Ok(Ran::Done(boot.run(outputs)? == 0))
}

/// Runs vmtest on the patched kernel.
fn in_tree(log: &mut Log, suite: Suite, checkers: Option<Checkers>, arguments: &[&str]) -> Result<Ran> {
    let mut boot = Boot::command(suite, &[&["vmtest"], arguments].concat()).in_tree(checkers);
    boot.timeout = boot.timeout.max(Some(Duration::from_secs(1800)));
    let outputs = Outputs { stdout: log.sink()?, stderr: log.sink()? };
    Ok(Ran::Done(boot.run(outputs)? == 0))
}

/// Runs the tests of the package `semundo` on a suite's stock kernel, without the module.
fn command_in_vm(log: &mut Log, suite: Suite) -> Result<Ran> {
    // What they take for the command lies where it was built.
    let script = "mkdir -p \"${1%/*}\" && ln -s /bin/semundo \"$1\" || exit 1
        failed=0; for test in /tests/*; do echo \"$test\"; \"$test\" --test-threads=1 || failed=1; done; exit $failed";
    let command = guest::build()?.semundo.display().to_string();
    let mut boot = Boot::command(suite, &["sh", "-c", script, "sh", &command]);
    boot.load = false;
    boot.tests = guest::build_tests(&["--package", "semundo"])?;
    boot.timeout = Some(Duration::from_secs(1800));
    let outputs = Outputs { stdout: log.sink()?, stderr: log.sink()? };
    Ok(Ran::Done(boot.run(outputs)? == 0))
}
