//! The source that a kernel with the patch series gives: `/proc/PID/task/TID/semundo`.
//!
//! A file shows one thread's list; which threads share one is what `kcmp(2)` compares.

use std::fs;
use std::io;
use std::path::Path;

use super::{Error, Select, Source};
use crate::ipc_namespace::IpcNamespace;
use crate::proc;
use crate::processes;
use crate::undo_list::{Task, UndoList};

/// `enum kcmp_type` of `linux/kcmp.h`.
const KCMP_SYSVSEM: libc::c_int = 6;

/// The files of a kernel with `CONFIG_PROC_SEMUNDO`. Processes that the caller may not ptrace are left out, unless they were selected.
#[derive(Debug)]
pub struct InTree(());

impl InTree {
    /// [`Error::Unavailable`] where the kernel has no such files.
    pub fn open() -> Result<Self, Error> {
        match fs::metadata("/proc/thread-self/semundo") {
            Ok(_) => Ok(Self(())),
            Err(_) => Err(Error::Unavailable("the kernel has no /proc/PID/semundo (CONFIG_PROC_SEMUNDO)".to_owned())),
        }
    }
}

impl Source for InTree {
    fn name(&self) -> &'static str {
        "in-tree"
    }

    fn read(&self, select: &Select) -> Result<Vec<UndoList>, Error> {
        select.check()?;
        let mut lists: Vec<UndoList> = Vec::new();
        for pid in processes::all() {
            for tid in processes::threads(pid) {
                let path = format!("/proc/{pid}/task/{tid}/semundo");
                let adjustments = match proc::own_from(&path) {
                    Ok(adjustments) => adjustments,
                    Err(_) if !Path::new(&format!("/proc/{pid}/task/{tid}")).exists() => continue,
                    Err(error) if matches!(select, Select::Pids(_)) && select.takes(pid) => return Err(error.into()),
                    Err(_) => continue,
                };
                if adjustments.is_empty() {
                    continue;
                }
                let task = Task { pid, tid, comm: processes::comm(tid).unwrap_or_default() };
                let mut shared = None;
                for list in &mut lists {
                    if share(list.tasks[0].tid, tid)? {
                        shared = Some(list);
                        break;
                    }
                }
                match shared {
                    Some(list) => list.tasks.push(task),
                    None => {
                        let ipc_namespace = IpcNamespace::of(tid).map_or(0, |namespace| namespace.inode());
                        lists.push(UndoList { tasks: vec![task], ipc_namespace, adjustments });
                    }
                }
            }
        }
        lists.retain(|list| list.tasks.iter().any(|task| select.takes(task.pid)));
        Ok(lists)
    }
}

/// Whether two threads share their undo list; those that are gone share none.
fn share(one: i32, other: i32) -> Result<bool, Error> {
    // SAFETY: kcmp takes numbers only.
    match unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_SYSVSEM, 0, 0) } {
        0 => Ok(true),
        -1 => match io::Error::last_os_error() {
            gone if gone.raw_os_error() == Some(libc::ESRCH) => Ok(false),
            error => Err(Error::Io(format!("kcmp(2) of the threads {one} and {other}"), error)),
        },
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysv::{Op, TempSet};
    use nix::sched::{CloneFlags, unshare};
    use nix::unistd::gettid;
    use std::sync::mpsc;
    use std::thread;

    #[test]
    fn threads_share_a_list_unless_one_has_its_own() {
        let set = TempSet::create(1, 0o600).unwrap();
        set.op(&[Op::new(0, 1).undo()]).unwrap();
        let (told, tells) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let other = thread::spawn(move || {
            told.send(gettid().as_raw()).unwrap();
            let _ = ended.recv();
            unshare(CloneFlags::CLONE_SYSVSEM).unwrap();
            told.send(0).unwrap();
            let _ = ended.recv();
        });
        let (own, tid) = (gettid().as_raw(), tells.recv().unwrap());
        assert!(share(own, tid).unwrap());
        end.send(()).unwrap();
        tells.recv().unwrap();
        assert!(!share(own, tid).unwrap());
        drop(end);
        other.join().unwrap();
        assert!(!share(own, i32::MAX).unwrap());
    }
}
