//! The step that runs programs of others that use SEM_UNDO: one of Python's package index, one of Debian.

use std::process::Command;

use anyhow::Result;

use crate::apt;
use crate::cache;
use crate::command;
use crate::test_steps::{Log, Ran};

/// The module that gives Python semaphores.
const MODULE: &str = "sysv_ipc==1.2.0";

/// Installs them and runs their tests.
pub fn run(log: &mut Log) -> Result<Ran> {
    apt::ensure(apt::FOR_PROGRAMS)?;
    let venv = cache::top()?.join("venv");
    let python = venv.join("bin/python3");
    let mut has_module = Command::new(&python);
    has_module.args(["-c", "import sysv_ipc"]);
    if command::output(&mut has_module).is_err() {
        let mut make = Command::new("/usr/bin/python3");
        make.args(["-m", "venv", "--clear"]).arg(&venv);
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", MODULE]);
        if !log.run(&mut make)? || !log.run(&mut install)? {
            return Ok(Ran::Done(false));
        }
    }
    let mut cargo = command::cargo();
    cargo.args(["test", "-p", "semundo", "--test", "programs", "--", "--ignored"]);
    cargo.env("SEMUNDO_TEST_PYTHON", &python).env("CARGO_TERM_COLOR", "never");
    Ok(Ran::Done(log.run(&mut cargo)?))
}
