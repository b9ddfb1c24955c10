//! A program that runs: started, waited for, and ended, whatever happens to the test.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, setsid};
use semundo::ipc_namespace::IpcNamespace;
use semundo::source::bpf::Bpf;
use semundo::sysv::SemSet;
use semundo::{Select, Source};

use crate::PROGRAM;
use crate::call::exit_now;
use crate::end::End;
use crate::programs::Program;
use crate::work::Work;

/// How long anything may take that is to happen.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The largest number of sets that a program makes; their identifiers begin at 0 in a new IPC namespace.
const MOST_SETS: i32 = 16;

/// Makes processes whose parent has ended our children. What was open when we were started is not for programs.
pub fn adopt_orphans() {
    prctl::set_child_subreaper(true).unwrap();
    // SAFETY: it only marks descriptors.
    unsafe { libc::close_range(3, !0, libc::CLOSE_RANGE_CLOEXEC as i32) };
}

/// Waits until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A program's processes.
pub struct Running {
    /// What runs.
    pub program: &'static Program,
    /// The number of its first process.
    pub pid: i32,
}

impl Running {
    /// Starts it and waits until it is where it is to be checkpointed. `work` is its working directory.
    pub fn start(program: &'static Program, work: &Work) -> Self {
        let output = File::create(work.file("output")).unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([PROGRAM, program.name]).current_dir(work.path());
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let flags = program.namespaces;
        // SAFETY: between fork and exec the closure makes system calls and allocates nothing.
        unsafe {
            command.pre_exec(move || {
                unshare(flags)?;
                // Only children are in a new pid namespace.
                if flags.contains(CloneFlags::CLONE_NEWPID)
                    && let ForkResult::Parent { .. } = fork()?
                {
                    exit_now(0);
                }
                setsid()?;
                Ok(())
            })
        };
        #[expect(clippy::zombie_processes, reason = "it is waited for as one of all children")]
        let mut child = command.spawn().unwrap();
        let mut running = Self { program, pid: child.id() as i32 };
        if flags.contains(CloneFlags::CLONE_NEWPID) {
            child.wait().unwrap();
            until("the first process is there", || children().len() == 1);
            running.pid = children()[0];
        }
        running.settles(work);
        running
    }

    /// Waits until it is where it is to be checkpointed.
    pub fn settles(&self, work: &Work) {
        until(&format!("{} is ready", self.program.name), || {
            assert!(exists(self.pid), "{} has ended: {}", self.program.name, work.read("output"));
            work.names(".", "ready-").len() == self.program.ready
        });
        (self.program.settle)(self);
    }

    /// What a restore has made.
    pub fn restored(program: &'static Program, pid: i32) -> Self {
        assert!(exists(pid), "{} was not restored", program.name);
        Self { program, pid }
    }

    /// Its processes, itself first.
    pub fn tree(&self) -> Vec<i32> {
        let mut tree = semundo::processes::tree(self.pid);
        tree.sort_by_key(|pid| (*pid != self.pid, *pid));
        tree
    }

    /// All undo lists of its processes, as the kernel has them, in a fixed order.
    pub fn undo_lists(&self) -> Vec<String> {
        let lists = Bpf::load().and_then(|bpf| bpf.read(&Select::Pids(self.tree()))).unwrap();
        let mut lists: Vec<_> = lists.iter().map(|list| format!("{:?}", list.adjustments)).collect();
        lists.sort();
        lists
    }

    /// Does something in its IPC namespace.
    pub fn in_namespace<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        IpcNamespace::of(self.pid).unwrap().run(work).unwrap()
    }

    /// Sends a signal to all its processes.
    pub fn signal(&self, signal: Signal) {
        // The first process of a pid namespace takes the others with it.
        for pid in self.tree().into_iter().rev() {
            kill(Pid::from_raw(pid), signal).unwrap();
        }
    }

    /// Brings it to its end, and tells what it leaves behind.
    pub fn end(self, work: &Work) -> End {
        let namespace = IpcNamespace::of(self.pid).unwrap();
        (self.program.finish)(&self, work);
        let status = reap(self.pid);
        let values = namespace.run(|| (0..MOST_SETS).filter_map(|id| SemSet::from_id(id).values().ok()).collect());
        End { values: values.unwrap(), status, told: work.read("told") }
    }

    /// Waits until all of it have ended that a checkpoint has killed.
    pub fn was_killed(self) {
        assert_eq!(reap(self.pid), libc::SIGKILL, "the checkpoint kills it");
    }
}

/// Whether there is such a process, which has not ended.
pub fn exists(pid: i32) -> bool {
    state(pid).is_some_and(|state| state != 'Z')
}

/// The letter of a thread's state.
pub fn state(tid: i32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{tid}/stat")).ok()?;
    stat[stat.rfind(") ")? + 2..].chars().next()
}

/// Waits until a thread sleeps in semop or semtimedop: which of the two the first is depends on the C library.
pub fn falls_asleep_in_semop(tid: i32) {
    until("a process falls asleep", || {
        // The call of one that has just been released is shown before it sleeps in it.
        let is_asleep = state(tid) == Some('S');
        let shown = fs::read_to_string(format!("/proc/{tid}/syscall")).unwrap();
        let call = shown.split(' ').next().and_then(|number| number.parse().ok());
        is_asleep && [Some(libc::SYS_semop), Some(libc::SYS_semtimedop)].contains(&call)
    });
}

/// Waits until all our children have ended, and tells how this one did.
fn reap(first: i32) -> i32 {
    let (start, mut status) = (Instant::now(), None);
    loop {
        match wait_for_any() {
            Ok(Some((pid, ended))) if pid == first => status = Some(ended),
            Ok(Some(_)) => {}
            Ok(None) => {
                assert!(start.elapsed() < PATIENCE, "not all processes end: {:?}", children());
                thread::sleep(Duration::from_millis(1));
            }
            Err(_) => return status.expect("the first process is our child"),
        }
    }
}

/// A child that has ended, and how; none where all still run. `ECHILD` where there is none at all.
fn wait_for_any() -> io::Result<Option<(i32, i32)>> {
    let mut status = 0;
    // SAFETY: writes one number.
    match unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(None),
        pid => Ok(Some((pid, status))),
    }
}

fn children() -> Vec<i32> {
    let own = fs::read_to_string("/proc/thread-self/children").unwrap();
    own.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

/// Waits until nobody of a program is left.
pub fn all_have_ended() {
    until("all processes have ended", || {
        loop {
            match wait_for_any() {
                Ok(Some(_)) => {}
                Ok(None) => return false,
                Err(_) => return true,
            }
        }
    });
}

/// Waits until all processes of a program are stopped.
pub fn is_stopped(running: &Running) {
    until("it is stopped", || running.tree().iter().all(|pid| state(*pid) == Some('T')));
}

/// Runs a command of others to its end, which must come.
pub fn run(command: &mut Command) -> io::Result<ExitStatus> {
    let mut child = command.spawn()?;
    let mut status = None;
    until(&format!("{} ends", command.get_program().display()), || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    Ok(status.expect("it has ended"))
}

/// Kills all our descendants.
pub fn kill_all() {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let all = semundo::processes::tree(std::process::id() as i32);
        for pid in all.into_iter().filter(|pid| *pid != std::process::id() as i32) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return,
            Ok(WaitStatus::StillAlive) | Err(_) => thread::sleep(Duration::from_millis(1)),
            Ok(_) => {}
        }
    }
}
