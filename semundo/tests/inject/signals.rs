//! Signals that come meanwhile: targets see them as if they had not been stopped.

use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use super::calls::{bit, block, call, count_signal, flood, steps, take_one};
use super::target::{Shared, Target, exit_gives_back, inject_often, one_more, set, until};
use semundo::sysv::TempSet;

/// Stops a sleeping target, sends it a signal, makes it call, and lets it go.
fn signalled_while_stopped(number: i64, sleep: impl FnOnce(&'static Shared) -> i64) -> Target {
    let set = set();
    let mut target = Target::asleep_in(number, |shared| shared.note(|| sleep(shared)));
    let mut stopped = target.stop().unwrap();
    target.signal(libc::SIGUSR1);
    for _ in 0..2 {
        stopped.semop(set.id(), &one_more()).unwrap().unwrap();
    }
    thread::sleep(Duration::from_millis(20));
    assert_eq!(target.signals(), 0, "no handler runs while it is stopped");
    stopped.release().unwrap();
    target.exits();
    assert_eq!(set.get_value(0).unwrap(), 3);
    target
}

#[test]
fn a_handler_interrupts_semop() {
    let lock = TempSet::create(1, 0o600).unwrap();
    let id = lock.id();
    let target = signalled_while_stopped(libc::SYS_semop, |shared| {
        count_signal(shared, libc::SIGUSR1, libc::SA_RESTART);
        take_one(id, None)
    });
    assert_eq!((target.errno(), target.signals()), (libc::EINTR, 1));
}

#[test]
fn a_handler_interrupts_pause() {
    let target = signalled_while_stopped(libc::SYS_pause, |shared| {
        count_signal(shared, libc::SIGUSR1, libc::SA_RESTART);
        call!(libc::SYS_pause)
    });
    assert_eq!((target.errno(), target.signals()), (libc::EINTR, 1));
}

#[test]
fn a_handler_interrupts_nanosleep_which_tells_what_is_left() {
    let target = signalled_while_stopped(libc::SYS_nanosleep, |shared| {
        count_signal(shared, libc::SIGUSR1, libc::SA_RESTART);
        let sleep = libc::timespec { tv_sec: 1000, tv_nsec: 0 };
        let mut left = sleep;
        let result = call!(libc::SYS_nanosleep, &raw const sleep, &raw mut left);
        shared.told[0].store(left.tv_sec as u64, SeqCst);
        result
    });
    assert_eq!(target.signals(), 1);
    assert!((980..1000).contains(&target.told(0)), "{} s left", target.told(0));
}

#[test]
fn a_handler_with_sa_restart_does_not_interrupt_read() {
    let set = set();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut target = Target::asleep_in(libc::SYS_read, |shared| {
        count_signal(shared, libc::SIGUSR1, libc::SA_RESTART);
        let mut byte = 0u8;
        shared.note(|| call!(libc::SYS_read, reader.as_raw_fd(), &raw mut byte, 1));
    });
    let mut stopped = target.stop().unwrap();
    target.signal(libc::SIGUSR1);
    stopped.semop(set.id(), &one_more()).unwrap().unwrap();
    stopped.release().unwrap();
    until("the handler runs", || target.signals() == 1);
    target.falls_asleep_in(libc::SYS_read);
    std::io::Write::write_all(&mut writer, b"x").unwrap();
    target.exits();
    assert_eq!(target.returned(), 1);
}

#[test]
fn a_handler_without_sa_restart_interrupts_read() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let target = signalled_while_stopped(libc::SYS_read, |shared| {
        count_signal(shared, libc::SIGUSR1, 0);
        let mut byte = 0u8;
        call!(libc::SYS_read, reader.as_raw_fd(), &raw mut byte, 1)
    });
    assert_eq!((target.errno(), target.signals()), (libc::EINTR, 1));
}

#[test]
fn sigsuspend_lets_a_signal_in_that_is_otherwise_blocked() {
    let target = signalled_while_stopped(libc::SYS_rt_sigsuspend, |shared| {
        count_signal(shared, libc::SIGUSR1, 0);
        block(bit(libc::SIGUSR1));
        let others = bit(libc::SIGUSR2);
        call!(libc::SYS_rt_sigsuspend, &raw const others, 8)
    });
    assert_eq!((target.errno(), target.signals()), (libc::EINTR, 1));
}

#[test]
fn an_ignored_signal_does_not_interrupt_semop() {
    let (set, lock) = (set(), TempSet::create(1, 0o600).unwrap());
    let id = lock.id();
    let mut target = Target::asleep_in(libc::SYS_semop, |shared| shared.note(|| take_one(id, None)));
    for _ in 0..100 {
        let mut stopped = target.stop().unwrap();
        target.signal(libc::SIGWINCH);
        stopped.semop(set.id(), &one_more()).unwrap().unwrap();
        stopped.release().unwrap();
        target.signal(libc::SIGWINCH);
    }
    target.falls_asleep_in(libc::SYS_semop);
    lock.set_value(0, 1).unwrap();
    target.exits();
    assert_eq!((target.returned(), set.get_value(0).unwrap()), (0, 101));
}

#[test]
fn no_signal_is_lost() {
    const SIGNALS: u64 = 3000;
    let set = set();
    let mut target = Target::begun(|shared| {
        count_signal(shared, libc::SIGRTMIN(), 0);
        shared.begun.store(1, SeqCst);
        until("the parent ends it", || shared.is_to_end());
    });
    let pid = target.pid;
    // Each realtime signal that is sent is queued.
    let sender = thread::spawn(move || {
        for _ in 0..SIGNALS {
            assert_eq!(call!(libc::SYS_kill, pid, libc::SIGRTMIN()), 0);
            thread::sleep(Duration::from_micros(10));
        }
    });
    let mut made = 0;
    while !sender.is_finished() {
        let mut stopped = target.stop().unwrap();
        stopped.semop(set.id(), &one_more()).unwrap().unwrap();
        stopped.release().unwrap();
        made += 1;
    }
    sender.join().unwrap();
    until("all handlers run", || target.signals() >= SIGNALS);
    target.end();
    target.exits();
    assert_eq!((target.signals(), set.get_value(0).unwrap()), (SIGNALS, 1 + made));
}

/// Steps of a target between two looks at whether it is to end.
const STEPS: u64 = 1000;

/// Computes until told to end; tells the state and the number of steps.
fn compute(shared: &'static Shared) {
    shared.begun.store(1, SeqCst);
    let (mut state, mut count) = (1, 0);
    while !shared.is_to_end() {
        state = steps(state, STEPS);
        count += STEPS;
    }
    shared.told[0].store(state, SeqCst);
    shared.told[1].store(count, SeqCst);
}

fn computed_right(target: &Target) {
    assert_eq!(steps(1, target.told(1)), target.told(0), "after {} steps", target.told(1));
}

#[test]
fn a_busy_target() {
    let set = set();
    let mut target = Target::begun(compute);
    inject_often(&target, &set, Duration::ZERO);
    target.end();
    exit_gives_back(&mut target, &set);
    computed_right(&target);
}

#[test]
fn a_busy_target_flooded_with_signals() {
    let set = set();
    let mut target = Target::begun(|shared| {
        count_signal(shared, libc::SIGALRM, 0);
        flood();
        compute(shared);
    });
    inject_often(&target, &set, Duration::ZERO);
    let before = target.signals();
    until("signals come again", || target.signals() > before);
    target.end();
    exit_gives_back(&mut target, &set);
    computed_right(&target);
}

#[test]
fn a_semop_flooded_with_signals() {
    let (set, lock) = (set(), TempSet::create(1, 0o600).unwrap());
    let id = lock.id();
    let mut target = Target::begun(|shared| {
        count_signal(shared, libc::SIGALRM, libc::SA_RESTART);
        flood();
        shared.begun.store(1, SeqCst);
        // Each failure is by a handler, and each handler runs in a call or between two.
        let mut calls = 0;
        while take_one(id, None) == -1 {
            assert_eq!(std::io::Error::last_os_error().raw_os_error(), Some(libc::EINTR));
            calls += 1;
        }
        shared.told[0].store(calls, SeqCst);
    });
    inject_often(&target, &set, Duration::ZERO);
    lock.set_value(0, 1).unwrap();
    exit_gives_back(&mut target, &set);
    assert!(target.told(0) > 0 && target.told(0) <= target.signals(), "{} of {}", target.told(0), target.signals());
}

#[test]
fn the_signal_mask_is_as_before() {
    let set = set();
    let mask = bit(libc::SIGUSR1) | bit(libc::SIGTERM) | bit(libc::SIGRTMIN());
    let mut target = Target::asleep_in(libc::SYS_pause, |shared| {
        count_signal(shared, libc::SIGUSR2, 0);
        block(mask);
        shared.note(|| call!(libc::SYS_pause));
        let mut now = 0u64;
        call!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, 0, &raw mut now, 8);
        shared.told[0].store(now, SeqCst);
    });
    let blocked = format!("{mask:016x}");
    assert_eq!(target.status("SigBlk:"), blocked);
    let mut stopped = target.stop().unwrap();
    target.signal(libc::SIGUSR1);
    stopped.semop(set.id(), &one_more()).unwrap().unwrap();
    assert_eq!(target.status("SigBlk:"), blocked, "between two calls");
    assert_eq!(stopped.semop(i32::MAX, &one_more()).unwrap().unwrap_err().raw_os_error(), Some(libc::EINVAL));
    stopped.release().unwrap();
    assert_eq!(target.status("SigBlk:"), blocked, "after the release");
    target.falls_asleep_in(libc::SYS_pause);
    target.signal(libc::SIGUSR2);
    target.exits();
    assert_eq!((target.told(0), target.signals()), (mask, 1));
}

#[test]
fn a_stopped_process_stays_stopped() {
    let set = set();
    let mut target = Target::asleep_in(libc::SYS_nanosleep, |shared| {
        let sleep = libc::timespec { tv_sec: 0, tv_nsec: 300_000_000 };
        shared.note(|| call!(libc::SYS_nanosleep, &raw const sleep, 0));
    });
    target.signal(libc::SIGSTOP);
    target.is_in_state('T');
    inject_often(&target, &set, Duration::ZERO);
    target.is_in_state('T');
    thread::sleep(Duration::from_millis(300));
    assert_eq!((target.state(), target.elapsed()), ('T', Duration::ZERO));
    target.signal(libc::SIGCONT);
    exit_gives_back(&mut target, &set);
    assert_eq!(target.returned(), 0);
}

#[test]
fn what_a_stop_signal_interrupts_is_interrupted() {
    let (set, lock) = (set(), TempSet::create(1, 0o600).unwrap());
    let id = lock.id();
    let mut target = Target::asleep_in(libc::SYS_semop, |shared| shared.note(|| take_one(id, None)));
    target.signal(libc::SIGSTOP);
    target.is_in_state('T');
    inject_often(&target, &set, Duration::ZERO);
    target.signal(libc::SIGCONT);
    exit_gives_back(&mut target, &set);
    assert_eq!(target.errno(), libc::EINTR, "signal(7)");
}

#[test]
fn a_process_is_stopped_and_continued_while_it_is_traced() {
    let set = set();
    let mut target = Target::begun(compute);
    for round in 0..50 {
        let mut stopped = target.stop().unwrap();
        target.signal(libc::SIGSTOP);
        stopped.semop(set.id(), &one_more()).unwrap().unwrap();
        if round % 2 == 0 {
            stopped.release().unwrap();
            target.is_in_state('T');
            target.signal(libc::SIGCONT);
        } else {
            target.signal(libc::SIGCONT);
            stopped.semop(set.id(), &[]).unwrap().unwrap_err();
            stopped.release().unwrap();
            target.is_in_state('R');
        }
    }
    target.end();
    target.exits();
    computed_right(&target);
    assert_eq!(set.get_value(0).unwrap(), 51);
}
