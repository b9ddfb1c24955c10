//! The kernel with the patch series of `kmod/patches`: its source, the patches, a small configuration; and the same with the
//! kernel's own checkers built in.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::cache;
use crate::chroot::{self, Bind, Chroot};
use crate::command;
use crate::kernel;
use crate::sources;
use crate::suite::Suite;

/// What the kernel has beyond `make tinyconfig`.
const CONFIG: &str = include_str!("in_tree.config");

/// Which of the kernel's own checkers are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Checkers {
    /// KASAN, KFENCE, lockdep, PROVE_RCU, DEBUG_ATOMIC_SLEEP, DEBUG_LIST, kmemleak, and fault injection
    Kasan,
    /// KCSAN on ipc/sem.c and ours
    Kcsan,
}

impl Checkers {
    /// What names them in paths.
    fn name(self) -> &'static str {
        match self {
            Self::Kasan => "kasan",
            Self::Kcsan => "kcsan",
        }
    }

    /// What the kernel has for them.
    fn config(self) -> &'static str {
        match self {
            Self::Kasan => include_str!("in_tree_kasan.config"),
            Self::Kcsan => include_str!("in_tree_kcsan.config"),
        }
    }

    /// What `make` is told: KCSAN takes all of the kernel that does not say otherwise, which is `ipc/` here (`kmod/checks/checked.patch`).
    fn environment(self) -> &'static str {
        match self {
            Self::Kasan => "",
            Self::Kcsan => "KCSAN_SANITIZE=n ",
        }
    }

    /// Words for the kernel's command line: each report is wanted, not the first alone.
    pub fn kernel_arguments(self) -> &'static str {
        match self {
            Self::Kasan => "kasan_multi_shot",
            Self::Kcsan => "",
        }
    }
}

/// Unpacks the source, applies the series and configures.
const PREPARE: &str = r#"
set -e
mkdir /build/linux.half
tar --extract --file "$1" --directory /build/linux.half --strip-components 1
cd /build/linux.half
# What the series says otherwise for this suite, which then needs not fit to the letter.
adapt=/patches/$2.sed
fuzz=2
[ -f "$adapt" ] || { adapt=/dev/null; fuzz=0; }
for patch in /patches/*.patch $3; do
    echo "$patch"
    sed --file "$adapt" "$patch" | patch --strip 1 --fuzz "$fuzz" --force
done
make tinyconfig
cp /build/config fragment
scripts/kconfig/merge_config.sh -m .config fragment
make olddefconfig
grep CONFIG_ fragment | while read -r line; do
    grep -qxF "$line" .config || { echo "Kconfig did not take: $line"; exit 1; }
done
"#;

/// No name signs the series. It names no maintainer either, which the type FILE_PATH_CHANGES would ask for.
const CHECK: &str =
    "exec perl scripts/checkpatch.pl --no-signoff --ignore FILE_PATH_CHANGES --show-types /patches/*.patch";

/// Builds the kernel and returns its image. The caller holds the suite's lock.
pub fn image(suite: Suite, chroot: &Chroot, checkers: Option<Checkers>) -> Result<PathBuf> {
    if suite == Suite::Bookworm {
        bail!("the patch series is for the kernels of trixie and forky");
    }
    let name = checkers.map_or("in-tree".to_owned(), |checkers| format!("in-tree-{}", checkers.name()));
    let dir = cache::make_dir(&cache::of(suite)?.join(name))?;
    let linux = dir.join("linux");
    prepare(suite, chroot, &dir, &linux, checkers)?;
    let run = |what: &str, script: &str, log: &Path| run(suite, chroot, &dir, what, &["-c", script], log);
    run("check the patches", &format!("cd /build/linux && {CHECK}"), &dir.join("checkpatch.log"))?;
    sources::sync(&linux.join("ipc/semundo/rust"))?;
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let log = dir.join("build.log");
    let environment = checkers.map_or("", Checkers::environment);
    let make = format!("{environment}make -C /build/linux -j{jobs} bzImage");
    let what = match checkers {
        None => "build the patched kernel (about five minutes)".to_owned(),
        Some(checkers) => {
            format!("build the patched kernel with {} (about ten minutes)", checkers.name().to_uppercase())
        }
    };
    run(&what, &make, &log)?;
    // The compiler's are errors (CONFIG_WERROR); what is left is objtool's.
    kernel::refuse_warnings(&linux, &log, |line| line.contains("ipc/"))?;
    Ok(linux.join("arch/x86/boot/bzImage"))
}

/// Makes the configured tree, unless it is there and made from the same source, patches and configuration.
fn prepare(suite: Suite, chroot: &Chroot, dir: &Path, linux: &Path, checkers: Option<Checkers>) -> Result<()> {
    let (source, name) = (source(suite)?, suite.facts().name);
    let config = format!("{CONFIG}{}", checkers.map_or("", Checkers::config));
    // A kernel with checkers also has what they are to find (`kmod/checks`), asleep until it is asked for.
    let bugs = checkers.map(|_| "/checks/checked.patch").unwrap_or_default();
    let mut recipe = format!("{}\n{config}", source.display());
    for patch in series()?.into_iter().chain(checkers.map(|_| checks().join("checked.patch"))) {
        recipe += &fs::read_to_string(&patch).with_context(|| format!("cannot read {}", patch.display()))?;
    }
    recipe += &fs::read_to_string(patches().join(format!("{name}.sed"))).unwrap_or_default();
    let made_from = linux.join("made-from");
    if fs::read_to_string(&made_from).ok().as_ref() == Some(&recipe) {
        return Ok(());
    }
    let half = dir.join("linux.half");
    kernel::remove(&half)?;
    fs::write(dir.join("config"), config).context("cannot write the configuration")?;
    let inside = Path::new("/source").join(source.file_name().context("a source without a name")?);
    let inside = inside.display().to_string();
    let arguments = ["-c", PREPARE, "sh", &inside, name, bugs];
    run(suite, chroot, dir, "unpack and patch the kernel source", &arguments, &dir.join("prepare.log"))?;
    fs::write(half.join("made-from"), recipe).context("cannot write what the tree is made from")?;
    kernel::remove(linux)?;
    fs::rename(&half, linux).with_context(|| format!("cannot rename {}", half.display()))
}

/// The suite's kernel source, Debian's own patches included: the archive in its package `linux-source`.
pub fn source(suite: Suite) -> Result<PathBuf> {
    let root = cache::of(suite)?.join("linux-source");
    if !root.exists() {
        chroot::extract("fetch the kernel source", suite, &["linux-source"], None, &root)?;
    }
    let dir = root.join("usr/src");
    let entries = fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    let archive = paths.find(|path| path.to_string_lossy().ends_with(".tar.xz"));
    archive.with_context(|| format!("no archive in {}", dir.display()))
}

fn patches() -> PathBuf {
    cache::root().join("kmod/patches")
}

fn checks() -> PathBuf {
    cache::root().join("kmod/checks")
}

/// The patches in their order.
fn series() -> Result<Vec<PathBuf>> {
    let dir = patches();
    let entries = fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut patches: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "patch")).collect();
    patches.sort();
    Ok(patches)
}

/// Runs a shell in the chroot, with the build directory, the patches and the source in place.
fn run(suite: Suite, chroot: &Chroot, dir: &Path, what: &str, arguments: &[&str], log: &Path) -> Result<()> {
    let (patches, checks, archive) = (patches(), checks(), source(suite)?);
    let source = archive.parent().context("a source without a directory")?;
    let binds = [
        Bind { host: dir, inside: "/build", writable: true },
        Bind { host: &patches, inside: "/patches", writable: false },
        Bind { host: &checks, inside: "/checks", writable: false },
        Bind { host: source, inside: "/source", writable: false },
    ];
    command::run(what, &mut chroot.command(&binds, &[&["sh"], arguments].concat())?, log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_is_numbered_from_one() {
        for (index, patch) in series().unwrap().iter().enumerate() {
            let name = patch.file_name().unwrap().to_string_lossy();
            assert!(name.starts_with(&format!("{:04}-", index + 1)), "{name}");
        }
    }

    #[test]
    fn no_patch_names_an_author() {
        for patch in series().unwrap() {
            let text = fs::read_to_string(&patch).unwrap();
            assert!(!text.contains("\nSigned-off-by:") && !text.contains("From: "), "{}", patch.display());
        }
    }
}
