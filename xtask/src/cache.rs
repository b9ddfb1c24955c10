//! Where things are: the checkout, and the cache of all that is downloaded or built for VMs.
//!
//! Cache entries are made under a temporary name and renamed when complete, and a lock a suite
//! keeps two runs from making the same entry.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::suite::Suite;

/// The root of the checkout.
pub fn root() -> PathBuf {
    let manifest = env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
    let root = Path::new(&manifest).parent();
    root.expect("xtask lies in the workspace").to_owned()
}

/// The cache's top: `$SEMUNDO_CACHE`, or `target/xtask` in the checkout.
pub fn top() -> Result<PathBuf> {
    let top = match env::var_os("SEMUNDO_CACHE") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => root().join("target/xtask"),
    };
    make_dir(&top)?;
    fs::canonicalize(&top).with_context(|| format!("cannot resolve {}", top.display()))
}

/// A suite's part of the cache.
pub fn of(suite: Suite) -> Result<PathBuf> {
    make_dir(&top()?.join(suite.facts().name))
}

/// Creates a directory with its parents and returns it.
pub fn make_dir(dir: &Path) -> Result<PathBuf> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir.to_owned())
}

/// Waits for and takes the lock on a suite's part of the cache; dropping the file releases it.
pub fn lock(suite: Suite) -> Result<File> {
    let path = of(suite)?.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// A directory for the files of this one run, removed when dropped.
pub struct RunDir(PathBuf);

impl RunDir {
    /// Makes a fresh one and removes those whose process was killed before it could.
    pub fn new() -> Result<Self> {
        let all = make_dir(&top()?.join("run"))?;
        for entry in fs::read_dir(&all)?.flatten() {
            let name = entry.file_name();
            let pid = name.to_string_lossy();
            let pid = pid.split('.').next().unwrap_or_default();
            if !Path::new("/proc").join(pid).exists() {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let mut n = 0;
        loop {
            let dir = all.join(format!("{}.{n}", std::process::id()));
            match fs::create_dir(&dir) {
                Ok(()) => return Ok(Self(dir)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => n += 1,
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot create {}", dir.display()));
                }
            }
        }
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
