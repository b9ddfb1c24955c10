//! The cell whose value is reference-counted, over [`arc_swap`]: for readers that hold it across an `.await`.

use alloc::sync::Arc;
use core::ops::Deref;

use arc_swap::{ArcSwap, Guard};

use crate::cell::ReadMostly;

/// A value that is read through [`ReadMostly`] and held for as long as one likes, on any thread.
///
/// Loading costs more than an [`RcuCell`](crate::RcuCell)'s read-side critical section. In turn a reader that holds on to
/// the value holds up nobody: an old value is dropped with its last holder, not after a grace period.
///
/// ```
/// use rcu_core::{ArcCell, ReadMostly};
///
/// // What an executor that moves tasks between threads asks for.
/// fn spawn(task: impl Future<Output = ()> + Send) {
///     # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
///     # assert!(std::pin::pin!(task).poll(&mut context).is_ready());
/// }
///
/// let motd = ArcCell::new(String::from("hello"));
/// spawn(async {
///     let now = motd.load();
///     motd.store(String::from("goodbye"));
///     std::future::ready(()).await;
///     assert_eq!(*now, "hello");
/// });
/// ```
#[derive(Debug)]
pub struct ArcCell<T> {
    value: ArcSwap<T>,
}

impl<T> ArcCell<T> {
    /// A cell that holds `value`.
    pub fn new(value: T) -> Self {
        Self { value: ArcSwap::from_pointee(value) }
    }

    /// Takes the value out, shared with the readers that still hold it.
    pub fn into_inner(self) -> Arc<T> {
        self.value.into_inner()
    }
}

impl<T> ReadMostly<T> for ArcCell<T> {
    type Ref<'a>
        = ArcRef<T>
    where
        T: 'a;

    #[inline]
    fn load(&self) -> ArcRef<T> {
        ArcRef { value: self.value.load() }
    }

    fn store(&self, value: T) {
        self.value.store(Arc::new(value));
    }

    fn update(&self, mut next: impl FnMut(&T) -> T) {
        self.value.rcu(|old| next(old));
    }
}

/// The value that an [`ArcCell`] held when it was loaded. It may be sent to another thread, and outlive the cell.
///
/// Each thread can hold a few of these for less than the price of an [`Arc`]; further ones cost as much.
///
/// ```
/// use rcu_core::{ArcCell, ReadMostly};
///
/// let cell = ArcCell::new(1);
/// let loaded = cell.load();
/// drop(cell);
/// assert_eq!(*loaded.into_arc(), 1);
/// ```
#[derive(Debug)]
pub struct ArcRef<T> {
    value: Guard<Arc<T>>,
}

impl<T> ArcRef<T> {
    /// The value as an [`Arc`], to be kept for long or cloned.
    pub fn into_arc(self) -> Arc<T> {
        Guard::into_inner(self.value)
    }
}

impl<T> Deref for ArcRef<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}
