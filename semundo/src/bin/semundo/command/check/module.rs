//! What `check` says of the kernel module: whether it is loaded and works, or what stands in its way and what would help.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use semundo::Adjustments;
use semundo::proc;
use semundo::sysv::TempSet;

use crate::print;

/// Writes and reads the module's files, where it is loaded, and says what was found.
pub fn module() -> Result<String> {
    let version = loaded(Path::new("/"))?;
    let set = TempSet::create(3, 0o600).context("a semaphore set for the test")?;
    let line = format!("{} 0 2 -1\n", set.id());
    fs::write(proc::OWN, line)
        .with_context(|| format!("version {version} is loaded, but {} is not written", proc::OWN))?;
    let own = proc::own()?;
    let wanted = Adjustments { semid: set.id(), semadj: vec![0, 2, -1] };
    ensure!(own.contains(&wanted), "{} reads {own:?} where 0 2 -1 was written for set {}", proc::OWN, set.id());
    let lines = proc::table()?.len();
    Ok(format!(
        "version {version} is loaded, {} was restored and read, {} has {}",
        proc::OWN,
        proc::TABLE,
        print::count(lines, "line")
    ))
}

/// The version of the loaded module; an error says why there is none that can be used, and what would help. What the kernel tells
/// is looked up below `root`.
fn loaded(root: &Path) -> Result<String> {
    let read = |path: &str| fs::read_to_string(root.join(path)).map(|text| text.trim().to_owned()).ok();
    let exists = |path: &str| root.join(path.trim_start_matches('/')).exists();
    if let Some(version) = read("sys/module/semundo/version") {
        for file in [proc::OWN, proc::TABLE] {
            ensure!(exists(file), "version {version} is loaded, but there is no {file} (is /proc mounted whole?)");
        }
        return Ok(version);
    }
    if exists("proc/thread-self/semundo") {
        bail!("not loaded, and not needed: the kernel has files of its own");
    }
    if !exists("proc/modules") {
        bail!("not loaded: this kernel loads no modules");
    }
    if read("proc/sys/kernel/modules_disabled").is_some_and(|disabled| disabled != "0") {
        bail!("not loaded: no more modules are loaded until the next boot (kernel.modules_disabled)");
    }
    if !exists("sys/kernel/btf/vmlinux") {
        bail!("not loaded: it refuses to where there is no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)");
    }
    let release = read("proc/sys/kernel/osrelease").unwrap_or_default();
    let installed = read(&format!("lib/modules/{release}/modules.dep")).is_some_and(|files| is_listed(&files));
    let locked = read("sys/kernel/security/lockdown").is_some_and(|lockdown| !lockdown.contains("[none]"));
    let signed = if locked { "; the kernel is locked down, so it must be signed (kmod/README.md)" } else { "" };
    if installed {
        bail!(
            "not loaded: modprobe semundo, and for every boot: echo semundo > /etc/modules-load.d/semundo.conf \
             (where that fails, dmesg says why){signed}"
        );
    }
    bail!("not loaded, and not installed for Linux {release}: the package semundo-dkms, or make -C kmod{signed}");
}

/// Whether depmod(8) lists the module: `updates/dkms/semundo.ko.xz: OTHERS...`.
fn is_listed(modules_dep: &str) -> bool {
    modules_dep.lines().any(|line| {
        let path = line.split(':').next().unwrap_or_default();
        path.rsplit('/').next().is_some_and(|name| name.starts_with("semundo.ko"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said where these files are all that the kernel tells.
    fn said(files: &[(&str, &str)]) -> String {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        loaded(root.path()).map_or_else(|error| error.to_string(), |version| format!("loaded: {version}"))
    }

    const VERSION: (&str, &str) = ("sys/module/semundo/version", "0.1.0\n");
    const OWN: (&str, &str) = ("proc/semundo", "");
    const TABLE: (&str, &str) = ("proc/sysvipc/semundo", "");
    const MODULES: (&str, &str) = ("proc/modules", "");
    const BTF: (&str, &str) = ("sys/kernel/btf/vmlinux", "");
    const RELEASE: (&str, &str) = ("proc/sys/kernel/osrelease", "6.12.1-amd64\n");

    #[test]
    fn a_loaded_module_has_its_files() {
        assert_eq!(said(&[VERSION, OWN, TABLE]), "loaded: 0.1.0");
        assert!(said(&[VERSION, TABLE]).contains("there is no /proc/semundo "));
        assert!(said(&[VERSION, OWN]).contains("there is no /proc/sysvipc/semundo "));
    }

    #[test]
    fn what_stands_in_its_way_is_said() {
        let disabled = |value| ("proc/sys/kernel/modules_disabled", value);
        assert!(said(&[("proc/thread-self/semundo", ""), MODULES]).contains("not needed"));
        assert!(said(&[BTF]).contains("loads no modules"));
        assert!(said(&[MODULES, BTF, disabled("1\n")]).contains("kernel.modules_disabled"));
        assert!(said(&[MODULES, disabled("0\n")]).contains("CONFIG_DEBUG_INFO_BTF"));
    }

    #[test]
    fn what_would_help_is_said() {
        let dep = |text| ("lib/modules/6.12.1-amd64/modules.dep", text);
        let installed = dep("kernel/a.ko: kernel/b.ko\nupdates/dkms/semundo.ko.xz:\n");
        assert!(said(&[MODULES, BTF, RELEASE, installed]).contains("modprobe semundo"));
        let not = "not installed for Linux 6.12.1-amd64: ";
        for other in ["kernel/semundo/other.ko:\n", "kernel/other.ko: kernel/semundo.ko\n", ""] {
            assert!(said(&[MODULES, BTF, RELEASE, dep(other)]).contains(not), "{other}");
        }
        assert!(said(&[MODULES, BTF, RELEASE]).contains(not));
        for (lockdown, locked) in [("[none] integrity\n", false), ("none [integrity] confidentiality\n", true)] {
            let lockdown = ("sys/kernel/security/lockdown", lockdown);
            for files in [&[MODULES, BTF, RELEASE, lockdown][..], &[MODULES, BTF, RELEASE, lockdown, installed]] {
                assert_eq!(said(files).contains("must be signed"), locked, "{lockdown:?}");
            }
        }
    }
}
