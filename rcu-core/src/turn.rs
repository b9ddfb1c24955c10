//! Updaters of a list take turns: by a lock of the standard library, or by spinning where there is none.

#[cfg(feature = "std")]
mod turns {
    use std::sync::{Mutex, MutexGuard, PoisonError};

    #[derive(Debug)]
    pub(crate) struct Turns(Mutex<()>);

    pub(crate) type Turn<'a> = MutexGuard<'a, ()>;

    impl Turns {
        pub(crate) const fn new() -> Self {
            Self(Mutex::new(()))
        }

        /// Waits for the others' turns to end. A poisoned lock is fine: every update leaves the list whole before it runs foreign code.
        pub(crate) fn take(&self) -> Turn<'_> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[cfg(not(feature = "std"))]
mod turns {
    use core::hint;
    use core::marker::PhantomData;
    use core::sync::atomic::{AtomicBool, Ordering};

    #[derive(Debug)]
    pub(crate) struct Turns(AtomicBool);

    /// Stays on its thread, as a lock's guard does.
    pub(crate) struct Turn<'a>(&'a AtomicBool, PhantomData<*mut ()>);

    impl Turns {
        pub(crate) const fn new() -> Self {
            Self(AtomicBool::new(false))
        }

        /// Spins until the others' turns have ended.
        pub(crate) fn take(&self) -> Turn<'_> {
            while self.0.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
                hint::spin_loop();
            }
            Turn(&self.0, PhantomData)
        }
    }

    impl Drop for Turn<'_> {
        fn drop(&mut self) {
            self.0.store(false, Ordering::Release);
        }
    }
}

pub(crate) use turns::{Turn, Turns};
