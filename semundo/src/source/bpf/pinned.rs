//! The loaded program kept in the BPF file system, so that the next who needs it need not load it: the kernel's check of a program
//! takes a thousand times as long as a reading.
//!
//! A directory an object: `/sys/fs/bpf/semundo-` and a checksum of it, with the program and those of its maps that user space uses. Who
//! uses them holds a lock (`flock(2)`) on the directory, as there is one ring buffer.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aya::Ebpf;
use aya::maps::{Map, MapData};
use crc::{CRC_32_ISO_HDLC, Crc};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use nix::unistd::geteuid;

use super::link;
use super::{Loaded, OBJECT, Program, program};

/// What tells an object from those of other versions.
const CHECKSUM: u32 = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(OBJECT);

/// Where the BPF file system is mounted.
const DIRECTORY: &str = "/sys/fs/bpf";

/// The program's file.
const PROGRAM: &str = "undo";

/// The maps that user space uses.
const MAPS: [&str; 3] = ["RECORDS", "OPTIONS", "OUTCOME"];

/// Whether there is a BPF file system to pin in.
pub(super) fn is_possible() -> bool {
    statfs(DIRECTORY).is_ok_and(|found| found.filesystem_type() == BPF_FS_MAGIC)
}

/// The program that somebody has pinned; none where nobody has, where somebody else uses it, or where it is not to be trusted.
pub(super) fn open() -> Option<Loaded> {
    open_in(&directory()).ok()
}

/// Removes the pin; the caller has its lock.
pub(super) fn remove() {
    remove_all(&directory());
}

/// Pins what was loaded, and answers the lock on it. Where another has done so meanwhile, it is an error and leaves nothing.
pub(super) fn pin(ebpf: &mut Ebpf) -> Result<File, anyhow::Error> {
    let directory = directory();
    // Names have no dots there (kernel/bpf/inode.c: bpf_lookup).
    let half = PathBuf::from(format!("{}-{}", directory.display(), std::process::id()));
    remove_all(&half);
    DirBuilder::new().mode(0o700).create(&half)?;
    let pinned = pin_in(&half, ebpf).and_then(|()| {
        let lock = lock(&half)?;
        fs::rename(&half, &directory)?;
        Ok(lock)
    });
    if pinned.is_err() {
        remove_all(&half);
    }
    pinned
}

fn directory() -> PathBuf {
    Path::new(DIRECTORY).join(format!("semundo-{CHECKSUM:08x}"))
}

fn open_in(directory: &Path) -> Result<Loaded, anyhow::Error> {
    let lock = lock(directory)?;
    let [records, options, outcome] = MAPS.map(|name| MapData::from_pin(directory.join(name)));
    let program = link::get(&directory.join(PROGRAM))?;
    let records = records?;
    let mut loaded = Loaded {
        size: records.info()?.max_entries(),
        run: 0,
        records: Map::from_map_data(records)?.try_into()?,
        options: Map::from_map_data(options?)?.try_into()?,
        outcome: Map::from_map_data(outcome?)?.try_into()?,
        program: Program::Pinned { program, _lock: lock },
    };
    loaded.run = loaded.options.get(&0, 0)?[0];
    // Who had it before may have been killed before it had read all.
    while loaded.records.next().is_some() {}
    Ok(loaded)
}

/// The directory, if it is of this user alone and nobody else has it now.
fn lock(directory: &Path) -> io::Result<File> {
    let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(directory)?;
    let metadata = file.metadata()?;
    if metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    file.try_lock()?;
    Ok(file)
}

fn pin_in(directory: &Path, ebpf: &mut Ebpf) -> Result<(), anyhow::Error> {
    for name in MAPS {
        ebpf.map(name).expect("the object has this map").pin(directory.join(name))?;
    }
    Ok(program(ebpf).pin(directory.join(PROGRAM))?)
}

/// Removes a directory of pins, if it is there.
fn remove_all(directory: &Path) {
    for name in MAPS.into_iter().chain([PROGRAM]) {
        let _ = fs::remove_file(directory.join(name));
    }
    let _ = fs::remove_dir(directory);
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::PoisonError;
    use std::thread;

    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};

    use super::*;
    use crate::restore::{self, Wanted};
    use crate::source::bpf::{Bpf, PINNED_SIZES};
    use crate::sysv::TempSet;

    /// Does `work` where there is a BPF file system that nobody else uses.
    fn with_bpffs(work: impl FnOnce() + Send + 'static) {
        let inside = || {
            unshare(CloneFlags::CLONE_NEWNS).expect("this test makes a mount namespace, which takes root");
            let nothing = None::<&str>;
            mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
            mount(Some("bpf"), DIRECTORY, Some("bpf"), MsFlags::empty(), nothing).unwrap();
            work();
        };
        thread::spawn(inside).join().unwrap();
    }

    fn is_pinned(bpf: &Bpf) -> bool {
        let loaded = bpf.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(loaded.program, Program::Pinned { .. })
    }

    /// Sees that it reads the own list, which has this adjustment now.
    fn reads(bpf: &Bpf, set: &TempSet, adjustment: i16) {
        let own = crate::source::own_list(bpf).unwrap();
        let found = own.iter().find(|adjustments| adjustments.semid == set.id());
        assert_eq!(found.map(|found| found.semadj.clone()), Some(vec![adjustment]));
    }

    #[test]
    fn the_next_one_need_not_load_it() {
        with_bpffs(|| {
            let set = TempSet::create(1, 0o600).unwrap();
            set.set_value(0, 9).unwrap();
            for adjustment in 1..5 {
                let wanted = Wanted::new([(set.id(), vec![adjustment])]).unwrap();
                let now = crate::Adjustments { semid: set.id(), semadj: vec![adjustment - 1] };
                restore::into_own(if adjustment == 1 { &[] } else { std::slice::from_ref(&now) }, &wanted).unwrap();
                let bpf = Bpf::load_pinned().unwrap();
                assert_eq!(is_pinned(&bpf), adjustment > 1);
                // Once: were runs counted anew, this one would be taken for the last one of who had it before.
                reads(&bpf, &set, adjustment);
                // It is in use: another one loads its own.
                let other = Bpf::load_pinned().unwrap();
                assert!(!is_pinned(&other));
                reads(&other, &set, adjustment);
            }
        });
    }

    #[test]
    fn a_larger_one_takes_the_place_of_one_that_is_too_small() {
        with_bpffs(|| {
            let size_and_pin = |bpf: &Bpf| {
                let loaded = bpf.loaded.lock().unwrap_or_else(PoisonError::into_inner);
                (loaded.size, loaded.has_pin())
            };
            let [small, large] = [*PINNED_SIZES.start(), *PINNED_SIZES.end()];
            // More than fits in the small one, and less than in the large one.
            let sets: Vec<_> = (0..4).map(|_| TempSet::create(16_000, 0o600).unwrap()).collect();
            let wanted = Wanted::new(sets.iter().map(|set| (set.id(), vec![1; 16_000]))).unwrap();
            for set in &sets {
                set.set_values(&[1; 16_000]).unwrap();
            }
            for (before, after) in [(small, large), (large, large)] {
                let bpf = Bpf::load_pinned().unwrap();
                assert_eq!(size_and_pin(&bpf), (before, true));
                if before == small {
                    restore::into_own(&[], &wanted).unwrap();
                }
                let own = crate::source::own_list(&bpf).unwrap();
                assert_eq!(own.iter().filter(|set| set.semadj == [1; 16_000]).count(), sets.len());
                assert_eq!(size_and_pin(&bpf), (after, true));
            }
            // Another has the pin: what it loads for itself goes on without.
            let (_first, second) = (Bpf::load_pinned().unwrap(), Bpf::load_pinned().unwrap());
            assert_eq!(size_and_pin(&second), (small, false));
            crate::source::own_list(&second).unwrap();
            assert_eq!(size_and_pin(&second), (large, false));
            let names = fs::read_dir(DIRECTORY).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            assert_eq!(names.filter(|name| name.starts_with("semundo")).count(), 1);
        });
    }

    #[test]
    fn what_another_could_have_put_there_is_not_used() {
        with_bpffs(|| {
            drop(Bpf::load_pinned().unwrap());
            assert!(is_pinned(&Bpf::load_pinned().unwrap()));
            fs::set_permissions(directory(), Permissions::from_mode(0o777)).unwrap();
            assert!(!is_pinned(&Bpf::load_pinned().unwrap()));
            fs::set_permissions(directory(), Permissions::from_mode(0o700)).unwrap();
            fs::remove_file(directory().join("OUTCOME")).unwrap();
            assert!(!is_pinned(&Bpf::load_pinned().unwrap()));
        });
    }

    #[test]
    fn without_such_a_file_system_it_is_loaded() {
        let inside = || {
            unshare(CloneFlags::CLONE_NEWNS).expect("this test makes a mount namespace, which takes root");
            let nothing = None::<&str>;
            mount(nothing, "/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing).unwrap();
            mount(Some("none"), DIRECTORY, Some("tmpfs"), MsFlags::empty(), nothing).unwrap();
            assert!(!is_possible() && !is_pinned(&Bpf::load_pinned().unwrap()));
            assert_eq!(fs::read_dir(DIRECTORY).unwrap().count(), 0);
        };
        thread::spawn(inside).join().unwrap();
    }
}
