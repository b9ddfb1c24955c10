//! The programs that run inside the VM, linked statically since nothing else is there.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::cache;
use crate::command;
use crate::progress::Step;

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
    let mut cargo = cargo("build")?;
    cargo.args(["--package", "vmtest", "--package", "semundo"]);
    let log = target_dir()?.with_extension("log");
    command::run("build the guest's programs", &mut cargo, &log)?;
    let release = target_dir()?.join(TARGET).join("release");
    Ok(Programs { vmtest: release.join("vmtest"), semundo: release.join("semundo") })
}

/// Builds one program of a package.
pub fn build_program(package: &str, name: &str) -> Result<PathBuf> {
    let mut cargo = cargo("build")?;
    cargo.args(["--package", package, "--bin", name]);
    let log = target_dir()?.with_extension(format!("{name}.log"));
    command::run(&format!("build {name} for the guest"), &mut cargo, &log)?;
    Ok(target_dir()?.join(TARGET).join("release").join(name))
}

/// Builds test programs that cargo's arguments choose. Those of `semundo` run the command by the path of [`Programs::semundo`].
pub fn build_tests(chosen: &[&str]) -> Result<Vec<PathBuf>> {
    let mut cargo = cargo("test")?;
    cargo.args(chosen).args(["--no-run", "--message-format", "json"]);
    let step = Step::new(&format!("build tests for the guest ({})", chosen.join(" ")));
    let messages = command::output(&mut cargo)?;
    drop(step);
    test_programs(&messages)
}

/// A line of what cargo says with `--message-format json`.
#[derive(Deserialize)]
struct Message {
    executable: Option<PathBuf>,
    profile: Option<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

fn test_programs(messages: &str) -> Result<Vec<PathBuf>> {
    let mut programs = Vec::new();
    for line in messages.lines() {
        let message: Message = serde_json::from_str(line).with_context(|| format!("cargo says {line}"))?;
        if message.profile.is_some_and(|profile| profile.test) {
            programs.extend(message.executable);
        }
    }
    if programs.is_empty() {
        bail!("cargo built no test program");
    }
    Ok(programs)
}

fn target_dir() -> Result<PathBuf> {
    Ok(cache::top()?.join("guest"))
}

fn cargo(subcommand: &str) -> Result<Command> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        bail!("the virtual machines are x86-64: this needs an x86-64 Linux host");
    }
    let mut cargo = command::cargo();
    cargo.args([subcommand, "--release", "--target", TARGET]);
    cargo.arg("--target-dir").arg(target_dir()?);
    cargo.env("RUSTFLAGS", "-C target-feature=+crt-static");
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo");
    cargo.env_remove("CARGO_ENCODED_RUSTFLAGS");
    Ok(cargo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_told_from_the_rest() {
        let messages = r#"{"reason":"compiler-artifact","profile":{"test":false},"executable":"/t/semundo"}
{"reason":"compiler-artifact","profile":{"test":true},"executable":"/t/deps/command-1"}
{"reason":"compiler-artifact","profile":{"test":true},"executable":null}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(test_programs(messages).unwrap(), [PathBuf::from("/t/deps/command-1")]);
        assert!(test_programs("{\"reason\":\"build-finished\",\"success\":true}\n").is_err());
        assert!(test_programs("no JSON\n").is_err());
    }
}
