//! A restore: tasks that CRIU has made anew, and holds, are made to call `semop(2)` until they have the undo lists that were saved.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use semundo::image::Image;
use semundo::inject::{self, Adopted};
use semundo::ipc_namespace::IpcNamespace;
use semundo::processes::Status;
use semundo::restore::{self, Error, Report, Wanted};
use semundo::source::{self, bpf::Bpf};
use semundo::sysv::{SemSet, Stat};
use semundo::undo_list::{self, UndoList};
use semundo::{Select, Source};

use crate::{criu, images, threads};

/// Permission to read and to alter a set, for everybody.
const EVERYBODY: u32 = 0o666;

/// The saved lists that are still to be restored, by the processes' inner numbers.
#[derive(Debug)]
pub(crate) struct Restore {
    images: BTreeMap<i32, Image>,
    /// What reads the lists again, once it was tried to have it.
    reader: Option<Result<Box<Bpf>, source::Error>>,
}

impl Restore {
    /// Those of the image directory.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        Ok(Self { images: images::read(directory)?, reader: None })
    }

    /// The processes that are not restored.
    pub(crate) fn left(&self) -> Vec<i32> {
        self.images.keys().copied().collect()
    }

    /// Restores the lists of a process, if it has some.
    pub(crate) fn process(&mut self, pid: i32) -> Result<()> {
        if self.images.is_empty() {
            return Ok(());
        }
        // CRIU before 4.0 asks also for processes that it only made for as long as the restore takes. Those that are held are there.
        let Some(status) = Status::of(pid) else { return Ok(()) };
        let inner_pid = status.inner_tgid;
        let Some(image) = self.images.remove(&inner_pid) else { return Ok(()) };
        let threads = threads::by_inner(status);
        into(pid, &threads, &image)
            .and_then(|()| self.verify(pid, &threads, &image))
            .with_context(|| format!("the undo list of process {inner_pid}"))
    }

    /// Reads the lists of a process, which must be those of the image.
    fn verify(&mut self, pid: i32, threads: &BTreeMap<i32, Status>, image: &Image) -> Result<()> {
        let reader = match self.reader.get_or_insert_with(|| Bpf::load_pinned().map(Box::new)) {
            Ok(reader) => reader,
            Err(error) => {
                criu::info(&format!("the restored lists are not read again: {error}"));
                return Ok(());
            }
        };
        let lists = reader.read(&Select::Pids(vec![pid])).context("reading it again")?;
        for list in image.lists() {
            for task in &list.tasks {
                let thread = thread(threads, task.tid)?;
                let is = undo_list::of_thread(&lists, thread.tid).map_or(&[][..], |list| &list.adjustments);
                ensure!(*is == list.adjustments, "thread {} has {is:?} instead of what was saved", task.tid);
            }
        }
        Ok(())
    }
}

/// Puts the lists of an image into the threads of a process.
fn into(pid: i32, threads: &BTreeMap<i32, Status>, image: &Image) -> Result<()> {
    let adopt = |list: &UndoList| Ok::<Adopted, anyhow::Error>(inject::adopt(thread(threads, list.tasks[0].tid)?)?);
    let namespace = IpcNamespace::of(pid).context("its IPC namespace")?;
    let work = || {
        let (common, others) = threads::saved(image)?;
        for list in others {
            let mut thread = adopt(list)?;
            thread.unshare_undo_list()?.context("unshare(2) of the undo list")?;
            list_into(thread, image, list)?;
        }
        list_into(adopt(common)?, image, common)
    };
    namespace.run_here(work).context("its IPC namespace cannot be entered")?
}

/// The thread that has this number in its process.
fn thread(threads: &BTreeMap<i32, Status>, inner: i32) -> Result<&Status> {
    threads.get(&inner).with_context(|| format!("it has no thread {inner}"))
}

/// Puts a list into a thread that has an empty one.
fn list_into(mut thread: Adopted, image: &Image, list: &UndoList) -> Result<()> {
    let wanted = Wanted::of_image(image, list).with_same_values();
    let report = match restore::into_adopted(&mut thread, &[], &wanted) {
        Err(Error::Call { error, .. }) if error.raw_os_error() == Some(libc::EACCES) => {
            with_permission(&wanted, || restore::into_adopted(&mut thread, &[], &wanted))?
        }
        result => result?,
    };
    thread.release()?;
    for note in &report.notes {
        criu::info(note);
    }
    criu::info(&format!("{} sets are in the undo list of thread {} again", report.changed.len(), list.tasks[0].tid));
    Ok(())
}

/// Does `work` while everybody has permission to use the sets, for a task that has given up its rights since it used them. Nobody else
/// is there who could make use of that: all tasks of the namespace are held.
fn with_permission(wanted: &Wanted, work: impl FnOnce() -> Result<Report, Error>) -> Result<Report> {
    let mut widened = Vec::new();
    let result = (|| {
        for (semid, _) in wanted.sets() {
            let set = SemSet::from_id(semid);
            let stat = set.stat()?;
            if stat.mode & EVERYBODY != EVERYBODY {
                set.set_permissions(stat.uid, stat.gid, stat.mode | EVERYBODY)?;
                widened.push((set, stat));
            }
        }
        Ok::<_, io::Error>(())
    })();
    let result = result.context("a set to which its process has no permission any more").and_then(|()| Ok(work()?));
    let back = widened.iter().try_for_each(|(set, Stat { uid, gid, mode, .. })| set.set_permissions(*uid, *gid, *mode));
    let report = result?;
    back.context("a set's mode cannot be set back")?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::ptrace::{self, Options};
    use nix::sys::wait::{WaitPidFlag, waitpid};
    use nix::unistd::Pid;
    use semundo::image::SavedSet;
    use semundo::sysv::TempSet;
    use semundo::{Adjustments, Task};
    use std::fs;

    const NOBODY: u32 = 65534;

    /// A child that this thread holds, as CRIU holds a task, until it is killed.
    struct Held(Pid);

    impl Held {
        fn new(uid: u32) -> Self {
            // SAFETY: the child makes system calls only.
            let pid = unsafe { libc::fork() };
            assert!(pid >= 0);
            if pid == 0 {
                // SAFETY: of numbers only.
                unsafe {
                    libc::setresuid(uid, uid, uid);
                    // Whose ids change loses it.
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    loop {
                        libc::pause();
                    }
                }
            }
            let status = || fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let is_ready =
                |status: &str| status.contains(&format!("Uid:\t{uid}\t{uid}\t")) && status.contains("State:\tS");
            while !is_ready(&status()) {
                std::thread::yield_now();
            }
            let held = Pid::from_raw(pid);
            ptrace::seize(held, Options::PTRACE_O_TRACESYSGOOD).unwrap();
            ptrace::interrupt(held).unwrap();
            waitpid(held, Some(WaitPidFlag::__WALL)).unwrap();
            Self(held)
        }

        fn pid(&self) -> i32 {
            self.0.as_raw()
        }

        fn threads(&self) -> BTreeMap<i32, Status> {
            threads::by_inner(Status::of(self.pid()).unwrap())
        }

        fn kill(self) {
            ptrace::kill(self.0).unwrap();
            waitpid(self.0, Some(WaitPidFlag::__WALL)).unwrap();
        }
    }

    /// What a dump of the child would have been.
    fn image(held: &Held, set: &SemSet, semadj: &[i16]) -> Image {
        let ipc_namespace = IpcNamespace::own().unwrap().inode();
        let saved = SavedSet::read(ipc_namespace, set.id()).unwrap();
        let adjustments = vec![Adjustments { semid: set.id(), semadj: semadj.to_vec() }];
        let tasks = vec![Task { pid: held.pid(), tid: held.pid(), comm: "x".to_owned() }];
        Image::new(vec![saved], vec![UndoList { tasks, ipc_namespace, adjustments }]).unwrap()
    }

    fn set(mode: u32) -> TempSet {
        let set = TempSet::create(2, mode).unwrap();
        set.set_values(&[5, 7]).unwrap();
        set
    }

    #[test]
    fn a_task_that_gave_up_its_rights_gets_its_list() {
        for mode in [0o600, 0o604, 0] {
            let (set, held) = (set(mode), Held::new(NOBODY));
            let before = set.stat().unwrap();
            into(held.pid(), &held.threads(), &image(&held, &set, &[2, -3])).unwrap();
            assert_eq!(set.stat().unwrap(), before, "{mode:o}");
            held.kill();
            assert_eq!(set.values().unwrap(), [7, 4]);
        }
    }

    #[test]
    fn a_mode_is_set_back_also_where_the_restore_fails() {
        let (set, held) = (set(0o600), Held::new(NOBODY));
        let wanted = Wanted::of_image(&image(&held, &set, &[2, -3]), &image(&held, &set, &[2, -3]).lists()[0]);
        let error = with_permission(&wanted, || {
            assert_eq!(set.stat().unwrap().mode, 0o666);
            Err(Error::Restless(7))
        });
        assert!(error.unwrap_err().to_string().contains("process 7"));
        assert_eq!(set.stat().unwrap().mode, 0o600);
        held.kill();
    }

    #[test]
    fn what_is_read_again_must_be_what_was_saved() {
        let (set, held) = (set(0o600), Held::new(0));
        let threads = held.threads();
        let mut restore = Restore { images: BTreeMap::new(), reader: None };
        let image_of = |semadj: &[i16]| image(&held, &set, semadj);
        into(held.pid(), &threads, &image_of(&[2, 0])).unwrap();
        restore.verify(held.pid(), &threads, &image_of(&[2, 0])).unwrap();
        assert!(matches!(restore.reader, Some(Ok(_))), "this test reads undo lists by BPF, which takes root");
        for other in [[1, 0], [2, 1]] {
            let error = restore.verify(held.pid(), &threads, &image_of(&other)).unwrap_err().to_string();
            assert!(error.contains("instead of what was saved"), "{error}");
        }
        held.kill();
        assert_eq!(set.values().unwrap(), [7, 7]);
    }

    #[test]
    fn a_set_that_is_not_as_it_was_is_refused() {
        let (set, held) = (set(0o600), Held::new(0));
        let image = image(&held, &set, &[2, 0]);
        set.set_value(1, 8).unwrap();
        let error = format!("{:#}", into(held.pid(), &held.threads(), &image).unwrap_err());
        assert!(error.contains("semaphore 1 is 8, was 7"), "{error}");
        held.kill();
        assert_eq!(set.values().unwrap(), [5, 8]);
    }

    #[test]
    fn a_thread_that_is_missing_is_told() {
        let (set, held) = (set(0o600), Held::new(0));
        let error = into(held.pid(), &BTreeMap::new(), &image(&held, &set, &[2, 0])).unwrap_err().to_string();
        assert!(error.contains(&format!("no thread {}", held.pid())), "{error}");
        held.kill();
    }
}
