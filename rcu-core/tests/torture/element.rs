//! What is published and removed: an element of a pool, which is never freed, so that a reader can always tell what was done to it.

use std::cell::UnsafeCell;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use rcu_core::RcuHead;

use crate::stage::{Stage, Tortured};

/// The age at which an element goes back to the pool: `RCU_TORTURE_PIPE_LEN`.
pub const PIPE_LEN: usize = 10;

#[repr(C)]
pub struct Element<F: Tortured> {
    head: RcuHead,
    stage: *const Stage<F>,
    /// 0: published; 1: removed; one more for each grace period since.
    age: AtomicUsize,
    /// How often it was taken from the pool.
    lives: AtomicU64,
    /// Written only while no section may hold the element, and without any order of its own.
    payload: UnsafeCell<[u64; 4]>,
}

// SAFETY: the payload is what RCU protects; the stage is shared and lives for ever.
unsafe impl<F: Tortured> Sync for Element<F> {}
// SAFETY: as above.
unsafe impl<F: Tortured> Send for Element<F> {}

impl<F: Tortured> Element<F> {
    pub fn new(stage: *const Stage<F>) -> Self {
        Self {
            head: RcuHead::new(),
            stage,
            age: AtomicUsize::new(PIPE_LEN),
            lives: AtomicU64::new(0),
            payload: UnsafeCell::new([0; 4]),
        }
    }

    /// Makes an element from the pool ready to be published.
    pub fn renew(&self) {
        let life = self.lives.fetch_add(1, Ordering::Relaxed) + 1;
        // SAFETY: it came from the pool, so that grace periods have passed since it was removed.
        unsafe { *self.payload.get() = [life; 4] };
        self.age.store(0, Ordering::Relaxed);
    }

    /// One step older; true where it has grown as old as it can.
    pub fn grow_older(&self) -> bool {
        self.age.fetch_add(1, Ordering::Relaxed) + 1 >= PIPE_LEN
    }

    pub fn age(&self) -> usize {
        self.age.load(Ordering::Relaxed)
    }

    pub fn life(&self) -> u64 {
        self.lives.load(Ordering::Relaxed)
    }

    /// Whether the payload is that of its life. Only for the section in which the element was found.
    pub fn is_whole(&self) -> bool {
        let life = self.life();
        // SAFETY: nobody writes it while this section holds the element; that is what is tested here.
        unsafe { *self.payload.get() == [life; 4] }
    }

    /// Lets the element grow old by callbacks, each of which defers the next.
    pub fn grow_old(&'static self) {
        // SAFETY: the stage lives for ever.
        let stage = unsafe { &*self.stage };
        if self.age() % 3 == 0 {
            stage.flavor.defer(|| self.has_had_a_grace_period());
        } else {
            // SAFETY: the head lies in the element; it keeps the provenance of the whole.
            let head = unsafe { NonNull::from(self).byte_add(offset_of!(Self, head)) };
            // SAFETY: who removed the element is its only user, apart from readers, and defers it once a grace period.
            unsafe { stage.flavor.call(head.cast(), grown::<F>) };
        }
    }

    fn has_had_a_grace_period(&'static self) {
        if self.grow_older() {
            // SAFETY: the stage lives for ever.
            unsafe { &*self.stage }.give_back(self);
        } else {
            self.grow_old();
        }
    }
}

/// # Safety
///
/// `head` is the head of an element of a stage.
unsafe extern "C" fn grown<F: Tortured>(head: *mut RcuHead) {
    // SAFETY: by contract; the head is the first field, and elements live for ever.
    let element: &'static Element<F> = unsafe { &*head.cast::<Element<F>>() };
    element.has_had_a_grace_period();
}
