//! The RCU cell: a value that is read without a lock and replaced as a whole; and the trait of all cells like it.

use core::fmt;
use core::ops::Deref;
use core::ptr::NonNull;

use crate::flavor::Flavor;
use crate::ptr::{RcuPtr, Retired};

/// A value that is read far more often than it is replaced: what [`RcuCell`] and [`ArcCell`](crate::ArcCell) have in common.
///
/// A reader that keeps the value for a moment reads an [`RcuCell`], at the price of a read-side critical section. One that must hold
/// the value across an `.await`, or on another thread, needs an [`ArcCell`](crate::ArcCell). Code over this trait
/// works with both:
///
/// ```
/// # #[cfg(all(feature = "epoch", feature = "arc-swap"))] {
/// use rcu_core::{ArcCell, RcuCell, ReadMostly, flavor::epoch::Epoch};
///
/// struct Limits { clients: u32, bytes: u64 }
///
/// fn admits(limits: &impl ReadMostly<Limits>, clients: u32) -> bool {
///     clients < limits.load().clients
/// }
///
/// fn grow(limits: &impl ReadMostly<Limits>) {
///     limits.update(|old| Limits { clients: old.clients + 1, bytes: old.bytes });
/// }
///
/// let limits = RcuCell::new(Epoch, Limits { clients: 1, bytes: 4096 });
/// grow(&limits);
/// assert!(admits(&limits, 1));
///
/// let limits = ArcCell::new(Limits { clients: 1, bytes: 4096 });
/// grow(&limits);
/// assert!(admits(&limits, 1));
/// # }
/// ```
pub trait ReadMostly<T> {
    /// What a reader holds: the value as it was when it was loaded.
    type Ref<'a>: Deref<Target = T>
    where
        Self: 'a;

    /// The value as it is now. It stays so for the holder, whatever is stored meanwhile.
    fn load(&self) -> Self::Ref<'_>;

    /// Publishes `value`. The old one is dropped once no reader holds it.
    fn store(&self, value: T);

    /// Publishes what `next` makes of the value that is there. `next` runs again when another update came between, so none is lost.
    fn update(&self, next: impl FnMut(&T) -> T);
}

/// A value that readers borrow under a guard, without a lock, while updaters replace it: an [`RcuPtr`] that is never null.
///
/// ```
/// # #[cfg(feature = "epoch")] {
/// use rcu_core::{RcuCell, flavor::epoch::Epoch};
///
/// let motd = RcuCell::new(Epoch, String::from("hello"));
/// let guard = motd.read();
/// let before = motd.borrow(&guard);
/// motd.set(String::from("goodbye"));
/// assert_eq!(before, "hello", "a reader keeps what it holds");
/// assert_eq!(motd.borrow(&guard), "goodbye");
/// # }
/// ```
///
/// A reference does not outlive its guard:
///
/// ```compile_fail,E0505
/// # use rcu_core::{RcuCell, flavor::epoch::Epoch};
/// let motd = RcuCell::new(Epoch, String::from("hello"));
/// let guard = motd.read();
/// let before = motd.borrow(&guard);
/// drop(guard);
/// assert_eq!(before, "hello");
/// ```
///
/// Nor is it taken to another thread, where the guard does not protect it. That includes a future which holds it across an
/// `.await`: [`ArcCell`](crate::ArcCell) is for that.
///
/// ```compile_fail
/// # use rcu_core::{RcuCell, ReadMostly, flavor::epoch::Epoch};
/// fn spawn(task: impl Future<Output = ()> + Send) {}
///
/// let motd = RcuCell::new(Epoch, String::from("hello"));
/// spawn(async {
///     let now = motd.load();
///     std::future::ready(()).await;
///     assert_eq!(*now, "hello");
/// });
/// ```
///
/// # Invariants
///
/// `value` is not null.
#[derive(Debug)]
pub struct RcuCell<T, F: Flavor> {
    value: RcuPtr<T, F>,
}

impl<T: Send + Sync + 'static, F: Flavor> RcuCell<T, F> {
    /// A cell that holds `value`, whose readers and reclamation are of `flavor`.
    pub fn new(flavor: F, value: T) -> Self {
        Self { value: RcuPtr::new(flavor, Some(value)) }
    }

    /// Enters a read-side critical section of the cell's flavor.
    #[inline]
    pub fn read(&self) -> F::Guard<'_> {
        self.value.read()
    }

    /// The value as it is now, for as long as the section lasts.
    ///
    /// # Panics
    ///
    /// When `guard` is of another domain of the flavor.
    #[inline]
    pub fn borrow<'g>(&'g self, guard: &'g F::Guard<'_>) -> &'g T {
        // SAFETY: never null (type invariant).
        unsafe { self.value.dereference(guard).unwrap_unchecked() }
    }

    /// Publishes `value` and takes out what was there.
    ///
    /// ```
    /// # #[cfg(feature = "epoch")] {
    /// use rcu_core::{RcuCell, flavor::epoch::Epoch};
    ///
    /// let cell = RcuCell::new(Epoch, vec![1]);
    /// let old = cell.replace(vec![1, 2]);
    /// assert_eq!(old.synchronize(), [1], "given back once no reader is left");
    /// # }
    /// ```
    pub fn replace(&self, value: T) -> Retired<'_, T, F> {
        // SAFETY: what was there is not null (type invariant), nor is what comes.
        unsafe { self.value.replace(Some(value)).unwrap_unchecked() }
    }

    /// Publishes `value`; what was there is reclaimed after a grace period.
    pub fn set(&self, value: T) {
        drop(self.replace(value));
    }

    /// Publishes what `next` makes of the value that is there, and takes that one out.
    ///
    /// No update is lost, and no lock is taken: see [`RcuPtr::update`] for what `next` must not do.
    ///
    /// ```
    /// # #[cfg(feature = "epoch")] {
    /// use rcu_core::{RcuCell, flavor::epoch::Epoch};
    ///
    /// let total = RcuCell::new(Epoch, 0);
    /// std::thread::scope(|scope| {
    ///     for _ in 0..4 {
    ///         scope.spawn(|| total.update(|total| total + 1));
    ///     }
    /// });
    /// assert_eq!(total.into_inner(), 4);
    /// # }
    /// ```
    pub fn update(&self, mut next: impl FnMut(&T) -> T) -> Retired<'_, T, F> {
        // SAFETY: never null (type invariant), and what is published is not either.
        unsafe { self.value.update(|old| Some(next(old.unwrap_unchecked()))).unwrap_unchecked() }
    }

    /// The value, which no reader holds since the cell is borrowed exclusively.
    pub fn get_mut(&mut self) -> &mut T {
        // SAFETY: never null (type invariant).
        unsafe { self.value.get_mut().unwrap_unchecked() }
    }

    /// Takes the value out, without waiting: no reader is left.
    pub fn into_inner(self) -> T {
        // SAFETY: never null (type invariant), and the cell ends here.
        unsafe { self.value.into_inner().unwrap_unchecked() }
    }
}

impl<T: Send + Sync + 'static, F: Flavor> ReadMostly<T> for RcuCell<T, F> {
    type Ref<'a>
        = RcuRef<'a, T, F>
    where
        F: 'a;

    #[inline]
    fn load(&self) -> RcuRef<'_, T, F> {
        let section = self.read();
        RcuRef { value: NonNull::from(self.borrow(&section)), _section: section }
    }

    fn store(&self, value: T) {
        self.set(value);
    }

    fn update(&self, next: impl FnMut(&T) -> T) {
        drop(RcuCell::update(self, next));
    }
}

/// The value of an [`RcuCell`] together with the read-side critical section that protects it. Stays on its thread.
///
/// # Invariants
///
/// `value` was borrowed inside the section.
#[must_use = "the read-side critical section ends when the reference is dropped"]
pub struct RcuRef<'a, T, F: Flavor + 'a> {
    // A pointer, since a reference would have to stay valid until the drop has returned.
    value: NonNull<T>,
    _section: F::Guard<'a>,
}

impl<'a, T, F: Flavor + 'a> Deref for RcuRef<'a, T, F> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the section lasts as long as `self` (type invariant).
        unsafe { self.value.as_ref() }
    }
}

impl<'a, T: fmt::Debug, F: Flavor + 'a> fmt::Debug for RcuRef<'a, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
