//! The plugin's files in CRIU's image directory: `semundo-PID.img`, one a process that has something to undo, where PID is its number
//! in the innermost pid namespace that it is in, as in the names of CRIU's own files.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use semundo::image::Image;

use crate::{abi, criu};

/// A process's file.
fn name(inner_pid: i32) -> String {
    format!("semundo-{inner_pid}.img")
}

/// The process whose file has this name.
fn pid(name: &str) -> Option<i32> {
    let number = name.strip_prefix("semundo-")?.strip_suffix(".img")?;
    number.parse().ok().filter(|pid| *pid > 0 && self::name(*pid) == name)
}

/// What the inventory says of a file: with it, a restore without the plugin fails, and one to which the file is missing.
fn entry(inner_pid: i32) -> String {
    format!("{} ({})", abi::NAME.to_string_lossy(), name(inner_pid))
}

/// Writes the files of a dump, and removes those that an earlier one left in the directory.
pub(crate) fn write(directory: &Path, images: &BTreeMap<i32, Image>) -> Result<()> {
    let result = images.iter().try_for_each(|(pid, image)| {
        write_one(directory, *pid, image).with_context(|| format!("cannot write {} to CRIU's images", name(*pid)))?;
        criu::add_to_inventory(&entry(*pid))
    });
    if let Err(error) = result {
        remove(directory, images.keys().copied());
        return Err(error);
    }
    let stale = all(directory)?.into_iter().filter(|pid| !images.contains_key(pid));
    remove(directory, stale);
    Ok(())
}

/// Writes a new file; one of an earlier dump, which may be linked to from a copy of that, stays as it is there.
fn write_one(directory: &Path, pid: i32, image: &Image) -> io::Result<()> {
    let path = directory.join(name(pid));
    remove_one(&path)?;
    image.write(&mut File::create_new(path)?)
}

/// Removes files, those that are there.
pub(crate) fn remove(directory: &Path, pids: impl IntoIterator<Item = i32>) {
    for pid in pids {
        if let Err(error) = remove_one(&directory.join(name(pid))) {
            criu::error(&format!("cannot remove {}: {error}", name(pid)));
        }
    }
}

fn remove_one(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// The files of the dump that is to be restored, read and checked. Where the dump made an inventory, files that are not in it are of
/// another one; those that are in it and not here are then missed by CRIU.
pub(crate) fn read(directory: &Path) -> Result<BTreeMap<i32, Image>> {
    let mut images = BTreeMap::new();
    for pid in all(directory)? {
        if criu::take_from_inventory(&entry(pid)) == Some(false) {
            criu::info(&format!("{} is not of this dump", name(pid)));
            continue;
        }
        let read = || Ok::<_, anyhow::Error>(Image::parse(&fs::read(directory.join(name(pid)))?)?);
        images.insert(pid, read().with_context(|| name(pid))?);
    }
    Ok(images)
}

fn all(directory: &Path) -> Result<Vec<i32>> {
    let entries = fs::read_dir(directory).context("cannot read CRIU's image directory")?;
    let names = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>();
    let names = names.context("cannot read CRIU's image directory")?;
    let mut pids: Vec<i32> = names.iter().filter_map(|name| pid(name.to_str()?)).collect();
    pids.sort_unstable();
    Ok(pids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use semundo::image::SavedSet;
    use semundo::{Adjustments, Task, UndoList};

    fn image(pid: i32) -> Image {
        let set =
            SavedSet { ipc_namespace: 1, semid: 3, key: 0, nsems: 1, mode: 0o600, uid: 0, gid: 0, values: vec![5] };
        let tasks = vec![Task { pid, tid: pid, comm: "a".to_owned() }];
        let adjustments = vec![Adjustments { semid: 3, semadj: vec![2] }];
        Image::new(vec![set], vec![UndoList { tasks, ipc_namespace: 1, adjustments }]).unwrap()
    }

    #[test]
    fn only_names_that_this_writes_are_its_own() {
        assert_eq!(pid("semundo-841.img"), Some(841));
        for other in
            ["semundo-0.img", "semundo-+7.img", "semundo-07.img", "semundo-.img", "semundo-7.img.old", "core-7.img"]
        {
            assert_eq!(pid(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_what_was_there_before_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("semundo-9.img"), "of another dump").unwrap();
        fs::write(directory.path().join("core-9.img"), "not ours").unwrap();
        let images = BTreeMap::from([(7, image(7)), (12, image(12))]);
        write(directory.path(), &images).unwrap();
        assert_eq!(read(directory.path()).unwrap(), images);
        let mut names: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["core-9.img", "semundo-12.img", "semundo-7.img"]);
    }

    #[test]
    fn a_linked_copy_of_an_earlier_dump_stays() {
        let directory = tempfile::tempdir().unwrap();
        let [path, copy] = ["semundo-7.img", "copy"].map(|name| directory.path().join(name));
        fs::write(&path, "of an earlier dump").unwrap();
        fs::hard_link(&path, &copy).unwrap();
        write(directory.path(), &BTreeMap::from([(7, image(7))])).unwrap();
        assert_eq!(fs::read(copy).unwrap(), b"of an earlier dump");
        assert_eq!(read(directory.path()).unwrap(), BTreeMap::from([(7, image(7))]));
    }

    #[test]
    fn a_damaged_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &BTreeMap::from([(7, image(7))])).unwrap();
        let path = directory.path().join("semundo-7.img");
        let damaged = fs::read_to_string(&path).unwrap().replace("[2]", "[3]");
        fs::write(&path, damaged).unwrap();
        let error = format!("{:#}", read(directory.path()).unwrap_err());
        assert!(error.starts_with("semundo-7.img: ") && error.contains("checksum"), "{error}");
    }

    #[test]
    fn no_bit_of_a_file_can_change() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &BTreeMap::from([(7, image(7))])).unwrap();
        let path = directory.path().join("semundo-7.img");
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &damaged).unwrap();
            assert!(read(directory.path()).is_err(), "{}", String::from_utf8_lossy(&damaged));
        }
    }

    #[test]
    fn nothing_is_left_of_what_cannot_be_written() {
        let directory = tempfile::tempdir().unwrap();
        // A directory that is not empty cannot be replaced by a file.
        fs::create_dir_all(directory.path().join("semundo-12.img/x")).unwrap();
        let error = write(directory.path(), &BTreeMap::from([(7, image(7)), (12, image(12))])).unwrap_err();
        assert!(format!("{error:#}").contains("semundo-12.img"), "{error:#}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
