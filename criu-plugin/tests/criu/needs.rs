//! What some tests need of the machine. Where it is missing they are left out, and that is said loudly; where
//! SEMUNDO_TEST_ALL is set it must not be missing.

use std::env;
use std::process::{Command, Stdio};

/// Whether the machine has what a test needs; `has` tells what is missing.
pub fn fulfilled(what: &str, has: fn() -> Result<(), String>) -> bool {
    // Only who runs the tests is to be told.
    if !env::args().any(|argument| argument.ends_with("ignored")) {
        return true;
    }
    let Err(missing) = has() else { return true };
    assert!(env::var_os("SEMUNDO_TEST_ALL").is_none(), "{what}: {missing}");
    println!("NOT TESTED: {what}: {missing}");
    false
}

/// Memory that was written since is told apart.
pub fn dirty_tracking() -> Result<(), String> {
    criu_has("mem_dirty_track", "the kernel does not track which memory is written (CONFIG_MEM_SOFT_DIRTY)")
}

/// CRIU may restore what takes CAP_SYS_RESOURCE.
pub fn system_resources() -> Result<(), String> {
    const CAP_SYS_RESOURCE: u32 = 24;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap().trim();
    let has = u64::from_str_radix(effective, 16).unwrap() & (1 << CAP_SYS_RESOURCE) != 0;
    if has {
        Ok(())
    } else {
        Err("CRIU has no CAP_SYS_RESOURCE here, by which it restores a setuid program".to_owned())
    }
}

/// `criu check` of one feature.
fn criu_has(feature: &str, missing: &str) -> Result<(), String> {
    let mut criu = Command::new("criu");
    criu.args(["check", "--feature", feature]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if criu.status().unwrap().success() { Ok(()) } else { Err(missing.to_owned()) }
}

/// CRIU asks the plugin before it saves what a task is in.
pub fn checkpoint_hook() -> Result<(), String> {
    since(40_000, "CRIU before 4.0 saves that a sleeper sees EINTR before it asks a plugin")
}

/// CRIU keeps the names of the plugins that a restore needs.
pub fn inventory() -> Result<(), String> {
    since(40_100, "CRIU before 4.1 does not keep which plugins are needed")
}

fn since(version: u32, missing: &str) -> Result<(), String> {
    if criu_version() >= version { Ok(()) } else { Err(missing.to_owned()) }
}

/// CRIU's version, in tens of thousands, hundreds and ones: 40101 is 4.1.1.
fn criu_version() -> u32 {
    let out = Command::new("criu").arg("--version").output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let version = text.lines().find_map(|line| line.strip_prefix("Version: ")).unwrap();
    let mut numbers = version.split('.').map(|number| number.trim().parse::<u32>().unwrap());
    let mut next = || numbers.next().unwrap_or(0);
    next() * 10_000 + next() * 100 + next()
}
