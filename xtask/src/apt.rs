//! The Debian packages that the host must have, and the host's own mirror.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::geteuid;

use crate::cache;
use crate::command;

/// The packages that building chroots and booting VMs takes.
pub const FOR_VMS: &[&str] = &["mmdebstrap", "qemu-system-x86", "busybox-static", "git"];

/// The packages that the C peers of `benches` are built with.
pub const FOR_PEERS: &[&str] = &["gcc", "libc6-dev", "liburcu-dev"];

/// The packages that libFuzzer is built with.
pub const FOR_FUZZERS: &[&str] = &["g++", "libc6-dev"];

/// Programs that use SEM_UNDO, and what builds those that Debian does not have.
pub const FOR_PROGRAMS: &[&str] = &["php-cli", "python3-venv", "python3-dev", "gcc", "libc6-dev"];

/// Installs what is missing, or says which one command would.
pub fn ensure(packages: &[&str]) -> Result<()> {
    let missing: Vec<_> = packages.iter().filter(|p| !installed(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.iter().map(|p| **p).collect::<Vec<_>>().join(" ");
    let install = format!("apt-get install -y --no-install-recommends {names}");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("these Debian packages are needed, and this machine has no apt-get: {names}");
    }
    if !is_root() {
        bail!("packages are missing; install them with:\n    sudo {install}");
    }
    let log = cache::top()?.join("apt.log");
    let apt = |what: &str, arguments: &str| {
        command::run(
            what,
            Command::new("apt-get").args(arguments.split(' ').skip(1)).env("DEBIAN_FRONTEND", "noninteractive"),
            &log,
        )
    };
    // Where the lists are absent or stale, fetch them once and try again.
    if apt(&format!("install {names}"), &install).is_err() {
        update()?;
        apt(&format!("install {names}, again"), &install)?;
    }
    Ok(())
}

/// Whether we may install packages and mount.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// The address of the plain Debian repository that this machine itself uses.
pub fn mirror() -> Result<String> {
    if let Some(mirror) = mirror_in(&index_targets()?)? {
        return Ok(mirror);
    }
    update()?;
    mirror_in(&index_targets()?)?
        .context("apt knows no Debian repository of this machine's release (/etc/apt/sources.list)")
}

fn update() -> Result<()> {
    let log = cache::top()?.join("apt.log");
    command::run("apt-get update", Command::new("apt-get").arg("update"), &log)
}

fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]);
    command::output(&mut query).is_ok_and(|status| status == "installed")
}

fn index_targets() -> Result<String> {
    let format = "$(ORIGIN)\t$(CODENAME)\t$(REPO_URI)";
    command::output(Command::new("apt-get").args(["indextargets", "--format", format]))
}

fn mirror_in(targets: &str) -> Result<Option<String>> {
    let release = fs::read_to_string("/etc/os-release").context("cannot read /etc/os-release")?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .context("/etc/os-release has no VERSION_CODENAME")?
        .trim_matches('"');
    Ok(find_mirror(targets, codename))
}

/// Picks the repository of origin Debian whose codename is exactly the host's: not its
/// updates, security or backports.
fn find_mirror(targets: &str, codename: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut fields = line.split('\t');
        let (origin, suite, uri) = (fields.next()?, fields.next()?, fields.next()?);
        (origin == "Debian" && suite == codename && !uri.is_empty()).then(|| uri.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_plain_repository_of_the_hosts_release() {
        let targets = "Debian\tbookworm-security\thttp://a.invalid/debian-security/\n\
                       Node\tbookworm\thttp://b.invalid/\n\
                       Debian\tbookworm\thttp://c.invalid/debian/\n";
        let found = find_mirror(targets, "bookworm");
        assert_eq!(found.as_deref(), Some("http://c.invalid/debian/"));
        assert_eq!(find_mirror(targets, "trixie"), None);
        assert_eq!(find_mirror("", "bookworm"), None);
    }
}
