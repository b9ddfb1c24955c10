//! The programs that run inside the VM, linked statically since nothing else is there.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::cache;
use crate::command;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The built programs.
pub struct Programs {
    /// The test and demonstration program.
    pub vmtest: PathBuf,
    /// The `semundo` command.
    pub semundo: PathBuf,
}

/// Builds them, with glibc inside.
pub fn build() -> Result<Programs> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        bail!("the virtual machines are x86-64: this needs an x86-64 Linux host");
    }
    let target_dir = cache::top()?.join("guest");
    let mut cargo = command::cargo();
    cargo.args(["build", "--release", "--target", TARGET]);
    cargo.args(["--package", "vmtest", "--package", "semundo"]);
    cargo.arg("--target-dir").arg(&target_dir);
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static");
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
    let log = target_dir.with_extension("log");
    command::run("build the guest's programs", &mut cargo, &log)?;
    let release = target_dir.join(TARGET).join("release");
    Ok(Programs { vmtest: release.join("vmtest"), semundo: release.join("semundo") })
}
