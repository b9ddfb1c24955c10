//! The kernel with the patch series of `kmod/patches`: its source, the patches, a small configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::cache;
use crate::chroot::{self, Bind, Chroot};
use crate::command;
use crate::kernel;
use crate::sources;
use crate::suite::Suite;

/// The suite whose kernel source the series is for.
const SUITE: Suite = Suite::Trixie;

/// What the kernel has beyond `make tinyconfig`.
const CONFIG: &str = include_str!("in_tree.config");

/// Unpacks the source, applies the series and configures.
const PREPARE: &str = r#"
set -e
mkdir /build/linux.half
tar --extract --file "$1" --directory /build/linux.half --strip-components 1
cd /build/linux.half
for patch in /patches/*.patch; do
    echo "$patch"
    patch --strip 1 --fuzz 0 --force --input "$patch"
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
pub fn image(suite: Suite, chroot: &Chroot) -> Result<PathBuf> {
    if suite != SUITE {
        bail!("the patch series is for the kernel of {}", SUITE.facts().name);
    }
    let dir = cache::make_dir(&cache::of(suite)?.join("in-tree"))?;
    let linux = dir.join("linux");
    prepare(chroot, &dir, &linux)?;
    let run = |what: &str, script: &str, log: &Path| run(chroot, &dir, what, &["-c", script], log);
    run("check the patches", &format!("cd /build/linux && {CHECK}"), &dir.join("checkpatch.log"))?;
    sources::sync(&linux.join("ipc/semundo/rust"))?;
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let log = dir.join("build.log");
    run("build the patched kernel (about five minutes)", &format!("make -C /build/linux -j{jobs} bzImage"), &log)?;
    // The compiler's are errors (CONFIG_WERROR); what is left is objtool's.
    kernel::refuse_warnings(&linux, &log, |line| line.contains("ipc/"))?;
    Ok(linux.join("arch/x86/boot/bzImage"))
}

/// Makes the configured tree, unless it is there and made from the same source, patches and configuration.
fn prepare(chroot: &Chroot, dir: &Path, linux: &Path) -> Result<()> {
    let source = source()?;
    let mut recipe = format!("{}\n{CONFIG}", source.display());
    for patch in series()? {
        recipe += &fs::read_to_string(&patch).with_context(|| format!("cannot read {}", patch.display()))?;
    }
    let made_from = linux.join("made-from");
    if fs::read_to_string(&made_from).ok().as_ref() == Some(&recipe) {
        return Ok(());
    }
    let half = dir.join("linux.half");
    kernel::remove(&half)?;
    fs::write(dir.join("config"), CONFIG).context("cannot write the configuration")?;
    let inside = Path::new("/source").join(source.file_name().context("a source without a name")?);
    let inside = inside.display().to_string();
    run(chroot, dir, "unpack and patch the kernel source", &["-c", PREPARE, "sh", &inside], &dir.join("prepare.log"))?;
    fs::write(half.join("made-from"), recipe).context("cannot write what the tree is made from")?;
    kernel::remove(linux)?;
    fs::rename(&half, linux).with_context(|| format!("cannot rename {}", half.display()))
}

/// The suite's kernel source, Debian's own patches included: the archive in its package `linux-source`.
fn source() -> Result<PathBuf> {
    let root = cache::of(SUITE)?.join("linux-source");
    if !root.exists() {
        chroot::extract("fetch the kernel source", SUITE, &["linux-source"], None, &root)?;
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
fn run(chroot: &Chroot, dir: &Path, what: &str, arguments: &[&str], log: &Path) -> Result<()> {
    let (patches, archive) = (patches(), source()?);
    let source = archive.parent().context("a source without a directory")?;
    let binds = [
        Bind { host: dir, inside: "/build", writable: true },
        Bind { host: &patches, inside: "/patches", writable: false },
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
