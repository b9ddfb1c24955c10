//! Calls made in threads that the test itself has stopped, as a checkpoint tool does.

use std::sync::atomic::Ordering::SeqCst;
use std::thread;

use nix::sys::ptrace::{self, Options};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use semundo::inject::{Adopted, adopt, restart_semop};
use semundo::processes::{self, Status};
use semundo::restore::{self, Wanted};
use semundo::sysv::{Op, SemSet, TempSet};
use semundo_core::plan;

use super::calls::{bit, block, call, count_signal, futex_wait, futex_wake, steps, take_one};
use super::target::{Shared, Target, one_more, set, until};

/// A thread that this thread traces, and that stands still until the drop of this.
struct Held(Pid);

impl Held {
    fn new(tid: i32) -> Self {
        Self::with(tid, Options::PTRACE_O_TRACESYSGOOD)
    }

    fn with(tid: i32, options: Options) -> Self {
        let pid = Pid::from_raw(tid);
        ptrace::seize(pid, options).unwrap();
        ptrace::interrupt(pid).unwrap();
        waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap();
        Self(pid)
    }

    fn adopt(&self) -> Adopted {
        adopt(&Status::of(self.0.as_raw()).unwrap()).unwrap()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        ptrace::detach(self.0, None).unwrap();
    }
}

/// So many times the same call.
fn calls(set: &SemSet, count: usize) -> Vec<(i32, Vec<plan::Op>)> {
    vec![(set.id(), one_more()); count]
}

/// A target that sleeps until it is woken.
fn sleeper() -> Target {
    Target::asleep_in(libc::SYS_futex, |shared| shared.note(|| futex_wait(&shared.end)))
}

fn wakes(target: &mut Target) {
    target.falls_asleep_in(libc::SYS_futex);
    futex_wake(&target.end);
    target.exits();
    assert_eq!(target.returned(), 0);
}

#[test]
fn any_number_of_calls() {
    for count in [0, 1, 3, 4, 50, 2001] {
        let (set, mut target) = (set(), sleeper());
        let maps = || std::fs::read_to_string(format!("/proc/{}/maps", target.pid)).unwrap();
        let (held, before) = (Held::new(target.pid), maps());
        let mut thread = held.adopt();
        let (made, result) = thread.semops(&calls(&set, count)).unwrap();
        assert_eq!((made, result.is_ok()), (count, true));
        thread.release().unwrap();
        assert_eq!((set.get_value(0).unwrap(), maps()), (1, before), "{count}");
        drop(held);
        wakes(&mut target);
        assert_eq!(usize::from(set.get_value(0).unwrap()), 1 + count, "the exit applies the adjustment");
    }
}

#[test]
fn calls_whose_stops_look_like_traps() {
    for count in [1, 50] {
        let (set, mut target) = (set(), sleeper());
        let held = Held::with(target.pid, Options::empty());
        assert_eq!(held.adopt().semops(&calls(&set, count)).unwrap().0, count);
        drop(held);
        wakes(&mut target);
        assert_eq!(usize::from(set.get_value(0).unwrap()), 1 + count);
    }
}

#[test]
fn the_call_that_fails_is_told_and_no_other_is_made() {
    for (before, after) in [(0, 0), (1, 1), (0, 9), (5, 9)] {
        let (set, mut target) = (set(), sleeper());
        let mut all = calls(&set, before);
        all.push((-1, one_more()));
        all.extend(calls(&set, after));
        let held = Held::new(target.pid);
        let mut thread = held.adopt();
        let (made, result) = thread.semops(&all).unwrap();
        assert_eq!((made, result.unwrap_err().raw_os_error()), (before, Some(libc::EINVAL)));
        thread.semop(set.id(), &one_more()).unwrap().unwrap();
        drop(thread);
        drop(held);
        wakes(&mut target);
        assert_eq!(usize::from(set.get_value(0).unwrap()), 1 + before + 1);
    }
}

#[test]
fn a_thread_that_computes_sees_nothing() {
    let set = set();
    let mut target = Target::begun(|shared| {
        shared.begun.store(1, SeqCst);
        let (mut state, mut count) = (1, 0);
        while !shared.is_to_end() {
            state = steps(state, 1000);
            count += 1000;
        }
        shared.told[0].store((steps(1, count) == state).into(), SeqCst);
    });
    for _ in 0..50 {
        let held = Held::new(target.pid);
        assert_eq!(held.adopt().semops(&calls(&set, 10)).unwrap().0, 10);
        assert_eq!(held.adopt().semops(&calls(&set, 2)).unwrap().0, 2);
    }
    target.end();
    target.exits();
    assert_eq!((target.told(0), set.get_value(0).unwrap()), (1, 601));
}

/// Makes many calls in a target that treats `SIGTRAP` in some way; its status before and after.
fn with_sigtrap(treat: impl FnOnce(&'static Shared)) -> (Target, [String; 4], [String; 4]) {
    let set = set();
    let mut target = Target::asleep_in(libc::SYS_futex, |shared| {
        treat(shared);
        shared.note(|| futex_wait(&shared.end));
    });
    let status = |target: &Target| ["SigIgn:", "SigCgt:", "SigBlk:", "SigPnd:"].map(|name| target.status(name));
    let before = status(&target);
    let held = Held::new(target.pid);
    assert_eq!(held.adopt().semops(&calls(&set, 10)).unwrap().0, 10);
    let after = status(&target);
    drop(held);
    wakes(&mut target);
    assert_eq!(set.get_value(0).unwrap(), 11);
    (target, before, after)
}

#[test]
fn what_a_process_does_with_traps_stays() {
    let ignore = |_: &'static Shared| {
        // SAFETY: no handler.
        unsafe { libc::signal(libc::SIGTRAP, libc::SIG_IGN) };
    };
    let (_, before, after) = with_sigtrap(ignore);
    assert_eq!(before, after);
    assert_ne!(u64::from_str_radix(&before[0], 16).unwrap() & bit(libc::SIGTRAP), 0);

    let (target, before, after) = with_sigtrap(|shared| count_signal(shared, libc::SIGTRAP, 0));
    assert_eq!((before, target.signals()), (after, 0));

    let (_, before, after) = with_sigtrap(|_| block(bit(libc::SIGTRAP)));
    assert_eq!(before, after);

    let (_, before, after) = with_sigtrap(|_| {
        block(bit(libc::SIGTRAP));
        // SAFETY: takes a number only.
        unsafe { libc::raise(libc::SIGTRAP) };
    });
    assert_eq!(before, after);
    assert_ne!(u64::from_str_radix(&before[3], 16).unwrap() & bit(libc::SIGTRAP), 0);
}

#[test]
fn a_stop_signal_waits_again() {
    for count in [1, 10] {
        let (set, mut target) = (set(), sleeper());
        let held = Held::new(target.pid);
        target.signal(libc::SIGSTOP);
        assert_eq!(held.adopt().semops(&calls(&set, count)).unwrap().0, count);
        drop(held);
        target.is_in_state('T');
        target.signal(libc::SIGCONT);
        wakes(&mut target);
        assert_eq!(usize::from(set.get_value(0).unwrap()), 1 + count);
    }
}

/// A target that sleeps in `semop(2)`, for one semaphore of a set.
fn semop_sleeper(lock: &SemSet) -> Target {
    let id = lock.id();
    Target::asleep_in(libc::SYS_semop, |shared| {
        count_signal(shared, libc::SIGUSR1, 0);
        shared.note(|| take_one(id, None));
    })
}

#[test]
fn a_sleeper_in_semop_sleeps_on_if_it_is_made_to() {
    let lock = TempSet::create(1, 0o600).unwrap();
    let mut target = semop_sleeper(&lock);
    for _ in 0..20 {
        target.falls_asleep_in(libc::SYS_semop);
        let _held = Held::new(target.pid);
        assert!(restart_semop(target.pid).unwrap());
        assert!(!restart_semop(target.pid).unwrap(), "it is done already");
    }
    target.falls_asleep_in(libc::SYS_semop);
    lock.op(&[Op::new(0, 1)]).unwrap();
    target.exits();
    assert_eq!((target.returned(), target.signals()), (0, 0));

    let mut target = semop_sleeper(&lock);
    drop(Held::new(target.pid));
    target.exits();
    assert_eq!(target.errno(), libc::EINTR, "what it would see otherwise");
}

#[test]
fn a_sleeper_is_interrupted_by_what_interrupts_it() {
    let lock = TempSet::create(1, 0o600).unwrap();
    let mut target = semop_sleeper(&lock);
    let held = Held::new(target.pid);
    target.signal(libc::SIGUSR1);
    assert!(!restart_semop(target.pid).unwrap());
    drop(held);
    target.exits();
    assert_eq!((target.errno(), target.signals()), (libc::EINTR, 1));

    let mut target = semop_sleeper(&lock);
    target.signal(libc::SIGSTOP);
    target.is_in_state('T');
    let held = Held::new(target.pid);
    assert!(!restart_semop(target.pid).unwrap());
    drop(held);
    target.signal(libc::SIGCONT);
    target.exits();
    assert_eq!(target.errno(), libc::EINTR, "signal(7)");
}

#[test]
fn who_does_not_sleep_in_semop_is_left_alone() {
    let mut target = sleeper();
    let held = Held::new(target.pid);
    assert!(!restart_semop(target.pid).unwrap());
    drop(held);
    wakes(&mut target);
}

#[test]
fn a_thread_gets_a_list_of_its_own() {
    let (set, shared_set) = (set(), set());
    let mut target = Target::begun(|shared| {
        let other = thread::spawn(|| until("the thread is to end", || shared.told[0].load(SeqCst) == 1));
        shared.begun.store(1, SeqCst);
        other.join().unwrap();
        until("the process is to end", || shared.is_to_end());
    });
    until("there are two threads", || processes::threads(target.pid).len() == 2);
    let [first, other] = processes::threads(target.pid)[..] else { unreachable!() };
    {
        let (_first, held) = (Held::new(first), Held::new(other));
        let mut thread = held.adopt();
        thread.semop(shared_set.id(), &one_more()).unwrap().unwrap();
        thread.unshare_undo_list().unwrap().unwrap();
        assert_eq!(thread.semops(&calls(&set, 10)).unwrap().0, 10);
    }
    assert_eq!((set.get_value(0).unwrap(), shared_set.get_value(0).unwrap()), (1, 1));
    target.told[0].store(1, SeqCst);
    until("the thread has ended", || processes::threads(target.pid).len() == 1);
    until("its list is applied", || set.get_value(0).unwrap() == 11);
    assert_eq!(shared_set.get_value(0).unwrap(), 1, "that is of the process's list");
    target.end();
    target.exits();
    assert_eq!((set.get_value(0).unwrap(), shared_set.get_value(0).unwrap()), (11, 2));
}

/// Sets with these modes, all with the same values.
fn sets(modes: &[u32]) -> Vec<TempSet> {
    let make = |mode: &u32| {
        let set = TempSet::create(3, *mode).unwrap();
        set.set_values(&[0, 32767, 5]).unwrap();
        set
    };
    modes.iter().map(make).collect()
}

#[test]
fn a_list_of_many_sets_is_restored() {
    let (sets, mut target) = (sets(&[0o600; 6]), sleeper());
    let held = Held::new(target.pid);
    let mut thread = held.adopt();
    let wanted = Wanted::new(sets.iter().map(|set| (set.id(), vec![-32768, 32767, 1]))).unwrap();
    let report = restore::into_adopted(&mut thread, &[], &wanted).unwrap();
    assert_eq!((report.changed.len(), report.calls), (6, 6));
    drop(thread);
    drop(held);
    assert!(sets.iter().all(|set| set.values().unwrap() == [0, 32767, 5]));
    wakes(&mut target);
    assert!(sets.iter().all(|set| set.values().unwrap() == [0, 32767, 6]));
}

#[test]
fn where_a_call_of_many_fails_all_are_taken_back() {
    let sets = sets(&[0o666, 0o666, 0o666, 0o666, 0o644, 0o666]);
    let mut target = Target::asleep_in(libc::SYS_futex, |shared| {
        let nobody = 65534;
        assert_eq!(call!(libc::SYS_setresuid, nobody, nobody, nobody), 0);
        shared.note(|| futex_wait(&shared.end));
    });
    let held = Held::new(target.pid);
    let mut thread = held.adopt();
    let wanted = Wanted::new(sets.iter().map(|set| (set.id(), vec![0, 0, 7]))).unwrap();
    let error = restore::into_adopted(&mut thread, &[], &wanted).unwrap_err();
    match &error {
        restore::Error::Call { semid, error } => {
            assert_eq!((*semid, error.raw_os_error()), (sets[4].id(), Some(libc::EACCES)));
        }
        error => panic!("{error}"),
    }
    drop(thread);
    drop(held);
    wakes(&mut target);
    assert!(sets.iter().all(|set| set.values().unwrap() == [0, 32767, 5]), "nothing is left in its list");
}
