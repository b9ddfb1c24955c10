//! Processes to inject calls into: children that run a function, and tell by shared memory what they see.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use semundo::inject::{Error, Stopped};
use semundo::processes;
use semundo::sysv::TempSet;
use semundo_core::plan::{Op, Plan, SEMOPM};

use super::calls::{call, futex_wake};

/// How long anything may take that is to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often each kind of target is injected into.
pub const ROUNDS: i16 = 100;

/// What parent and child share. The child begins to write when `begun`, and should end when `end`.
#[derive(Default)]
#[repr(C)]
pub struct Shared {
    pub begun: AtomicU32,
    pub end: AtomicU32,
    /// What the call returned that the target was in.
    pub returned: AtomicI64,
    pub errno: AtomicI64,
    /// How long it took, in microseconds.
    pub elapsed: AtomicU64,
    /// Signal handlers that ran.
    pub signals: AtomicU64,
    /// What else a target has to tell.
    pub told: [AtomicU64; 4],
}

impl Shared {
    pub fn is_to_end(&self) -> bool {
        self.end.load(SeqCst) != 0
    }

    /// Makes a call, and notes its result, its errno and how long it took.
    pub fn note(&self, call: impl FnOnce() -> i64) {
        self.begun.store(1, SeqCst);
        let start = Instant::now();
        let returned = call();
        self.errno.store(io::Error::last_os_error().raw_os_error().unwrap_or(0).into(), SeqCst);
        self.elapsed.store(start.elapsed().as_micros() as u64, SeqCst);
        self.returned.store(returned, SeqCst);
    }

    pub fn returned(&self) -> i64 {
        self.returned.load(SeqCst)
    }

    /// The errno of a call that returned -1.
    pub fn errno(&self) -> i32 {
        assert_eq!(self.returned(), -1);
        self.errno.load(SeqCst) as i32
    }

    pub fn elapsed(&self) -> Duration {
        Duration::from_micros(self.elapsed.load(SeqCst))
    }

    pub fn signals(&self) -> u64 {
        self.signals.load(SeqCst)
    }

    pub fn told(&self, index: usize) -> u64 {
        self.told[index].load(SeqCst)
    }
}

/// A child, killed at the end if it still lives.
pub struct Target {
    pub pid: i32,
    shared: *const Shared,
    is_waited_for: bool,
}

impl Target {
    /// A child that runs `body` and exits with status 0.
    pub fn run(body: impl FnOnce(&'static Shared)) -> Self {
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, of zeroes, which are a valid `Shared`; it is unmapped when nobody has a reference any more.
        let shared = unsafe { libc::mmap(ptr::null_mut(), size_of::<Shared>(), access, flags, -1, 0) };
        assert_ne!(shared, libc::MAP_FAILED);
        let shared = shared.cast::<Shared>().cast_const();
        // SAFETY: the child runs only `body` and ends by _exit.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0, "fork: {}", io::Error::last_os_error());
        if pid == 0 {
            // SAFETY: of numbers only; the mapping lives as long as the child.
            let shared: &'static Shared = unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                &*shared
            };
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body(shared)));
            // SAFETY: ends the child, without what is registered to run at the exit of the parent.
            unsafe { libc::_exit(if result.is_ok() { 0 } else { 101 }) }
        }
        Self { pid, shared, is_waited_for: false }
    }

    /// As [`run`](Self::run), and waits until it has begun.
    pub fn begun(body: impl FnOnce(&'static Shared)) -> Self {
        let target = Self::run(body);
        until("a target begins", || target.begun.load(SeqCst) != 0);
        target
    }

    /// As [`run`](Self::run), and waits until its first thread sleeps in a system call.
    pub fn asleep_in(call: i64, body: impl FnOnce(&'static Shared)) -> Self {
        let target = Self::run(body);
        target.falls_asleep_in(call);
        target
    }

    pub fn falls_asleep_in(&self, call: i64) {
        until("a target falls asleep", || asleep_in(self.pid) == Some(call));
    }

    /// All its threads, stopped.
    pub fn stop(&self) -> Result<Stopped, Error> {
        Stopped::seize(&processes::threads(self.pid))
    }

    /// Tells it to end.
    pub fn end(&self) {
        self.end.store(1, SeqCst);
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: takes numbers only; the child is not yet waited for.
        assert_eq!(unsafe { libc::kill(self.pid, signal) }, 0);
    }

    /// The letter of its state.
    pub fn state(&self) -> char {
        state(self.pid)
    }

    pub fn is_in_state(&self, state: char) {
        until("a target's state", || self.state() == state);
    }

    /// A line of `/proc/PID/status`.
    pub fn status(&self, name: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
    }

    /// Waits for its end, which must be an exit with status 0.
    pub fn exits(&mut self) {
        assert_eq!(self.wait(), Some(0), "0 is an exit with status 0");
    }

    /// Waits for its end: what `waitpid(2)` says; `None` if it does not end.
    pub fn wait(&mut self) -> Option<i32> {
        let start = Instant::now();
        let mut status = 0;
        // SAFETY: writes one `c_int`.
        while unsafe { libc::waitpid(self.pid, &raw mut status, libc::WNOHANG) } != self.pid {
            if start.elapsed() > PATIENCE {
                return None;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        self.is_waited_for = true;
        Some(status)
    }
}

impl std::ops::Deref for Target {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        // SAFETY: mapped as long as this lives.
        unsafe { &*self.shared }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.is_waited_for {
            // What a target has started has only this to go by.
            futex_wake(&self.end);
            call!(libc::SYS_kill, self.pid, libc::SIGKILL);
            let _ = self.wait();
        }
        // SAFETY: mapped by `run`; references to it do not outlive this.
        unsafe { libc::munmap(self.shared.cast_mut().cast(), size_of::<Shared>()) };
    }
}

/// Waits until something is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// The letter of a thread's state in `/proc/TID/stat`.
fn state(tid: i32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{tid}/stat")).unwrap();
    stat[stat.rfind(") ").unwrap() + 2..].chars().next().unwrap()
}

/// The system call in which a thread sleeps. That of one that has just been released is shown before it is in it again: its state is
/// what tells.
pub fn asleep_in(tid: i32) -> Option<i64> {
    let is_asleep = state(tid) == 'S';
    let call = std::fs::read_to_string(format!("/proc/{tid}/syscall")).unwrap();
    call.split(' ').next()?.parse().ok().filter(|number| is_asleep && *number >= 0)
}

/// The call that makes the adjustment of the only semaphore of a set larger by one, and leaves its value, which must be below 32767.
pub fn one_more() -> Vec<Op> {
    let mut buffer = [Op::default(); SEMOPM];
    Plan::new(&[0], &[1], &[1], &mut buffer).unwrap().next_call().unwrap().to_vec()
}

/// A set of one semaphore whose value is 1, which the undo lists of targets are to change.
pub fn set() -> TempSet {
    let set = TempSet::create(1, 0o600).unwrap();
    set.set_value(0, 1).unwrap();
    set
}

/// Stops the target and makes it call, again and again, with pauses that are `spread` together; all must succeed. Its exit will then add
/// [`ROUNDS`] to the semaphore. Answers for how long it was stopped.
pub fn inject_often(target: &Target, set: &TempSet, spread: Duration) -> Duration {
    let mut time = Duration::ZERO;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut stopped = target.stop().unwrap();
        stopped.semop(set.id(), &one_more()).unwrap().unwrap();
        stopped.release().unwrap();
        time += start.elapsed();
        std::thread::sleep(spread / ROUNDS as u32);
    }
    assert_eq!(set.get_value(0).unwrap(), 1, "the value stays");
    time
}

/// Waits for the target's exit, and sees that its undo list was what was injected.
pub fn exit_gives_back(target: &mut Target, set: &TempSet) {
    target.exits();
    assert_eq!(set.get_value(0).unwrap(), 1 + ROUNDS as u16, "the exit applies the adjustment");
}
