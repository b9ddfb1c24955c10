//! What a section holds while it is open: a read lock, or nothing at all.

use core::ops::Deref;
#[cfg(feature = "std")]
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

/// Something that is entered to be read: a lock. `Mutex` and `RwLock` (feature `std`), `&L` and `Arc<L>` of such, and
/// [`Unlocked`]; a lock of another kind takes the few lines that these do.
pub trait Enter {
    /// What is read inside.
    type Target: ?Sized;

    /// What is held inside; its drop leaves.
    type Guard<'a>: Deref<Target = Self::Target>
    where
        Self: 'a;

    /// Enters; waits for whom it must.
    fn enter(&self) -> Self::Guard<'_>;
}

/// Something that needs no lock: it is owned, or shared and unchanging.
#[derive(Clone, Debug)]
pub struct Unlocked<D>(pub D);

impl<D: Deref> Enter for Unlocked<D> {
    type Target = D::Target;

    type Guard<'a>
        = &'a D::Target
    where
        Self: 'a;

    #[inline]
    fn enter(&self) -> &D::Target {
        &self.0
    }
}

impl<L: Enter + ?Sized> Enter for &L {
    type Target = L::Target;

    type Guard<'a>
        = L::Guard<'a>
    where
        Self: 'a;

    fn enter(&self) -> L::Guard<'_> {
        (**self).enter()
    }
}

#[cfg(feature = "std")]
impl<L: Enter + ?Sized> Enter for Arc<L> {
    type Target = L::Target;

    type Guard<'a>
        = L::Guard<'a>
    where
        Self: 'a;

    fn enter(&self) -> L::Guard<'_> {
        (**self).enter()
    }
}

/// A writer's panic does not keep what it left from being read.
#[cfg(feature = "std")]
impl<T: ?Sized> Enter for Mutex<T> {
    type Target = T;

    type Guard<'a>
        = MutexGuard<'a, T>
    where
        Self: 'a;

    fn enter(&self) -> MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A writer's panic does not keep what it left from being read.
#[cfg(feature = "std")]
impl<T: ?Sized> Enter for RwLock<T> {
    type Target = T;

    type Guard<'a>
        = RwLockReadGuard<'a, T>
    where
        Self: 'a;

    fn enter(&self) -> RwLockReadGuard<'_, T> {
        self.read().unwrap_or_else(PoisonError::into_inner)
    }
}
