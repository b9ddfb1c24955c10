//! Targets of several threads, threads that end, and processes that become others.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use semundo::inject::{Error, Stopped};
use semundo::processes;
use semundo::sysv::{Op, TempSet};

use super::calls::{call, futex_wait, futex_wake, steps, take_one};
use super::target::{Shared, Target, asleep_in, exit_gives_back, inject_often, one_more, set, until};

/// Four threads: one computes, one sleeps in semop, one in nanosleep, and the first one in a futex. Each tells whether all went well.
fn four_threads(shared: &'static Shared, lock: i32) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut state, mut count) = (1, 0);
            while !shared.is_to_end() {
                state = steps(state, 1000);
                count += 1000;
            }
            shared.told[0].store((steps(1, count) == state).into(), SeqCst);
        });
        scope.spawn(|| shared.told[1].store((take_one(lock, None) == 0).into(), SeqCst));
        scope.spawn(|| {
            let sleep = libc::timespec { tv_sec: 1, tv_nsec: 0 };
            let slept = call!(libc::SYS_nanosleep, &raw const sleep, 0);
            shared.told[2].store((slept == 0).into(), SeqCst);
            until("the parent ends it", || shared.is_to_end());
        });
        shared.begun.store(1, SeqCst);
        shared.told[3].store((futex_wait(&shared.end) == 0).into(), SeqCst);
    });
}

#[test]
fn all_threads_of_a_process() {
    let (set, lock) = (set(), TempSet::create(1, 0o600).unwrap());
    let id = lock.id();
    let mut target = Target::asleep_in(libc::SYS_futex, |shared| four_threads(shared, id));
    let is_asleep = |number| processes::threads(target.pid).into_iter().any(|tid| asleep_in(tid) == Some(number));
    until("the others sleep", || is_asleep(libc::SYS_semop) && is_asleep(libc::SYS_nanosleep));
    inject_often(&target, &set, Duration::ZERO);
    lock.op(&[Op::new(0, 1)]).unwrap();
    target.falls_asleep_in(libc::SYS_futex);
    futex_wake(&target.end);
    exit_gives_back(&mut target, &set);
    assert_eq!([0, 1, 2, 3].map(|index| target.told(index)), [1; 4]);
}

#[test]
fn any_thread_can_be_the_first() {
    let (set, lock) = (set(), TempSet::create(1, 0o600).unwrap());
    let id = lock.id();
    let mut target = Target::asleep_in(libc::SYS_futex, |shared| four_threads(shared, id));
    until("all threads run", || processes::threads(target.pid).len() == 4);
    for round in 0..100 {
        let mut tids = processes::threads(target.pid);
        tids.rotate_left(round % 4);
        let mut stopped = Stopped::seize(&tids).unwrap();
        stopped.semop(set.id(), &one_more()).unwrap().unwrap();
    }
    lock.op(&[Op::new(0, 1)]).unwrap();
    target.falls_asleep_in(libc::SYS_futex);
    futex_wake(&target.end);
    exit_gives_back(&mut target, &set);
    assert_eq!([0, 1, 2, 3].map(|index| target.told(index)), [1; 4]);
}

#[test]
fn threads_that_come_and_go() {
    let set = set();
    let mut target = Target::begun(|shared| {
        shared.begun.store(1, SeqCst);
        while !shared.is_to_end() {
            let sum = AtomicU32::new(0);
            thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| sum.fetch_add(1, SeqCst));
                }
            });
            assert_eq!(sum.into_inner(), 3);
        }
    });
    let mut made = 0;
    for _ in 0..200 {
        match target.stop() {
            Ok(mut stopped) => {
                stopped.semop(set.id(), &one_more()).unwrap().unwrap();
                stopped.release().unwrap();
                made += 1;
            }
            Err(Error::NotFound(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    target.end();
    target.exits();
    assert_eq!(set.get_value(0).unwrap(), 1 + made);
    assert!(made > 0);
}

#[test]
fn processes_that_become_others() {
    let set = set();
    let program = std::env::current_exe().unwrap();
    let (mut made, mut ended) = (0, 0);
    for round in 0..40 {
        let mut target = Target::begun(|shared| {
            use std::os::unix::process::CommandExt;
            shared.begun.store(1, SeqCst);
            thread::sleep(Duration::from_micros(round * 50));
            let mut command = std::process::Command::new(&program);
            let command = command.args(["--exact", "no such test"]).stdout(std::process::Stdio::null());
            panic!("{}", command.exec());
        });
        for _ in 0..20 {
            match target.stop().map(|mut stopped| stopped.semop(set.id(), &one_more())) {
                Ok(Ok(result)) => {
                    result.unwrap();
                    made += 1;
                }
                Err(Error::NotFound(_) | Error::NoThreads) => ended += 1,
                result => panic!("{result:?}"),
            }
        }
        target.exits();
    }
    assert_eq!(set.get_value(0).unwrap(), 1 + made);
    assert!(made > 0, "{made} made, {ended} too late");
}
