//! The C functions of the `kernel` flavor, as a user-space mock: one read-write lock.

use std::cell::RefCell;
use std::sync::{Condvar, Mutex, RwLock, RwLockReadGuard};

use rcu_core::flavor::{Callback, RcuHead};

static SECTIONS: RwLock<()> = RwLock::new(());
static DEFERRED: Mutex<Vec<(usize, Callback)>> = Mutex::new(Vec::new());

/// How many threads have taken callbacks out of `DEFERRED` and have not run them all.
static RUNNING: Mutex<usize> = Mutex::new(0);
static ALL_RAN: Condvar = Condvar::new();

thread_local! {
    /// This thread's nesting and the lock that its outermost section holds.
    static SECTION: RefCell<(usize, Option<RwLockReadGuard<'static, ()>>)> = const { RefCell::new((0, None)) };
}

#[unsafe(no_mangle)]
extern "C" fn rcu_core_read_lock() {
    SECTION.with_borrow_mut(|(nesting, held)| {
        *nesting += 1;
        if *nesting == 1 {
            *held = Some(SECTIONS.read().unwrap());
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn rcu_core_read_unlock() {
    SECTION.with_borrow_mut(|(nesting, held)| {
        *nesting -= 1;
        if *nesting == 0 {
            *held = None;
        }
    });
}

#[unsafe(no_mangle)]
extern "C" fn rcu_core_synchronize() {
    let due = {
        let mut deferred = DEFERRED.lock().unwrap();
        // Under the lock: who finds no callback finds this thread counted.
        *RUNNING.lock().unwrap() += 1;
        std::mem::take(&mut *deferred)
    };
    drop(SECTIONS.write().unwrap());
    for (head, callback) in due {
        // SAFETY: the contract of `call`: the head is valid until the callback ran, after this grace period.
        unsafe { callback(head as *mut RcuHead) };
    }
    *RUNNING.lock().unwrap() -= 1;
    ALL_RAN.notify_all();
}

#[unsafe(no_mangle)]
extern "C" fn rcu_core_call(head: *mut RcuHead, callback: Callback) {
    DEFERRED.lock().unwrap().push((head.expose_provenance(), callback));
}

#[unsafe(no_mangle)]
extern "C" fn rcu_core_barrier() {
    rcu_core_synchronize();
    // Another thread may have taken callbacks before, and not run them yet.
    let _none = ALL_RAN.wait_while(RUNNING.lock().unwrap(), |running| *running > 0).unwrap();
}
