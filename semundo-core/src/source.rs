//! Where undo entries come from, and the keys that name them.
//!
//! A source offers one thing: a pass over all its entries in any order, under whatever lock it needs. Order, exactness
//! and restarting are the walk's work.

use core::sync::atomic::AtomicI16;

use seqfile_core::{Errno, SeqBuf};

use crate::types::SemId;

/// The adjustments of one entry, one a semaphore of the set.
///
/// They are atomic because a running process changes them while they are read; each is exact by itself, all
/// together only while the process stands still.
pub type Adjustments<'a> = &'a [AtomicI16];

/// Undo entries that can be passed over: a process's undo list, the table of an IPC namespace.
pub trait Source {
    /// What names an entry and orders the output.
    type Key: Key;

    /// Calls `visit` for every entry, in any order.
    ///
    /// An entry that exists from the begin of the pass to its end is visited once; one that comes or goes meanwhile is
    /// visited at most once. `visit` neither blocks nor allocates: it may run under a spin lock.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or whatever keeps the source from being read. Entries may have been visited before.
    fn pass(&mut self, visit: impl FnMut(Self::Key, Adjustments<'_>)) -> Result<(), Errno>;
}

/// What a line shows of an entry besides its adjustments. Its order is that of the output.
pub trait Key: Copy + Ord + Default {
    /// The line that stands before all entries, with its newline; empty for none.
    const HEADER: &'static str;

    /// What the entry is found by again: that of the key which never changes, though what else it shows may.
    type Name: Ord;

    /// The entry's name.
    fn name(&self) -> Self::Name;

    /// Prints what a line begins with, before the adjustments.
    fn show(&self, out: &mut SeqBuf<'_>);
}

/// The key in one process's own list: `semid adj0 adj1 ... adjN-1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnKey {
    /// The semaphore set.
    pub semid: SemId,
}

impl Key for OwnKey {
    const HEADER: &'static str = "";

    type Name = SemId;

    fn name(&self) -> SemId {
        self.semid
    }

    fn show(&self, out: &mut SeqBuf<'_>) {
        out.put_dec(self.semid);
    }
}

/// The key in the table of a whole IPC namespace: `semid pid list adj0 ... adjN-1`, as a table of `/proc/sysvipc`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableKey {
    /// The semaphore set.
    pub semid: SemId,
    /// The process: its thread-group id.
    pub pid: i32,
    /// The lowest thread id among those that share the undo list. Lines with the same `list` are of one and the same list:
    /// threads and processes made with `CLONE_SYSVSEM` share theirs. When that thread exits, the list goes by another.
    pub list: i32,
    /// Which list it is: any number that stays the list's own while the list exists. Never shown.
    pub identity: usize,
}

impl Key for TableKey {
    const HEADER: &'static str = "     semid        pid       list semadj\n";

    type Name = (SemId, i32, usize);

    fn name(&self) -> (SemId, i32, usize) {
        (self.semid, self.pid, self.identity)
    }

    fn show(&self, out: &mut SeqBuf<'_>) {
        out.put_dec_padded(self.semid, 10);
        out.put_char(b' ');
        out.put_dec_padded(self.pid, 10);
        out.put_char(b' ');
        out.put_dec_padded(self.list, 10);
    }
}
