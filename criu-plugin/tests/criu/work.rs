//! The directory of one run of a program: its images, its logs, and what it tells.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory, removed at the end.
pub struct Work(TempDir);

impl Work {
    /// A new one.
    pub fn new() -> Self {
        Self(TempDir::with_prefix("semundo-criu-").unwrap())
    }

    /// A new one in a directory.
    pub fn below(dir: &Path) -> Self {
        Self(TempDir::with_prefix_in("work-", dir).unwrap())
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A directory in it, made where there is none.
    pub fn dir(&self, name: &str) -> PathBuf {
        let dir = self.file(name);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// What a file in it holds; nothing where there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read(self.file(name)).map_or(String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The names that a directory in it holds and that begin so.
    pub fn names(&self, dir: &str, start: &str) -> Vec<String> {
        let entries = fs::read_dir(self.file(dir)).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        names.retain(|name| name.starts_with(start));
        names.sort();
        names
    }
}
