//! The build chroot of a suite: its kernel, its headers, its compilers.
//!
//! Packages are extracted, not installed: no maintainer script is needed to compile, and
//! skipping them spares most of the time. It is entered in mount and pid namespaces of its own,
//! so nothing stays mounted or running when we are killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::cache;
use crate::command;
use crate::suite::{Rust, Suite};

/// Mounts what a build needs and enters; the arguments are the root, then triples of host path,
/// path inside and mode, then `--` and the command.
const ENTER: &str = r#"
set -e
root=$1; shift
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
    shift 3
done
shift
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
exec chroot "$root" "$@"
"#;

/// The alternatives that builds call, which maintainer scripts would have made.
const ALTERNATIVES: &str = r#"cd "$1/usr/bin" && ln -s mawk awk && ln -s gcc cc"#;

/// A complete chroot.
pub struct Chroot {
    root: PathBuf,
    path: String,
}

/// A host directory shown inside.
pub struct Bind<'a> {
    /// The directory on the host.
    pub host: &'a Path,
    /// Where it appears.
    pub inside: &'a str,
    /// Whether it can be written there.
    pub writable: bool,
}

impl Chroot {
    /// The suite's chroot, made where the cache does not hold it. The caller holds the lock.
    pub fn prepare(suite: Suite) -> Result<Self> {
        if !apt::is_root() {
            bail!("making and entering a build chroot takes root: run it as root, or with sudo");
        }
        apt::ensure(apt::FOR_VMS)?;
        let facts = suite.facts();
        let root = cache::of(suite)?.join("chroot");
        let recipe = format!("{} {ALTERNATIVES}", suite.packages().join(" "));
        if fs::read_to_string(root.join("recipe")).ok().as_deref() != Some(recipe.as_str()) {
            make(suite, &root, &recipe)?;
        }
        let mut path = "/usr/bin:/usr/sbin:/bin:/sbin".to_owned();
        if facts.rust == Rust::Host {
            path = format!("{HOST_RUST}/bin:{path}");
        }
        Ok(Self { root, path })
    }

    /// Its directory on the host.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A command that runs inside, with a clean environment.
    pub fn command(&self, binds: &[Bind], inside: &[&str]) -> Result<Command> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--pid", "--fork", "--kill-child"]);
        unshare.args(["sh", "-c", ENTER, "sh"]).arg(&self.root);
        add_binds(&mut unshare, binds);
        if self.path.starts_with(HOST_RUST) {
            unshare.arg(host_rust()?).args([HOST_RUST, "ro"]);
        }
        unshare.args(["--", "env", "-i", "LC_ALL=C", "HOME=/root"]);
        unshare.arg(format!("PATH={}", self.path)).args(inside);
        Ok(unshare)
    }
}

/// The triples that an entering script takes.
pub fn add_binds(enter: &mut Command, binds: &[Bind]) {
    for bind in binds {
        let mode = if bind.writable { "rw" } else { "ro" };
        enter.arg(bind.host).args([bind.inside, mode]);
    }
}

/// Where the host's toolchain appears inside, for suites whose own is too old.
const HOST_RUST: &str = "/opt/rust";

fn host_rust() -> Result<PathBuf> {
    let sysroot = command::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let sysroot = PathBuf::from(sysroot.trim());
    if !sysroot.join("lib/rustlib/src/rust/library").exists() {
        let mut add = Command::new("rustup");
        add.args(["component", "add", "rust-src"]);
        command::output(&mut add)
            .context("the host's Rust lacks its library source (rustup component add rust-src)")?;
    }
    Ok(sysroot)
}

fn make(suite: Suite, root: &Path, recipe: &str) -> Result<()> {
    let what = format!("make the {} build chroot (about a minute)", suite.facts().name);
    // The recipe comes last: a chroot without it is not taken for a whole one.
    extract(&what, suite, &suite.packages(), Some(ALTERNATIVES), root)?;
    fs::write(root.join("recipe"), recipe).context("cannot write the chroot's recipe")
}

/// Extracts packages, with all that they depend on, to `root` alone; then runs the hook, a script that gets the directory.
pub fn extract(what: &str, suite: Suite, packages: &[&str], hook: Option<&str>, root: &Path) -> Result<()> {
    bootstrap(what, suite, "extract", packages, hook, root)
}

/// Installs packages, with all that they depend on and apt, in `root`.
pub fn install(what: &str, suite: Suite, packages: &[&str], root: &Path) -> Result<()> {
    bootstrap(what, suite, "apt", packages, None, root)
}

fn bootstrap(
    what: &str,
    suite: Suite,
    variant: &str,
    packages: &[&str],
    hook: Option<&str>,
    root: &Path,
) -> Result<()> {
    let facts = suite.facts();
    let half = root.with_extension("half");
    for stale in [root, &half] {
        if stale.exists() {
            fs::remove_dir_all(stale).with_context(|| format!("cannot remove {}", stale.display()))?;
        }
    }
    let mut mmdebstrap = Command::new("unshare");
    mmdebstrap.args(["--mount-proc", "--pid", "--fork", "--kill-child"]);
    mmdebstrap.args(["mmdebstrap", "--format=directory"]).arg(format!("--variant={variant}"));
    for package in packages {
        mmdebstrap.args(["--include", package]);
    }
    if let Some(hook) = hook {
        mmdebstrap.arg(format!("--extract-hook={hook}"));
    }
    for option in facts.apt_options {
        mmdebstrap.arg(format!("--aptopt={option}"));
    }
    // A kernel that comes with its headers needs no initramfs here (initramfs-tools: /etc/kernel/postinst.d).
    mmdebstrap.env("INITRD", "No");
    mmdebstrap.arg(facts.name).arg(&half).arg(apt::mirror()?);
    command::run(what, &mut mmdebstrap, &root.with_extension("log"))?;
    fs::rename(&half, root).with_context(|| format!("cannot rename {}", half.display()))
}
