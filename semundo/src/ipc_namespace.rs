//! IPC namespaces: which one a process is in, and work done inside another one.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::processes;

/// An IPC namespace, kept alive while this exists.
#[derive(Debug)]
pub struct IpcNamespace {
    file: File,
    inode: u64,
}

impl IpcNamespace {
    /// The caller's own.
    pub fn own() -> io::Result<Self> {
        Self::open("/proc/thread-self/ns/ipc")
    }

    /// That of a process or thread. `PermissionDenied` where the caller may not ptrace it.
    pub fn of(pid: i32) -> io::Result<Self> {
        Self::open(&format!("/proc/{pid}/ns/ipc")).or_else(|error| {
            // A first thread that has ended has none, while others go on.
            let others = processes::threads(pid).into_iter().map(|tid| format!("/proc/{pid}/task/{tid}/ns/ipc"));
            others.filter_map(|path| Self::open(&path).ok()).next().ok_or(error)
        })
    }

    /// Those of all processes that the caller may ptrace, ascending by inode.
    pub fn all() -> Vec<Self> {
        let processes = processes::all().into_iter();
        let mut all: Vec<Self> = processes.filter_map(|pid| Self::of(pid).ok()).collect();
        all.sort_unstable_by_key(Self::inode);
        all.dedup_by_key(|namespace| namespace.inode);
        all
    }

    /// The one with this inode, where the caller may ptrace some process in it.
    pub fn find(inode: u64) -> Option<Self> {
        let own = Self::own().ok().filter(|own| own.inode == inode);
        let others = || processes::all().into_iter().filter_map(|pid| Self::of(pid).ok());
        own.or_else(|| others().find(|namespace| namespace.inode == inode))
    }

    fn open(path: &str) -> io::Result<Self> {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        Ok(Self { file, inode })
    }

    /// Takes the calling thread into it.
    fn enter(&self) -> io::Result<()> {
        Ok(setns(&self.file, CloneFlags::CLONE_NEWIPC)?)
    }

    /// Its inode number, by which namespaces are told apart: `ipc:[INODE]` in `/proc/PID/ns/ipc`.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// Does `work` inside it: at once where it is the caller's own, else on a thread that enters it (`setns(2)`), which takes
    /// `CAP_SYS_ADMIN`.
    ///
    /// ```
    /// use semundo::{ipc_namespace::IpcNamespace, sysv::SemSet};
    ///
    /// let namespace = IpcNamespace::of(std::process::id() as i32)?;
    /// assert!(namespace.run(|| SemSet::from_id(0x7fff_0000).stat())?.is_err());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        if self.inode == Self::own()?.inode {
            return Ok(work());
        }
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter()?;
                Ok(work())
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// As [`run`](Self::run), but on the calling thread, which comes back afterwards: for work that no other thread can do, such as that
    /// of a tracer. The thread's own undo list is applied where it enters another namespace (`ipc/sem.c: exit_sem`).
    pub fn run_here<T>(&self, work: impl FnOnce() -> T) -> io::Result<T> {
        let own = Self::own()?;
        if self.inode == own.inode {
            return Ok(work());
        }
        self.enter()?;
        let back = Back(&own);
        let result = work();
        std::mem::forget(back);
        own.enter()?;
        Ok(result)
    }
}

/// The namespace that the calling thread is taken back to where its work in another one panics.
struct Back<'a>(&'a IpcNamespace);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        self.0.enter().expect("a thread that left a namespace may come back");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sysv::TempSet;
    use nix::sched::unshare;

    #[test]
    fn work_runs_inside_another_namespace() {
        let (own, inside) = (IpcNamespace::own().unwrap(), TempSet::create(3, 0o600).unwrap());
        let (id, inode) = (inside.id(), own.inode());
        // A thread that went elsewhere still reaches the set by the namespace.
        let seen = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWIPC).unwrap();
            assert_ne!(IpcNamespace::own().unwrap().inode(), inode);
            let elsewhere = crate::sysv::SemSet::from_id(id).stat();
            (elsewhere.is_err(), own.run(move || crate::sysv::SemSet::from_id(id).stat().unwrap().nsems).unwrap())
        });
        assert_eq!(seen.join().unwrap(), (true, 3));
    }

    #[test]
    fn a_thread_comes_back_from_another_namespace() {
        let (home, inside) = (IpcNamespace::own().unwrap(), TempSet::create(3, 0o600).unwrap());
        let set = *inside;
        thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWIPC).unwrap();
            let away = IpcNamespace::own().unwrap().inode();
            assert_eq!(home.run_here(|| set.stat().unwrap().nsems).unwrap(), 3);
            assert_eq!(IpcNamespace::own().unwrap().inode(), away);
            let panics = std::panic::catch_unwind(|| home.run_here(|| panic!("on purpose")));
            assert!(panics.is_err());
            assert_eq!(IpcNamespace::own().unwrap().inode(), away);
        })
        .join()
        .unwrap();
    }
}
