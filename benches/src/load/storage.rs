//! What the engine's undo lists are put behind instead of RCU: locks, and a snapshot that each change copies.
//!
//! All keep their entries in the same hash table. A semop takes the lock as long as it looks its entry up, which it then
//! holds by a reference count; a reader takes it for a whole pass. Of a lock that tells readers from others, semops are readers too.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};

use arc_swap::ArcSwap;
use foldhash::fast::FixedState;
use rcu_core::Flavor;
use semundo_core::engine::{SemUndo, UndoStorage};

/// Entries by the set's identifier.
pub type Entries = HashMap<i32, Arc<SemUndo>, FixedState>;

/// How often a reader found a lock taken, in all lists of this process.
static WAITS: AtomicU64 = AtomicU64::new(0);

/// How often a reader found a lock taken and had to wait, since the last call.
pub fn take_waits() -> u64 {
    WAITS.swap(0, Ordering::Relaxed)
}

/// One way to keep two sides from each other.
pub trait Protection: Default + Send + Sync + 'static {
    /// Looks at the entries, as a semop does.
    fn read<R>(&self, look: impl FnOnce(&Entries) -> R) -> R;

    /// Looks at the entries, as a reader does: where it has to wait, `waited` is told.
    fn list<R>(&self, look: impl FnOnce(&Entries) -> R) -> R;

    /// Changes the entries.
    fn change(&self, change: impl Fn(&mut Entries));
}

fn waited() {
    WAITS.fetch_add(1, Ordering::Relaxed);
}

impl Protection for Mutex<Entries> {
    #[inline]
    fn read<R>(&self, look: impl FnOnce(&Entries) -> R) -> R {
        look(&self.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn list<R>(&self, look: impl FnOnce(&Entries) -> R) -> R {
        if let Ok(entries) = self.try_lock() {
            return look(&entries);
        }
        waited();
        self.read(look)
    }

    fn change(&self, change: impl Fn(&mut Entries)) {
        change(&mut self.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Protection for RwLock<Entries> {
    #[inline]
    fn read<R>(&self, look: impl FnOnce(&Entries) -> R) -> R {
        look(&RwLock::read(self).unwrap_or_else(PoisonError::into_inner))
    }

    fn list<R>(&self, look: impl FnOnce(&Entries) -> R) -> R {
        match self.try_read() {
            Ok(entries) => look(&entries),
            Err(TryLockError::Poisoned(poisoned)) => look(&poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => {
                waited();
                Protection::read(self, look)
            }
        }
    }

    fn change(&self, change: impl Fn(&mut Entries)) {
        change(&mut self.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Protection for parking_lot::RwLock<Entries> {
    #[inline]
    fn read<R>(&self, look: impl FnOnce(&Entries) -> R) -> R {
        look(&parking_lot::RwLock::read(self))
    }

    fn list<R>(&self, look: impl FnOnce(&Entries) -> R) -> R {
        if let Some(entries) = self.try_read() {
            return look(&entries);
        }
        waited();
        Protection::read(self, look)
    }

    fn change(&self, change: impl Fn(&mut Entries)) {
        change(&mut self.write());
    }
}

impl Protection for ArcSwap<Entries> {
    #[inline]
    fn read<R>(&self, look: impl FnOnce(&Entries) -> R) -> R {
        look(&self.load())
    }

    fn list<R>(&self, look: impl FnOnce(&Entries) -> R) -> R {
        look(&self.load())
    }

    fn change(&self, change: impl Fn(&mut Entries)) {
        self.rcu(|entries| {
            let mut copy = Entries::clone(entries);
            change(&mut copy);
            copy
        });
    }
}

/// An undo list behind such a protection.
#[derive(Default)]
pub struct Behind<T>(T);

impl<F: Flavor + 'static, T: Protection> UndoStorage<F> for Behind<T> {
    type Found<'g> = Arc<SemUndo>;

    fn new(_flavor: &F) -> Self {
        Self(T::default())
    }

    #[inline]
    fn find<'g>(&'g self, semid: i32, _section: &'g F::Guard<'_>) -> Option<Arc<SemUndo>> {
        self.0.read(|entries| entries.get(&semid).filter(|entry| !entry.is_removed()).cloned())
    }

    fn insert(&self, entry: Arc<SemUndo>) {
        self.0.change(|entries| drop(entries.insert(entry.semid(), Arc::clone(&entry))));
    }

    fn sweep(&self) {
        self.0.change(|entries| entries.retain(|_, entry| !entry.is_removed()));
    }

    fn pass(&self, visit: impl FnMut(&Arc<SemUndo>)) {
        self.0.list(|entries| entries.values().for_each(visit));
    }
}

impl<T> fmt::Debug for Behind<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behind").finish_non_exhaustive()
    }
}
