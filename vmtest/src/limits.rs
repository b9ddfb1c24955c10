//! The limits of System V semaphores in the caller's IPC namespace.

use std::fs;

use anyhow::{Context, Result};

/// As many sets and semaphores a set as there can be.
pub fn raise() -> Result<()> {
    fs::write("/proc/sys/kernel/sem", "32000 1024000000 500 32768").context("/proc/sys/kernel/sem")
}
