//! The step that packages the module: DKMS and Debian's package build it and install it in a system of their own, and what came out of
//! DKMS is loaded.

use anyhow::Result;

use crate::cache::{self, RunDir};
use crate::chroot::Bind;
use crate::installed::Installed;
use crate::qemu::Outputs;
use crate::suite::Suite;
use crate::test_steps::{Log, Ran};
use crate::vm::Boot;

const SUITE: Suite = Suite::Trixie;

const SCRIPT: &str = include_str!("dkms.sh");

/// Builds, installs and removes both, and loads the module.
pub fn run(log: &mut Log) -> Result<Ran> {
    let run = RunDir::new()?;
    let (layer, out) = (cache::make_dir(&run.file("layer"))?, cache::make_dir(&run.file("out"))?);
    {
        let _lock = cache::lock(SUITE)?;
        let system = Installed::prepare()?;
        let checkout = cache::root();
        let binds = [
            Bind { host: &checkout, inside: "/checkout", writable: false },
            Bind { host: &out, inside: "/out", writable: true },
        ];
        let inside = ["sh", "-c", SCRIPT, "sh", env!("CARGO_PKG_VERSION")];
        if !log.run(&mut system.command(&layer, &binds, &inside))? {
            return Ok(Ran::Done(false));
        }
    }
    let script = "cat /sys/module/semundo/version && semundo check";
    let mut boot = Boot::command(SUITE, &["sh", "-c", script]);
    boot.kernel_and_module = Some((out.join("vmlinuz"), out.join("semundo.ko")));
    let outputs = Outputs { stdout: log.sink()?, stderr: log.sink()? };
    Ok(Ran::Done(boot.run(outputs)? == 0))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn all_files_tell_one_version() {
        let version = env!("CARGO_PKG_VERSION");
        for (file, line) in [
            ("dkms.conf", format!("PACKAGE_VERSION=\"{version}\"")),
            ("shim/main.c", format!("MODULE_VERSION(\"{version}\");")),
            ("debian/changelog", format!("semundo-kmod ({version}) UNRELEASED; urgency=medium")),
        ] {
            let text = fs::read_to_string(cache::root().join("kmod").join(file)).unwrap();
            assert!(text.lines().any(|found| found == line), "{file} has no line {line}");
        }
    }
}
