//! What a writer asks of whoever keeps semaphores: `semundo_core`'s engine, or the kernel.

/// The calls of one process. Sets have one semaphore; every semop has `SEM_UNDO`.
pub trait Calls {
    /// Makes a set whose semaphore is 0 (`semget(2)`), and returns its identifier.
    fn create(&mut self) -> i32;

    /// Adds to the semaphore of a set (`semop(2)`).
    fn semop(&mut self, semid: i32, by: i16);

    /// Removes a set (`semctl(2)`, `IPC_RMID`).
    fn remove(&mut self, semid: i32);

    /// Makes a process that takes one from the set and exits, which gives it back (`fork(2)`, `exit(2)`).
    fn take_and_exit(&mut self, semid: i32);

    /// The value of a set's semaphore (`semctl(2)`, `GETVAL`).
    fn value(&mut self, semid: i32) -> i32;
}
