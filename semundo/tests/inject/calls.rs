//! What targets do: system calls by their numbers, so that no C library makes others of them, and signal handlers.

use std::ffi::c_int;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use super::target::Shared;

/// `syscall(2)`.
macro_rules! call {
    ($number:expr $(, $arg:expr)*) => {
        // SAFETY: the arguments are those of the call: numbers, or pointers to live memory of the size that it takes.
        unsafe { libc::syscall($number $(, $arg)*) }
    };
}
pub(crate) use call;

pub fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec { tv_sec: duration.as_secs() as i64, tv_nsec: duration.subsec_nanos().into() }
}

static COUNTS: AtomicPtr<Shared> = AtomicPtr::new(std::ptr::null_mut());

extern "C" fn count(_: c_int) {
    // SAFETY: null or the target's shared memory, which it has as long as it lives.
    if let Some(shared) = unsafe { COUNTS.load(SeqCst).as_ref() } {
        shared.signals.fetch_add(1, SeqCst);
    }
}

/// Counts a signal in [`Shared::signals`].
pub fn count_signal(shared: &'static Shared, signal: c_int, flags: c_int) {
    COUNTS.store(std::ptr::from_ref(shared).cast_mut(), SeqCst);
    // SAFETY: zeroes are a valid `sigaction`; the handler only counts, which may happen at any time.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = count as extern "C" fn(c_int) as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &raw const action, std::ptr::null_mut()), 0);
    }
}

/// A signal as the kernel's `sigset_t`.
pub fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// Blocks these signals and no other.
pub fn block(mask: u64) {
    assert_eq!(call!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, 0, 8), 0);
}

/// Sends `SIGALRM` to the process every 50 microseconds.
pub fn flood() {
    let every = libc::timeval { tv_sec: 0, tv_usec: 50 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    assert_eq!(call!(libc::SYS_setitimer, 0, &raw const timer, 0), 0);
}

/// Waits until the word is 1.
pub fn futex_wait(word: &AtomicU32) -> i64 {
    call!(libc::SYS_futex, word, libc::FUTEX_WAIT, 0, 0, 0, 0)
}

pub fn futex_wake(word: &AtomicU32) {
    word.store(1, SeqCst);
    call!(libc::SYS_futex, word, libc::FUTEX_WAKE, i32::MAX, 0, 0, 0);
}

/// Takes one from a semaphore; waits for it, at most so long.
pub fn take_one(semid: i32, limit: Option<Duration>) -> i64 {
    let mut take = libc::sembuf { sem_num: 0, sem_op: -1, sem_flg: 0 };
    match limit.map(timespec) {
        None => call!(libc::SYS_semop, semid, &raw mut take, 1),
        Some(limit) => call!(libc::SYS_semtimedop, semid, &raw mut take, 1, &raw const limit),
    }
}

/// Steps of a generator whose state tells how many they were and that none went wrong.
pub fn steps(state: u64, count: u64) -> u64 {
    (0..count)
        .fold(state, |state, _| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
}
