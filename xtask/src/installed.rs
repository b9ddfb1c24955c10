//! A Debian with packages installed, maintainer scripts and all, for what needs more than extracted files.
//!
//! Commands run on a layer above it, in memory: what they change is gone when they end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::apt;
use crate::cache;
use crate::chroot::{self, Bind};
use crate::suite::Suite;

/// Makes the layer and enters; the arguments are the root, an empty directory, then triples of host path, path inside and mode, then
/// `--` and the command.
const ENTER: &str = r#"
set -e
root=$1 over=$2; shift 2
mount -t tmpfs tmpfs "$over"
mkdir "$over/upper" "$over/work" "$over/root"
mount -t overlay -o "lowerdir=$root,upperdir=$over/upper,workdir=$over/work" overlay "$over/root"
cd "$over/root"
while [ "$1" != -- ]; do
    mkdir -p ".$2"
    mount --bind "$1" ".$2"
    [ "$3" = rw ] || mount -o remount,bind,ro ".$2"
    shift 3
done
shift
mount -t proc proc proc
mount --bind /dev dev
exec chroot . "$@"
"#;

const SUITE: Suite = Suite::Trixie;

/// What the module needs, what DKMS and Debian's package need, what signs, and what checks C.
const PACKAGES: &[&str] = &[
    "linux-headers-amd64",
    "rustc",
    "rust-src",
    "kmod",
    "dkms",
    "build-essential",
    "debhelper",
    "dh-dkms",
    "openssl",
    "sparse",
    "coccinelle",
    "libpython3-dev",
];

/// A complete one.
pub struct Installed {
    root: PathBuf,
}

impl Installed {
    /// The one that there is, made where the cache does not hold it. The caller holds the suite's lock.
    pub fn prepare() -> Result<Self> {
        if !apt::is_root() {
            bail!("installing packages in a chroot takes root: run it as root, or with sudo");
        }
        apt::ensure(apt::FOR_VMS)?;
        let root = cache::of(SUITE)?.join("installed");
        let recipe = PACKAGES.join(" ");
        if fs::read_to_string(root.join("recipe")).ok().as_deref() != Some(recipe.as_str()) {
            let what = format!("install {} packages (some minutes)", SUITE.facts().name);
            chroot::install(&what, SUITE, PACKAGES, &root)?;
            // It comes last: without it this is not taken for a whole one.
            fs::write(root.join("recipe"), recipe).context("cannot write the recipe")?;
        }
        Ok(Self { root })
    }

    /// A command that runs in it, with a clean environment; `layer` is an empty directory for the layer.
    pub fn command(&self, layer: &Path, binds: &[Bind], inside: &[&str]) -> Command {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--pid", "--fork", "--kill-child"]);
        unshare.args(["sh", "-c", ENTER, "sh"]).args([&self.root, layer]);
        chroot::add_binds(&mut unshare, binds);
        unshare.args(["--", "env", "-i", "LC_ALL=C", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"]);
        unshare.arg("PATH=/usr/sbin:/usr/bin:/sbin:/bin").args(inside);
        unshare
    }
}
