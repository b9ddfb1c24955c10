//! The VM's whole file system: busybox, our programs and modules, and what to run.

use std::fs::{self, File, Metadata};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType, trailer};

const INIT: &str = include_str!("init.sh");

/// busybox-static's one program.
const BUSYBOX: &str = "/bin/busybox";

/// What the VM's file system holds beside busybox.
pub struct Contents {
    /// Host files and where they go.
    pub programs: Vec<(PathBuf, String)>,
    /// Host directories that are there with all that they hold, and where they go.
    pub trees: Vec<(PathBuf, String)>,
    /// What runs.
    pub job: Job,
}

/// What runs in the VM.
#[derive(Clone, Debug)]
pub enum Job {
    /// A program and its arguments.
    Command(Vec<String>),
    /// A shell on the terminal, which has this many rows and columns.
    Shell(u16, u16),
}

/// Writes the archive.
pub fn write(path: &Path, contents: &Contents) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut archive = Archive { out: BufWriter::new(file), entries: 0 };
    for dir in ["bin", "dev", "etc", "proc", "root", "sys", "tests", "tmp", "mnt"] {
        archive.entry(dir, ModeFileType::Directory, 0o755, b"")?;
    }
    archive.entry("sbin", ModeFileType::Symlink, 0o777, b"bin")?;
    archive.host_file("bin/busybox", Path::new(BUSYBOX))?;
    archive.file("init", INIT.as_bytes())?;
    archive.file("etc/passwd", b"root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n")?;
    archive.file("etc/group", b"root:x:0:\nuser:x:1000:\n")?;
    for (host, inside) in &contents.programs {
        archive.host_file(inside, host)?;
    }
    for (host, inside) in &contents.trees {
        archive.tree(inside, host)?;
    }
    match &contents.job {
        Job::Command(words) => archive.file("command", script(words).as_bytes())?,
        Job::Shell(rows, columns) => {
            // A terminal that does not tell its size says 0.
            let size = |n: u16, usual| if n == 0 { usual } else { n };
            let size = format!("rows {} cols {}\n", size(*rows, 24), size(*columns, 80));
            archive.file("interactive", size.as_bytes())?;
        }
    }
    trailer(archive.out)?.flush().with_context(|| format!("cannot write {}", path.display()))
}

struct Archive {
    out: BufWriter<File>,
    entries: u32,
}

impl Archive {
    fn host_file(&mut self, name: &str, from: &Path) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        self.file(name, &bytes)
    }

    /// A directory; only directories, files and symbolic links of it.
    fn tree(&mut self, name: &str, from: &Path) -> Result<()> {
        let read = || format!("cannot read {}", from.display());
        let mode = |metadata: &Metadata| metadata.permissions().mode() & 0o7777;
        let metadata = fs::symlink_metadata(from).with_context(read)?;
        if metadata.is_symlink() {
            let target = fs::read_link(from).with_context(read)?;
            self.entry(name, ModeFileType::Symlink, 0o777, target.as_os_str().as_encoded_bytes())?;
        } else if metadata.is_file() {
            self.entry(name, ModeFileType::Regular, mode(&metadata), &fs::read(from).with_context(read)?)?;
        } else if metadata.is_dir() {
            self.entry(name, ModeFileType::Directory, mode(&metadata), b"")?;
            for entry in fs::read_dir(from).with_context(read)? {
                let entry = entry.with_context(read)?;
                self.tree(&format!("{name}/{}", entry.file_name().to_string_lossy()), &entry.path())?;
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.entry(name, ModeFileType::Regular, 0o755, bytes)
    }

    fn entry(&mut self, name: &str, kind: ModeFileType, mode: u32, bytes: &[u8]) -> Result<()> {
        // Entries of one inode number would be taken for hard links.
        self.entries += 1;
        let size = u32::try_from(bytes.len()).context("too large for an initramfs")?;
        let header = Builder::new(name).ino(self.entries).nlink(1).mode(mode).set_mode_file_type(kind);
        let mut entry = header.write(&mut self.out, size);
        entry.write_all(bytes)?;
        entry.finish()?;
        Ok(())
    }
}

/// A script that becomes the command, whatever characters its words hold.
fn script(words: &[String]) -> String {
    let quoted = words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''")));
    format!("exec {}\n", quoted.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn words_reach_the_program_unchanged() {
        let words = ["printf", "%s\\n", "it's", "$HOME `x` \"y\" \\", "", "a  b"];
        let words = words.map(str::to_owned);
        let out = Command::new("sh").args(["-c", &script(&words)]).output();
        let out = String::from_utf8(out.unwrap().stdout).unwrap();
        assert_eq!(out, words[2..].join("\n") + "\n");
    }
}
