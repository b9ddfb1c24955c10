//! Targets that sleep in a system call: they sleep on, and the call ends as it would have.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use semundo::sysv::{Op, TempSet};

use super::calls::{bit, block, call, count_signal, futex_wait, futex_wake, take_one, timespec};
use super::target::{Shared, Target, exit_gives_back, inject_often, set, until};

const SLEEP: Duration = Duration::from_secs(1);

/// How long the pauses between injections into a sleep of [`SLEEP`] are together.
const SPREAD: Duration = Duration::from_millis(600);

/// Longer a sleep would last that began anew after the last injection, even without the time for which it was stopped.
const ANEW: Duration = Duration::from_millis(1500);

/// A target whose sleep ends by itself after [`SLEEP`], with this result. How long it was stopped and how long the sleep lasted.
fn sleeps_to_the_end(number: i64, result: i64, sleep: impl FnOnce() -> i64) -> (Duration, Duration) {
    let set = set();
    let mut target = Target::asleep_in(number, |shared| {
        shared.note(sleep);
        until("the parent has seen it", || shared.is_to_end());
    });
    let stopped = inject_often(&target, &set, SPREAD);
    until("the sleep ends", || target.elapsed() > Duration::ZERO);
    assert_eq!(target.returned(), result, "call {number}");
    target.end();
    exit_gives_back(&mut target, &set);
    (stopped, target.elapsed())
}

/// As [`sleeps_to_the_end`], and the sleep lasts as long as if it had not been stopped.
fn sleeps_in_time(number: i64, result: i64, sleep: impl FnOnce() -> i64) {
    let (_, elapsed) = sleeps_to_the_end(number, result, sleep);
    assert!((SLEEP..ANEW).contains(&elapsed), "call {number}: {elapsed:?}");
}

/// A target that sleeps until `wake`.
fn sleeps_until(number: i64, sleep: impl FnOnce(&'static Shared) -> i64, wake: impl FnOnce(&Target)) -> Target {
    let set = set();
    let mut target = Target::asleep_in(number, |shared| shared.note(|| sleep(shared)));
    inject_often(&target, &set, Duration::ZERO);
    target.falls_asleep_in(number);
    wake(&target);
    exit_gives_back(&mut target, &set);
    target
}

#[test]
fn nanosleep() {
    let (sleep, mut left) = (timespec(SLEEP), timespec(Duration::ZERO));
    sleeps_in_time(libc::SYS_nanosleep, 0, || call!(libc::SYS_nanosleep, &raw const sleep, &raw mut left));
}

#[test]
fn clock_nanosleep() {
    let (sleep, mut left) = (timespec(SLEEP), timespec(Duration::ZERO));
    let monotonic = libc::CLOCK_MONOTONIC;
    sleeps_in_time(libc::SYS_clock_nanosleep, 0, || {
        call!(libc::SYS_clock_nanosleep, monotonic, 0, &raw const sleep, &raw mut left)
    });
}

#[test]
fn poll_with_a_timeout() {
    sleeps_in_time(libc::SYS_poll, 0, || call!(libc::SYS_poll, 0, 0, SLEEP.as_millis()));
}

#[test]
fn ppoll_with_a_timeout_and_a_mask() {
    let (mut sleep, mask) = (timespec(SLEEP), bit(libc::SIGUSR2));
    let (stopped, elapsed) =
        sleeps_to_the_end(libc::SYS_ppoll, 0, || call!(libc::SYS_ppoll, 0, 0, &raw mut sleep, &raw const mask, 8));
    // It keeps what is left (fs/select.c: poll_select_finish), and that is not less after a stop.
    assert!((SLEEP..ANEW + stopped).contains(&elapsed), "{elapsed:?}, stopped for {stopped:?}");
}

#[test]
fn futex_with_a_timeout() {
    let (sleep, word) = (timespec(SLEEP), AtomicU32::new(0));
    sleeps_in_time(libc::SYS_futex, -1, || {
        call!(libc::SYS_futex, &raw const word, libc::FUTEX_WAIT, 0, &raw const sleep, 0, 0)
    });
}

#[test]
fn futex() {
    let target = sleeps_until(libc::SYS_futex, |shared| futex_wait(&shared.end), |target| futex_wake(&target.end));
    assert_eq!(target.returned(), 0);
}

#[test]
fn read_of_a_pipe() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut byte = 0u8;
    let read = |_| call!(libc::SYS_read, reader.as_raw_fd(), &raw mut byte, 1);
    let target = sleeps_until(libc::SYS_read, read, |_| std::io::Write::write_all(&mut writer, b"x").unwrap());
    assert_eq!(target.returned(), 1);
}

/// The set whose semaphore a target waits for.
fn locked() -> TempSet {
    TempSet::create(1, 0o600).unwrap()
}

#[test]
fn semop() {
    let lock = locked();
    let id = lock.id();
    let unlock = |_: &Target| lock.op(&[Op::new(0, 1)]).unwrap();
    let target = sleeps_until(libc::SYS_semop, |_| take_one(id, None), unlock);
    assert_eq!((target.returned(), lock.get_value(0).unwrap()), (0, 0));
}

#[test]
fn semop_of_a_set_that_is_removed() {
    let lock = locked();
    let id = lock.id();
    let target = sleeps_until(libc::SYS_semop, |_| take_one(id, None), |_| lock.remove().unwrap());
    assert_eq!(target.errno(), libc::EIDRM);
}

#[test]
fn semtimedop() {
    let lock = locked();
    let (id, limit) = (lock.id(), Some(Duration::from_secs(1000)));
    let unlock = |_: &Target| lock.op(&[Op::new(0, 1)]).unwrap();
    let target = sleeps_until(libc::SYS_semtimedop, |_| take_one(id, limit), unlock);
    assert_eq!((target.returned(), lock.get_value(0).unwrap()), (0, 0));
}

#[test]
fn semtimedop_until_its_time_is_over() {
    let lock = locked();
    let (id, limit) = (lock.id(), Some(SLEEP));
    let target = sleeps_until(libc::SYS_semtimedop, |_| take_one(id, limit), |_| ());
    assert_eq!(target.errno(), libc::EAGAIN);
    assert!(target.elapsed() >= SLEEP);
}

#[test]
fn epoll_wait() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let epoll = call!(libc::SYS_epoll_create1, 0);
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 7 };
    assert_eq!(call!(libc::SYS_epoll_ctl, epoll, libc::EPOLL_CTL_ADD, reader.as_raw_fd(), &raw mut event), 0);
    let wait = |_| call!(libc::SYS_epoll_wait, epoll, &raw mut event, 1, -1);
    let target = sleeps_until(libc::SYS_epoll_wait, wait, |_| std::io::Write::write_all(&mut writer, b"x").unwrap());
    assert_eq!(target.returned(), 1);
    assert_eq!(call!(libc::SYS_close, epoll), 0);
}

#[test]
fn recv_with_a_timeout() {
    let (one, mut other) = UnixStream::pair().unwrap();
    one.set_read_timeout(Some(Duration::from_secs(1000))).unwrap();
    let mut byte = 0u8;
    let receive = |_| call!(libc::SYS_recvfrom, one.as_raw_fd(), &raw mut byte, 1, 0, 0, 0);
    let target = sleeps_until(libc::SYS_recvfrom, receive, |_| std::io::Write::write_all(&mut other, b"x").unwrap());
    assert_eq!(target.returned(), 1);
}

#[test]
fn sigtimedwait() {
    let (mask, limit) = (bit(libc::SIGUSR1), timespec(Duration::from_secs(1000)));
    let wait = |_| {
        block(mask);
        call!(libc::SYS_rt_sigtimedwait, &raw const mask, 0, &raw const limit, 8)
    };
    let target = sleeps_until(libc::SYS_rt_sigtimedwait, wait, |target| target.signal(libc::SIGUSR1));
    assert_eq!(target.returned(), i64::from(libc::SIGUSR1));
}

#[test]
fn pause() {
    let pause = |shared| {
        count_signal(shared, libc::SIGUSR1, libc::SA_RESTART);
        call!(libc::SYS_pause)
    };
    let target = sleeps_until(libc::SYS_pause, pause, |target| target.signal(libc::SIGUSR1));
    assert_eq!((target.errno(), target.signals()), (libc::EINTR, 1));
}

#[test]
fn sigsuspend() {
    let wait = |shared| {
        count_signal(shared, libc::SIGUSR1, 0);
        block(bit(libc::SIGUSR1));
        let others = bit(libc::SIGUSR2);
        call!(libc::SYS_rt_sigsuspend, &raw const others, 8)
    };
    let target = sleeps_until(libc::SYS_rt_sigsuspend, wait, |target| target.signal(libc::SIGUSR1));
    assert_eq!((target.errno(), target.signals()), (libc::EINTR, 1));
}
