//! The atomics and locks that concurrent code here is written over: the real ones, or loom's models under `cfg(loom)`.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicPtr, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, Ordering};

#[cfg(any(feature = "membarrier", feature = "qsbr", feature = "epoch"))]
pub(crate) use user_space::*;

#[cfg(all(not(loom), any(feature = "membarrier", feature = "qsbr", feature = "epoch")))]
mod user_space {
    pub(crate) use core::sync::atomic::AtomicUsize;
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::thread::yield_now;

    #[cfg(any(feature = "membarrier", feature = "qsbr"))]
    pub(crate) use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, compiler_fence, fence};
    #[cfg(any(feature = "membarrier", feature = "qsbr"))]
    pub(crate) use std::sync::Arc;

    std::thread_local! {
        static TOKEN: u8 = const { 0 };
    }

    /// A number that no other living thread has. It stays the same in the child of a fork, and while a thread ends.
    pub(crate) fn thread_token() -> usize {
        TOKEN.with(|token| core::ptr::from_ref(token).addr())
    }
}

#[cfg(all(loom, any(feature = "membarrier", feature = "qsbr", feature = "epoch")))]
mod user_space {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, fence};
    pub(crate) use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread::yield_now;

    // Numbers, since an address would be used again without the order that a real thread's exit gives.
    static TOKENS: core::sync::atomic::AtomicUsize = core::sync::atomic::AtomicUsize::new(1);

    loom::thread_local! {
        static TOKEN: usize = TOKENS.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    }

    pub(crate) fn thread_token() -> usize {
        TOKEN.with(|token| *token)
    }
}

/// Locks; a panic of another holder does not matter, since every critical section leaves its data whole.
#[cfg(any(feature = "membarrier", feature = "qsbr", feature = "epoch"))]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Waits on a condition variable, as [`lock`] locks.
#[cfg(any(feature = "membarrier", feature = "qsbr", feature = "epoch"))]
pub(crate) fn wait<'a, T>(changed: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    changed.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner)
}
