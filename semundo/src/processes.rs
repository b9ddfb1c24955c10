//! Which processes and threads there are, as `/proc` tells.

mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

pub use status::Status;

/// What most files below `/proc` fit in, in bytes.
const LARGE: usize = 8192;

/// All processes, ascending.
pub fn all() -> Vec<i32> {
    numbers(Path::new("/proc"))
}

/// The threads of a process, ascending; empty where it is gone.
pub fn threads(pid: i32) -> Vec<i32> {
    numbers(Path::new(&format!("/proc/{pid}/task")))
}

/// A process with all its descendants, ascending.
///
/// ```
/// let own = std::process::id() as i32;
/// assert!(semundo::processes::tree(own).contains(&own));
/// ```
pub fn tree(root: i32) -> Vec<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for pid in all() {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = BTreeSet::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        if found.insert(pid) {
            open.extend(children.remove(&pid).unwrap_or_default());
        }
    }
    found.into_iter().collect()
}

/// A file below `/proc`. The kernel makes it anew for each read, so it is read in large ones.
pub fn file(path: &str) -> io::Result<Vec<u8>> {
    let (mut bytes, mut file) = (Vec::new(), File::open(path)?);
    loop {
        let len = bytes.len();
        bytes.resize(len + LARGE, 0);
        let read = file.read(&mut bytes[len..])?;
        bytes.truncate(len + read);
        if read == 0 {
            return Ok(bytes);
        }
    }
}

/// The name of a thread, at most 15 bytes; `None` where it is gone.
pub fn comm(tid: i32) -> Option<String> {
    let name = fs::read(format!("/proc/{tid}/comm")).ok()?;
    Some(String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)).into_owned())
}

/// Whether a thread still runs code, which a zombie does not.
pub(crate) fn is_alive(tid: i32) -> bool {
    stat(tid).is_some_and(|stat| !matches!(stat.split(' ').next(), Some("Z" | "X")))
}

fn parent(pid: i32) -> Option<i32> {
    stat(pid)?.split(' ').nth(1)?.parse().ok()
}

/// What follows the name in `/proc/PID/stat`: state, parent and the rest.
fn stat(pid: i32) -> Option<String> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let name_end = stat.windows(2).rposition(|pair| pair == b") ")?;
    String::from_utf8(stat[name_end + 2..].to_vec()).ok()
}

fn numbers(directory: &Path) -> Vec<i32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut numbers: Vec<i32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_tree_has_children_and_their_names() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let (own, pid) = (std::process::id() as i32, child.id() as i32);
        assert!(tree(own).contains(&pid) && !tree(pid).contains(&own));
        assert_eq!(threads(pid), [pid]);
        assert!(is_alive(pid));
        child.kill().unwrap();
        while is_alive(pid) {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!((comm(pid), threads(pid)), (None, vec![]));
    }
}
