//! Checkpoints by CRIU: root file systems that hold a suite's CRIU, the plugin and its tests, and the steps that run them.
//!
//! CRIU runs on this very machine, in mount, pid and IPC namespaces of its own.

mod modules;
pub mod vm;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::apt;
use crate::cache::{self, RunDir};
use crate::chroot;
use crate::command;
use crate::guest;
use crate::progress::say;
use crate::suite::Suite;
use crate::test_steps::{Log, Ran};

const ENTER: &str = include_str!("criu/enter.sh");

/// What the root file systems hold: CRIU, and engines that stand on it where the suite has them with checkpoints.
fn packages(suite: Suite) -> &'static [&'static str] {
    match suite {
        Suite::Trixie | Suite::Forky => &["base-files", "criu", "libcriu2", "runc", "crun"],
        Suite::Bookworm => &["base-files", "criu"],
    }
}

/// What runs in a root file system.
const TESTS: &[&str] = &["/criu-tests", "--ignored"];

/// Runs the tests with a suite's CRIU on this machine's kernel.
pub fn on_host(log: &mut Log, suite: Suite) -> Result<Ran> {
    if !apt::is_root() {
        return Ok(Ran::NotRun("CRIU takes root".to_owned()));
    }
    let run = RunDir::new()?;
    let root = with_tests(suite, &run)?;
    let (works, said) = log.run_and_read("| ", &mut root.command(&["criu", "check"]))?;
    if !works {
        return Ok(Ran::NotRun(format!("CRIU does not work on this machine: {}", said.trim())));
    }
    let (succeeded, said) = log.run_and_read("", &mut root.command(TESTS))?;
    tell_what_is_not_tested(&said, suite, "the host's kernel");
    Ok(Ran::Done(succeeded))
}

/// Repeats what the tests left out.
fn tell_what_is_not_tested(said: &str, suite: Suite, kernel: &str) {
    for line in said.lines().filter(|line| line.starts_with("NOT TESTED")) {
        say(&format!("{} (CRIU of {} on {kernel})", line.trim_end(), suite.facts().name));
    }
}

/// A root file system with the tests and what they run.
fn with_tests(suite: Suite, run: &RunDir) -> Result<Root> {
    let root = Root::prepare(suite, run)?;
    root.add(&guest::build_program("semundo", "semundo")?, "usr/bin/semundo")?;
    root.add(&built(&["--example", "answers_first"])?.join("examples/libanswers_first.so"), "other_plugin.so")?;
    let mut tests = guest::build_tests(&["--package", "criu-plugin", "--test", "criu"])?;
    root.add(&tests.pop().context("cargo built no tests of the CRIU plugin")?, "criu-tests")?;
    Ok(root)
}

/// A root file system for one run, with CRIU and the plugin.
pub struct Root(PathBuf);

impl Root {
    /// A new one, with a suite's CRIU.
    pub fn prepare(suite: Suite, run: &RunDir) -> Result<Self> {
        apt::ensure(apt::FOR_VMS)?;
        let root = Self(run.file("root"));
        {
            let _lock = cache::lock(suite)?;
            command::output(Command::new("cp").arg("-a").args([&debian(suite)?, &root.0]))?;
        }
        for dir in ["dev", "mnt", "old", "plugins", "proc", "root", "run", "sys", "tmp"] {
            cache::make_dir(&root.0.join(dir))?;
        }
        root.add(Path::new("/bin/busybox"), "usr/bin/busybox")?;
        root.add(&built(&[])?.join("libsemundo_plugin.so"), "plugins/semundo_plugin.so")?;
        Ok(root)
    }

    /// Copies a file of the host to a place in it.
    pub fn add(&self, from: &Path, to: &str) -> Result<()> {
        let to = self.0.join(to);
        fs::copy(from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
        Ok(())
    }

    /// What runs a command in it, and leaves nothing mounted or running.
    pub fn command(&self, inside: &[&str]) -> Command {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--pid", "--ipc", "--fork", "--kill-child"]);
        unshare.args(["sh", "-c", ENTER, "sh"]).arg(&self.0).args(inside);
        unshare
    }
}

/// The suite's packages, extracted; made where the cache does not hold them. The caller holds the suite's lock.
fn debian(suite: Suite) -> Result<PathBuf> {
    let root = cache::of(suite)?.join("criu");
    let recipe = format!("{} in one usr", packages(suite).join(" "));
    if fs::read_to_string(root.join("recipe")).ok().as_deref() != Some(recipe.as_str()) {
        let what = format!("make the {} root file system with CRIU (some 15 seconds)", suite.facts().name);
        chroot::extract(&what, suite, packages(suite), None, &root)?;
        for dir in ["bin", "sbin", "lib", "lib64"] {
            merge(&root, dir)?;
        }
        fs::write(root.join("recipe"), recipe).context("cannot write the recipe")?;
    }
    Ok(root)
}

/// Makes a directory a link to that of the same name below `usr`, and that hold what both do. Where base-files has no such link, the maintainer
/// script of another package would do that.
fn merge(root: &Path, dir: &str) -> Result<()> {
    let (link, to) = (root.join(dir), root.join("usr").join(dir));
    if link.is_symlink() {
        return Ok(());
    }
    cache::make_dir(&to)?;
    if link.exists() {
        command::output(Command::new("cp").arg("-a").args([link.join("."), to]))?;
        fs::remove_dir_all(&link).with_context(|| format!("cannot remove {}", link.display()))?;
    }
    symlink(format!("usr/{dir}"), &link).with_context(|| format!("cannot make {}", link.display()))
}

/// Builds the plugin as it is installed, or what else of its package is told, and where that lies then.
fn built(what: &[&str]) -> Result<PathBuf> {
    let mut build = command::cargo();
    build.args(["build", "--release", "--package", "criu-plugin"]).args(what);
    command::run("build the CRIU plugin", &mut build, &cache::top()?.join("criu-plugin.log"))?;
    Ok(cache::root().join("target/release"))
}
