//! The two sides of the store-load barrier between readers and a grace period, and the one system call behind them.
//!
//! With `membarrier(2)` a reader pays a compiler fence, and the grace period makes every running thread of the process execute
//! a full one. Without it both sides execute full fences.

#[cfg(not(loom))]
use std::sync::OnceLock;

use crate::sync::{Ordering, fence};

/// How a domain orders readers against grace periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Grace periods call `membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)`; readers execute no barrier.
    Membarrier,
    /// Readers and grace periods execute full fences.
    Fence,
}

impl Strategy {
    /// What this process uses, decided once: [`Membarrier`](Strategy::Membarrier) where the kernel has it (Linux 4.14), unless
    /// the environment variable `RCU_CORE_FENCE` is set to something other than `0`.
    #[cfg(not(loom))]
    pub fn of_process() -> Self {
        static FOUND: OnceLock<Strategy> = OnceLock::new();
        *FOUND.get_or_init(|| {
            let forced = std::env::var_os("RCU_CORE_FENCE").is_some_and(|value| value != "0");
            if !forced && membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) {
                Self::Membarrier
            } else {
                Self::Fence
            }
        })
    }

    /// In a model both sides are full fences, whatever the strategy.
    #[cfg(loom)]
    pub fn of_process() -> Self {
        Self::Membarrier
    }

    /// The grace period's side: after it, every store that readers made before their side is seen, or else they see ours.
    pub(crate) fn heavy(self) {
        full();
        #[cfg(all(not(loom), not(rcu_core_without_barriers)))]
        if self == Self::Membarrier {
            // The registration is the process's own; a child made without `fork(3)`'s copy of it registers anew.
            let passed = membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED)
                || membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
                    && membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED);
            assert!(passed, "membarrier(2) does not work any more: {}", std::io::Error::last_os_error());
        }
    }
}

/// The reader's side where grace periods call `membarrier`: the compiler keeps the order, the hardware need not.
#[inline]
pub(crate) fn light() {
    #[cfg(not(loom))]
    crate::sync::compiler_fence(Ordering::SeqCst);
    #[cfg(loom)]
    full();
}

/// Both sides where fences do all, and all sides in a model.
#[inline]
pub(crate) fn full() {
    if cfg!(not(rcu_core_without_barriers)) {
        fence(Ordering::SeqCst);
    }
}

#[cfg(not(loom))]
fn membarrier(command: libc::c_int) -> bool {
    // Miri has no such system call.
    if cfg!(miri) {
        return false;
    }
    // SAFETY: the call takes two numbers and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}
