//! `cargo xtask kernel`: a suite's stock kernel, and the module built for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::chroot::{Bind, Chroot};
use crate::command;
use crate::in_tree::{self, Checkers};
use crate::sources;
use crate::suite::Suite;

/// What `kernel` takes.
#[derive(clap::Args)]
pub struct Args {
    /// The Debian suite whose stock kernel to build for
    #[arg(long, value_name = "SUITE", default_value = "trixie")]
    kernel: Suite,
    /// Build the test module whose layout mirror is wrong on purpose
    #[arg(long)]
    wrong_layout: bool,
    /// Build the kernel with the patch series of kmod/patches instead
    #[arg(long, conflicts_with = "wrong_layout")]
    in_tree: bool,
    /// And with these of the kernel's own checkers
    #[arg(long, value_name = "CHECKERS", requires = "in_tree")]
    checked: Option<Checkers>,
}

/// Builds the module or the kernel and prints where it is.
pub fn run(args: &Args) -> Result<ExitCode> {
    let _lock = cache::lock(args.kernel)?;
    let chroot = Chroot::prepare(args.kernel)?;
    if args.in_tree {
        println!("{}", in_tree::image(args.kernel, &chroot, args.checked)?.display());
        return Ok(ExitCode::SUCCESS);
    }
    let which = if args.wrong_layout { Module::WrongLayout } else { Module::Real };
    println!("{}", module(args.kernel, &chroot, which)?.display());
    Ok(ExitCode::SUCCESS)
}

/// Which module is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Module {
    /// The real one.
    Real,
    /// One whose layout mirror is wrong on purpose: loading must be refused.
    WrongLayout,
    /// One that does not find the kernel's semop: it is read, and cannot be written.
    NoSemop,
}

impl Module {
    /// The name of one that is made for a test, and the variable that makes it.
    fn for_test(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Real => None,
            Self::WrongLayout => Some(("wrong-layout", "SEMUNDO_TEST_WRONG_LAYOUT=1")),
            Self::NoSemop => Some(("no-semop", "SEMUNDO_TEST_NO_SEMOP=1")),
        }
    }
}

/// The stock kernel's image.
pub fn image(chroot: &Chroot) -> Result<PathBuf> {
    let version = version(chroot)?;
    let places = ["boot/vmlinuz-VERSION", "usr/lib/modules/VERSION/vmlinuz"];
    let mut images = places.iter().map(|place| chroot.root().join(place.replace("VERSION", &version)));
    images
        .find(|image| image.exists())
        .with_context(|| format!("no image of kernel {version} in {}", chroot.root().display()))
}

/// Builds the module against the stock kernel's headers. The caller holds the suite's lock.
pub fn module(suite: Suite, chroot: &Chroot, which: Module) -> Result<PathBuf> {
    let dir = cache::of(suite)?.join("module-build");
    let version = version(chroot)?;
    let what = format!("build the module for {} ({version})", suite.facts().name);
    sources::sync(&dir)?;
    let module = make(&what, chroot, &dir, &version, &[])?;
    let Some((name, variable)) = which.for_test() else {
        return Ok(module);
    };
    // Only the C half differs: a copy of the build spares compiling all the Rust again.
    let copy = dir.with_file_name(format!("module-build-{name}"));
    let made_from = copy.with_extension("made-from");
    let stamp = format!("{:?}", fs::metadata(&module)?.modified()?);
    if !copy.exists() || fs::read_to_string(&made_from).ok().as_ref() != Some(&stamp) {
        remove(&copy)?;
        command::output(Command::new("cp").arg("-a").args([&dir, &copy]))?;
        fs::write(&made_from, stamp).context("cannot write a stamp")?;
    }
    make(&format!("{what}, {name}"), chroot, &copy, &version, &[variable])
}

/// Runs make in a copy of the sources and returns the module.
fn make(what: &str, chroot: &Chroot, dir: &Path, version: &str, variables: &[&str]) -> Result<PathBuf> {
    let kdir = format!("KDIR=/lib/modules/{version}/build");
    let jobs = format!("-j{}", thread::available_parallelism().map_or(1, usize::from));
    let make = [&["make", &jobs, "-C", "/build/kmod", &kdir], variables].concat();
    let build = Bind { host: dir, inside: "/build", writable: true };
    let log = dir.with_extension("log");
    command::run(what, &mut chroot.command(&[build], &make)?, &log)?;
    refuse_warnings(dir, &log, |_| true)?;
    let module = dir.join("kmod/semundo.ko");
    if !module.exists() {
        bail!("make -C kmod made no semundo.ko (its output: {})", log.display());
    }
    Ok(module)
}

/// The version of the one kernel in the chroot.
fn version(chroot: &Chroot) -> Result<String> {
    let sources = chroot.root().join("usr/src");
    let entries = fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    headers_version(names).context("the chroot holds no linux-headers for amd64")
}

fn headers_version(names: impl IntoIterator<Item = String>) -> Option<String> {
    names.into_iter().find_map(|name| {
        let version = name.strip_prefix("linux-headers-")?;
        version.ends_with("-amd64").then(|| version.to_owned())
    })
}

/// Fails where a build's log has warnings of ours, and then removes the build.
pub fn refuse_warnings(dir: &Path, log: &Path, ours: impl Fn(&str) -> bool) -> Result<()> {
    let text = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let warnings: Vec<_> = warnings(&text).into_iter().filter(|line| ours(line)).collect();
    if warnings.is_empty() {
        return Ok(());
    }
    // What is up to date would not warn again: the next build must start afresh.
    remove(dir)?;
    bail!("the build warns:\n{}\n(all of it: {})", warnings.join("\n"), log.display());
}

/// Removes a directory, where it is there.
pub fn remove(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    Ok(())
}

/// The lines in which gcc, rustc, objtool or modpost warn.
fn warnings(log: &str) -> Vec<&str> {
    log.lines()
        .filter(|line| {
            let line = line.to_ascii_lowercase();
            line.contains("warning:") || line.starts_with("warning[")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_flavours_not_the_common_headers() {
        let names = ["linux-kbuild-6.12", "linux-headers-6.12.1-common"];
        let names = names.map(str::to_owned);
        assert_eq!(headers_version(names.clone()), None);
        let more = "linux-headers-6.12.1+deb13-amd64".to_owned();
        let found = headers_version(names.into_iter().chain([more]));
        assert_eq!(found.as_deref(), Some("6.12.1+deb13-amd64"));
    }

    #[test]
    fn every_tools_warning_is_found_and_the_btf_message_is_none() {
        let log = "  CC [M]  a.o\n\
                   a.c:1:2: warning: unused\n\
                   warning: unused import: `x`\n\
                   WARNING: modpost: missing MODULE_LICENSE()\n\
                   a.o: warning: objtool: f() falls through\n\
                   Skipping BTF generation for a.ko due to unavailability of vmlinux\n";
        assert_eq!(warnings(log).len(), 4);
    }
}
