//! The checkers that a kernel may have built in: how slow they make it, and what they found.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::errno::Errno;
use nix::mount::MsFlags;

const DEBUGFS: &str = "/sys/kernel/debug";
const LOCKDEP: &str = "/proc/lockdep_stats";
const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";
const KCSAN: &str = "/sys/kernel/debug/kcsan";
/// Fault injection: below it is what makes slab allocations fail.
pub const FAILSLAB: &str = "/sys/kernel/debug/failslab";
/// The same of whole pages.
pub const FAIL_PAGE_ALLOC: &str = "/sys/kernel/debug/fail_page_alloc";

/// How old memory must be before kmemleak reports it, and some more (mm/kmemleak.c: MSECS_MIN_AGE).
const LEAK_AGE: Duration = Duration::from_secs(6);

/// Mounts the file system that the checkers are reached by, where the kernel has it.
pub fn mount() -> Result<()> {
    if !Path::new(DEBUGFS).exists() {
        return Ok(());
    }
    match mount_at(DEBUGFS) {
        Ok(()) | Err(Errno::EBUSY) => Ok(()),
        Err(error) => Err(error).context(DEBUGFS),
    }
}

fn mount_at(path: &str) -> Result<(), Errno> {
    nix::mount::mount(Some("debugfs"), path, Some("debugfs"), MsFlags::empty(), None::<&str>)
}

/// Whether the kernel watches memory and locks.
pub fn watch_memory() -> bool {
    Path::new(LOCKDEP).exists()
}

/// Whether the kernel watches for data races.
pub fn watch_races() -> bool {
    Path::new(KCSAN).exists()
}

/// Whether the kernel can be made to run out of memory.
pub fn inject_faults() -> bool {
    Path::new(FAILSLAB).exists()
}

/// How many times slower than an ordinary kernel this one may be.
pub fn slowness() -> u64 {
    if watch_memory() || watch_races() { 6 } else { 1 }
}

/// A look at a checker, and its name.
pub type Look = (&'static str, fn() -> Result<()>);

/// What is looked at when all tests are done: the parts of the checkers that do not report at once, and whether they still work.
pub fn at_the_end() -> &'static [Look] {
    const LOOKS: &[Look] =
        &[("checkers: lockdep still looks", lockdep_is_on), ("checkers: kmemleak finds nothing", no_leaks)];
    if watch_memory() { LOOKS } else { &[] }
}

/// Lockdep looks no more after its first report, or when its tables are full.
fn lockdep_is_on() -> Result<()> {
    let stats = fs::read_to_string(LOCKDEP).context(LOCKDEP)?;
    let on = stats.lines().any(|line| line.trim_start().starts_with("debug_locks:") && line.trim_end().ends_with('1'));
    ensure!(on, "lockdep is off:\n{stats}");
    Ok(())
}

fn no_leaks() -> Result<()> {
    let found = leaks()?;
    ensure!(found.is_empty(), "kmemleak says:\n{found}");
    Ok(())
}

/// What kmemleak reports now; what it took for a leak only because it was on its way when it looked is not found twice.
pub fn leaks() -> Result<String> {
    sleep(LEAK_AGE);
    for _ in 0..2 {
        write("scan", KMEMLEAK)?;
    }
    fs::read_to_string(KMEMLEAK).context(KMEMLEAK)
}

/// Writes a word to one of the kernel's switches.
pub fn write(word: &str, path: &str) -> Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path).with_context(|| path.to_owned())?;
    loop {
        match file.write_all(word.as_bytes()) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result.with_context(|| format!("{word} > {path}")),
        }
    }
}
