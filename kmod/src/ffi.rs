//! The C half of the module, as Rust sees it: `shim/semundo.h`, and nothing else.

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::marker::{PhantomData, PhantomPinned};

use rcu_core::list::ListHead;
use semundo_core::plan::Op;
use semundo_core::types::SemId;
use seqfile_core::Errno;

/// A structure of the kernel that Rust only points to.
#[repr(C)]
pub struct Opaque {
    _bytes: [u8; 0],
    _pinned: PhantomData<(*mut u8, PhantomPinned)>,
}

/// `struct semundo_offsets`.
#[repr(C)]
pub struct Offsets {
    pub undo_list_proc: usize,
    pub undo_ulp: usize,
    pub undo_list_id: usize,
    pub undo_semid: usize,
    pub undo_semadj: usize,
    pub semadj_is_pointer: usize,
}

/// `struct semundo_owner`: a task with an undo list. Both addresses are only compared or handed back to C.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Owner {
    pub undo_list: usize,
    pub task: usize,
    pub pid: c_int,
    pub tid: c_int,
    /// The lowest thread id that shares the list; filled in by Rust.
    pub list: c_int,
}

/// `struct semundo_member`.
#[repr(C)]
pub struct Member {
    pub structure: *const c_char,
    pub member: *const c_char,
    pub offset: usize,
}

/// What `kmalloc` aligns memory of any size to.
pub const ALLOC_ALIGN: usize = 8;

unsafe extern "C" {
    /// Where the members of `struct sem_undo` are. Constant.
    pub safe static semundo_offsets: Offsets;

    /// Zeroed memory, aligned to [`ALLOC_ALIGN`], or null. May sleep.
    pub safe fn semundo_alloc(bytes: usize) -> *mut c_void;

    /// Frees what `semundo_alloc` gave, or null.
    pub fn semundo_free(memory: *const c_void);

    /// Lets others run; negative when the caller is being killed. Outside of any section or lock.
    pub safe fn semundo_between_passes() -> c_int;

    /// Lets others run. Outside of any section or lock.
    pub safe fn semundo_relax();

    /// Names the caller's own undo list, 0 for none.
    pub safe fn semundo_own_list() -> usize;

    /// Locks the undo list that `file` is of and gives its head, or null (unlocked). Inside a read-side critical section.
    pub fn semundo_own_lock(file: *mut Opaque) -> *mut ListHead;

    /// Unlocks the undo list with this head, which was locked. Inside the section that it was locked in.
    pub fn semundo_own_unlock(head: *mut ListHead);

    /// How many semaphores the set of an entry has, 0 for none such. With the entry's list locked.
    pub fn semundo_undo_size(undo: *const Opaque) -> c_int;

    /// The set, or null. Inside a read-side critical section.
    pub fn semundo_find_set(semid: c_int) -> *mut Opaque;

    /// How many semaphores the set has, 0 for none such. Inside a read-side critical section.
    pub fn semundo_set_size(semid: c_int) -> c_int;

    /// Locks the set and gives its list of undo entries, or null (unlocked).
    pub fn semundo_set_lock(set: *mut Opaque, semid: *mut c_int, nsems: *mut c_int) -> *mut ListHead;

    /// Unlocks a set that was locked.
    pub fn semundo_set_unlock(set: *mut Opaque);

    /// Copies the values of a set that is locked, one for each of its semaphores.
    pub fn semundo_set_values(set: *const Opaque, values: *mut u16);

    /// How many operations a call may have.
    pub safe fn semundo_semopm() -> c_int;

    /// The kernel's `semop` on operations in kernel memory, which it only reads: 0 or a negative error. May sleep.
    fn semundo_semop(semid: c_int, ops: *const Op, nops: c_uint) -> c_int;
}

#[cfg(not(semundo_in_tree))]
unsafe extern "C" {
    /// The first set at `*index` or above. Inside a read-side critical section.
    pub fn semundo_next_set(index: *mut c_int) -> *mut Opaque;

    /// The tasks with undo lists that the opener of `file` may see. Inside a read-side critical section.
    pub fn semundo_owners(file: *mut Opaque, owners: *mut Owner, capacity: usize) -> usize;

    /// Whether the undo list is the task's now. Inside the section that `semundo_owners` gave the task in.
    pub fn semundo_task_has(task: usize, undo_list: usize) -> bool;
}

/// Lets others run between two passes.
///
/// # Errors
///
/// `EINTR` when the caller is being killed.
pub fn between_passes() -> Result<(), Errno> {
    if semundo_between_passes() < 0 { Err(Errno::EINTR) } else { Ok(()) }
}

/// `semop(2)` by the caller.
///
/// # Errors
///
/// Those of `semop(2)`, and `EOPNOTSUPP` where the kernel's function was not found.
pub fn semop(semid: SemId, ops: &[Op]) -> Result<(), Errno> {
    // SAFETY: an `Op` is a `struct sembuf`, and there are as many as are named.
    Errno::from_raw(-unsafe { semundo_semop(semid, ops.as_ptr(), ops.len() as c_uint) }).map_or(Ok(()), Err)
}

#[cfg(semundo_module)]
unsafe extern "C" {
    /// Reports a bug at a place in the source and ends the task.
    pub fn semundo_panic(file: *const u8, len: usize, line: u32) -> !;
}
