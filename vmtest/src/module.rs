//! Loading and unloading of the kernel module.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module};

/// The module, where the virtual machine's start put it.
pub const MODULE: &str = "/semundo.ko";
/// The one that was built with wrong layouts on purpose.
pub const WRONG_LAYOUT: &str = "/semundo-wrong-layout.ko";
/// The one that does not find the kernel's semop.
pub const NO_SEMOP: &str = "/semundo-no-semop.ko";

/// Loads a module; the inner error is the kernel's.
pub fn load(path: &str) -> Result<Result<(), Errno>> {
    let file = File::open(Path::new(path)).context(path.to_owned())?;
    Ok(finit_module(&file, c"", ModuleInitFlags::empty()))
}

/// Asks once for the module to go; the inner error is the kernel's.
pub fn try_unload() -> Result<(), Errno> {
    delete_module(c"semundo", DeleteModuleFlags::O_NONBLOCK)
}

/// Unloads the module, waiting for users of it to be done.
pub fn unload() -> Result<()> {
    let start = Instant::now();
    loop {
        match try_unload() {
            Err(Errno::EWOULDBLOCK) => {
                ensure!(start.elapsed() < Duration::from_secs(20), "the module is in use for 20 s");
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result.context("delete_module"),
        }
    }
}

/// Whether the kernel says that the module is live.
pub fn is_loaded() -> Result<bool> {
    Ok(fs::read_to_string("/proc/modules")?.lines().any(|line| line.starts_with("semundo ")))
}
