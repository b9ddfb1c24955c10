//! The kernel's modules that CRIU asks for, with all that they depend on, in an order in which they can be loaded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;

/// What CRIU looks for, used or not; and first an algorithm that one of them asks for when it is loaded.
const WANTED: &[&str] = &[
    "crc32c_generic",
    "nfnetlink",
    "nf_tables",
    "tun",
    "veth",
    "inet_diag",
    "netlink_diag",
    "packet_diag",
    "raw_diag",
    "tcp_diag",
    "udp_diag",
    "unix_diag",
];

/// Takes them out of a file system with a kernel's packages to a directory. Those that are built into the kernel are none.
pub fn extract(root: &Path, to: &Path) -> Result<()> {
    let mut files = BTreeMap::new();
    for dir in ["usr/lib/modules", "lib/modules"] {
        collect(&root.join(dir), &mut files);
    }
    if files.is_empty() {
        bail!("no kernel modules in {}", root.display());
    }
    let mut loaded = Vec::new();
    for name in WANTED {
        load(name, &files, to, &mut loaded)?;
    }
    Ok(())
}

/// All modules below a directory by their names.
fn collect(dir: &Path, files: &mut BTreeMap<String, PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(&path, files);
        } else if let Some((name, "ko" | "ko.xz")) = entry.file_name().to_string_lossy().split_once('.') {
            files.insert(name.replace('-', "_"), path);
        }
    }
}

fn load(name: &str, files: &BTreeMap<String, PathBuf>, to: &Path, loaded: &mut Vec<String>) -> Result<()> {
    let Some(file) = files.get(name) else { return Ok(()) };
    if loaded.iter().any(|loaded| loaded == name) {
        return Ok(());
    }
    let module = unpacked(file)?;
    for needed in dependencies(&module) {
        load(&needed, files, to, loaded)?;
    }
    // The names' order is that of loading.
    let path = to.join(format!("{:03}-{name}.ko", loaded.len()));
    fs::write(&path, module).with_context(|| format!("cannot write {}", path.display()))?;
    loaded.push(name.to_owned());
    Ok(())
}

fn unpacked(file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_some_and(|end| end == "xz") {
        let mut xz = Command::new("xz");
        xz.args(["--decompress", "--stdout"]).arg(file);
        let out = command::die_with_us(&mut xz).output().context("cannot run xz")?;
        if !out.status.success() {
            bail!("xz: {}", String::from_utf8_lossy(&out.stderr));
        }
        return Ok(out.stdout);
    }
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// What the section `.modinfo` names after `depends=`.
fn dependencies(module: &[u8]) -> Vec<String> {
    let mark = b"\0depends=";
    let Some(at) = module.windows(mark.len()).position(|part| part == mark) else { return Vec::new() };
    let names = module[at + mark.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    let names = String::from_utf8_lossy(names);
    names.split(',').filter(|name| !name.is_empty()).map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read_from_the_modules_information() {
        let module = b"x\0license=GPL\0depends=nfnetlink,libcrc32c,a-b\0retpoline=Y\0";
        assert_eq!(dependencies(module), ["nfnetlink", "libcrc32c", "a_b"]);
        assert!(dependencies(b"\0depends=\0intree=Y\0").is_empty());
        assert!(dependencies(b"nothing").is_empty());
    }
}
