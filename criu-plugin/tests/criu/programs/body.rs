//! What the programs do. Each makes its sets, whose identifiers begin at 0, and takes or gives with SEM_UNDO.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::wait::wait;
use nix::unistd::setsid;
use semundo::sysv::SemSet;

use super::ready;
use crate::call;

pub use semundo::sysv::Op;

/// The set in whose only semaphore programs sleep.
pub const SLEEPS_IN: i32 = 1;

/// A set with these values.
fn set(values: &[u16]) -> SemSet {
    let set = SemSet::create(values.len(), 0o600).unwrap();
    set.set_values(values).unwrap();
    set
}

/// Adds to a semaphore; the end of the process takes it back.
fn add(set: SemSet, semaphore: u16, amount: i16) {
    set.op(&[Op::new(semaphore, amount).undo()]).unwrap();
}

/// Adds a line to what the program tells.
fn tell(line: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open("told").unwrap();
    file.write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Two sets; the values 3 5 8 are to become 5 5 5, and 1 is to become 2.
pub fn one() {
    let (several, single) = (set(&[5, 5, 5]), set(&[2]));
    add(several, 0, -2);
    add(several, 2, 3);
    add(single, 0, -1);
    ready("one");
}

/// Three processes with adjustments in one set, one of them also in another.
pub fn several() {
    let (shared, other) = (set(&[20, 20]), set(&[7]));
    for (name, amount) in [("first", -1), ("second", -5)] {
        if call::fork(0) {
            add(shared, 0, amount);
            add(shared, 1, -amount);
            ready(name);
            return;
        }
    }
    add(shared, 1, -3);
    add(other, 0, 2);
    ready("parent");
}

/// A list that all threads share, filled by one of them.
pub fn thread() {
    let set = set(&[4, 4]);
    thread::spawn(move || {
        add(set, 0, -3);
        add(set, 1, 1);
        ready("thread");
        loop {
            thread::park();
        }
    });
}

/// A list of the first thread, and one of another thread alone.
pub fn thread_own_list() {
    let set = set(&[9, 9]);
    thread::spawn(move || {
        call::own_undo_list();
        add(set, 0, -4);
        ready("thread");
        loop {
            thread::park();
        }
    });
    add(set, 1, -6);
    ready("first");
}

/// Holds one semaphore and sleeps for another one, which is given after the restore.
pub fn asleep() {
    let (held, awaited) = (set(&[1, 6]), set(&[0]));
    add(held, 0, -1);
    add(held, 1, 2);
    ready("asleep");
    let result = awaited.op(&[Op::new(0, -1).undo()]);
    tell(&format!("{result:?}"));
}

/// The same, in a call that has a limit.
pub fn asleep_with_limit() {
    let (held, awaited) = (set(&[1]), set(&[0]));
    add(held, 0, -1);
    ready("asleep");
    let mut op = libc::sembuf { sem_num: 0, sem_op: -1, sem_flg: libc::SEM_UNDO as i16 };
    let limit = libc::timespec { tv_sec: 3600, tv_nsec: 0 };
    // SAFETY: one operation and one limit are read.
    let result = unsafe { libc::syscall(libc::SYS_semtimedop, awaited.id(), &raw mut op, 1, &raw const limit) };
    let result = if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) };
    tell(&format!("{result:?}"));
}

/// Signals that a timer has sent.
static ALARMS: AtomicU64 = AtomicU64::new(0);

extern "C" fn alarm(_: i32) {
    ALARMS.fetch_add(1, Relaxed);
}

/// Computes, interrupted 20,000 times a second, and sees that its registers stay what they are.
pub fn busy() {
    let set = set(&[10]);
    add(set, 0, -9);
    call::handle(libc::SIGALRM, alarm);
    call::timer(50);
    ready("busy");
    loop {
        let before = ALARMS.load(Relaxed);
        let (mut sum, mut float) = (0_u64, 0.0_f64);
        for n in 0..100_000_u64 {
            sum = sum.wrapping_add(std::hint::black_box(n));
            float += std::hint::black_box(0.5);
        }
        if (sum, float) != (4_999_950_000, 50_000.0) {
            tell(&format!("{sum} {float} after {before} signals"));
        }
    }
}

/// May not call what the plugin has to make it call.
pub fn seccomp() {
    let set = set(&[5]);
    add(set, 0, -5);
    ready("seccomp");
    call::forbid_semop();
}

/// The largest adjustments there can be, both ways.
pub fn limits() {
    let set = set(&[0, 32767, 0]);
    add(set, 0, 32767);
    add(set, 1, -32767);
    add(set, 2, 32767);
    // -32768: one more is given, and then taken without undo.
    set.op(&[Op::new(2, -1)]).unwrap();
    add(set, 2, 1);
    // Values that leave no room for either order of a pair.
    set.op(&[Op::new(0, -767), Op::new(1, 100), Op::new(2, -1)]).unwrap();
    ready("limits");
}

/// Values at both ends, with adjustments up and down.
pub fn extremes() {
    let set = set(&[2, 32765, 5, 32760, 0, 32767]);
    add(set, 0, -2);
    add(set, 1, 2);
    // From here on the end goes beyond what a value can be, and the kernel stops there.
    add(set, 2, -5);
    set.op(&[Op::new(2, 32767)]).unwrap();
    add(set, 3, 7);
    set.op(&[Op::new(3, -32767)]).unwrap();
    add(set, 4, 300);
    set.op(&[Op::new(4, -300)]).unwrap();
    add(set, 5, -300);
    set.op(&[Op::new(5, 300)]).unwrap();
    ready("extremes");
}

/// More adjustments in one set than one call of the restore can make, and several sets.
pub fn many() {
    let large = set(&[100; 700]);
    for semaphore in 0..700 {
        add(
            large,
            semaphore,
            if semaphore % 2 == 0 { -1 - (semaphore % 90) as i16 } else { 1 + (semaphore % 7) as i16 },
        );
    }
    for n in 1..10 {
        add(set(&[n, n]), 1, -(n as i16));
    }
    ready("many");
}

/// Has adjustments in a set of root's, and is nobody by now.
pub fn nobody() {
    let set = set(&[8]);
    add(set, 0, -7);
    ready("nobody");
    call::become_nobody();
    // A process whose ids change is not dumpable, and then it is not ours to look at.
    // SAFETY: takes numbers.
    call::checked("prctl", unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) }.into());
}

/// Pid, IPC and mount namespaces of its own, and a child there.
pub fn namespaces() {
    set_up_namespaces();
    let set = set(&[6, 6]);
    if call::fork(0) {
        add(set, 1, -2);
        ready("child");
        return;
    }
    add(set, 0, -6);
    ready("first");
}

/// The same, with a child in a session whose leader has ended: CRIU makes one for as long as it restores.
pub fn leader_gone() {
    set_up_namespaces();
    let set = set(&[6, 6]);
    if call::fork(0) {
        setsid().unwrap();
        if !call::fork(0) {
            call::exit_now(0);
        }
        add(set, 1, -2);
        ready("child");
        return;
    }
    wait().unwrap();
    add(set, 0, -6);
    ready("first");
}

/// Makes new namespaces such that they can be checkpointed.
fn set_up_namespaces() {
    // What was open before belongs to the mount namespace that it was opened in.
    (0..=2).for_each(|descriptor| call::reopen(descriptor, "output"));
    // CRIU makes all mounts anew: those of the tests are of no use here.
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    for mount in mounts.lines().rev().filter_map(|line| line.split(' ').nth(4)).filter(|mount| *mount != "/") {
        umount2(mount, MntFlags::MNT_DETACH).unwrap();
    }
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), None::<&str>).unwrap();
}

/// Has sets and nothing to undo.
pub fn nothing() {
    set(&[5, 5, 5]).op(&[Op::new(0, -1)]).unwrap();
    ready("nothing");
}

/// Two processes that share one list.
pub fn sharing() {
    let set = set(&[5]);
    add(set, 0, -2);
    if call::fork(libc::CLONE_SYSVSEM) {
        ready("child");
    } else {
        ready("parent");
    }
}

/// A set of another size than that of `one`, and nothing to undo.
pub fn other_set() {
    set(&[1, 2]);
    ready("other-set");
}
