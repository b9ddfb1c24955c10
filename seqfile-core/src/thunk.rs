//! [`SeqOperations`] for the kernel's own `seq_file`: the four functions of
//! `struct seq_operations` over plain pointers and numbers, for a C shim to wrap. The section lives
//! beside the operations from `start` to `stop`.

use core::{cell::UnsafeCell, marker::PhantomPinned, ptr, slice};

use crate::{Errno, Section, SeqBuf, SeqOperations, Show, ops};

/// Operations, and the section that the kernel is in.
///
/// One is allocated for each open file, `seq_file.private` points at it, and the C side wraps the four functions: all that is
/// made by [`thunks!`](crate::thunks), which also shows the C side. `seq_file.lock` makes their calls one at a time, and each
/// `start` is followed by a `stop`, before anything else starts.
///
/// Positions cross as `loff_t`; [`SeqOperations`] keeps them within `i64::MAX`.
///
/// # Invariants
///
/// * `section`, where there is one, borrows `ops` alone, mutably, through a lifetime that was
///   extended to `'static`. While it is there nothing else touches `ops`, and the thunk is not
///   moved.
/// * `section` is declared, and so dropped, before `ops`.
pub struct Thunk<O: SeqOperations + 'static> {
    section: UnsafeCell<Option<O::Section<'static>>>,
    ops: UnsafeCell<O>,
    // A `&mut` to a thunk must not claim that nothing points into it: its own section does.
    _pinned: PhantomPinned,
}

impl<O: SeqOperations + 'static> Thunk<O> {
    /// A thunk that is in no section. It may be moved until the first [`start`](Self::start), and
    /// not while a section is open.
    pub const fn new(ops: O) -> Self {
        Self { section: UnsafeCell::new(None), ops: UnsafeCell::new(ops), _pinned: PhantomPinned }
    }

    /// `seq_operations.start`: enters a section at `*pos`, and sets `*pos` to the position of the
    /// record found.
    ///
    /// Returns 1 at a record, 0 at the end, a negative error number otherwise. The section stays
    /// open at the end too; an error leaves none.
    ///
    /// # Safety
    ///
    /// `this` points to a live thunk that stays where it is until [`stop`](Self::stop) or its drop;
    /// no other call on it is in progress; `pos` may be read and written. If calls come from
    /// several threads, `O` is `Send`; from `start` to `stop` they come from one.
    pub unsafe fn start(this: *mut Self, pos: *mut i64) -> isize {
        // A section that was left open still borrows `ops`.
        // SAFETY: the caller's contract is that of `stop`.
        unsafe { Self::stop(this) };
        // SAFETY: `this` points to a live thunk; this makes a pointer, not a reference to it.
        let (section, ops) = unsafe { (&raw mut (*this).section, &raw mut (*this).ops) };
        // SAFETY: `ops` is live, and as the section is closed nothing else borrows it. The lifetime
        // ends before the thunk moves or `ops` is dropped, by the invariants.
        let ops: &'static mut O = unsafe { &mut *UnsafeCell::raw_get(ops) };
        // SAFETY: the caller lets us read and write `*pos`.
        let pos = unsafe { &mut *pos };
        match ops.start(*pos as u64) {
            Ok(entered) => {
                *pos = (*pos).max(entered.pos() as i64);
                let code = at_record(&entered);
                // SAFETY: `section` is live and holds None, and nothing borrows it: calls come one
                // at a time.
                unsafe { UnsafeCell::raw_get(section).write(Some(entered)) };
                code
            }
            Err(errno) => errno.negated() as isize,
        }
    }

    /// `seq_operations.next`: moves to the next record and sets `*pos` to its position. `*pos`
    /// always grows, even at the end and on an error, as `seq_read_iter` demands.
    ///
    /// Returns as [`start`](Self::start) does, and `-EINVAL` where no section is open.
    ///
    /// # Safety
    ///
    /// As for [`start`](Self::start).
    pub unsafe fn next(this: *mut Self, pos: *mut i64) -> isize {
        // SAFETY: the caller lets us read and write `*pos`.
        let pos = unsafe { &mut *pos };
        let mut index = *pos as u64;
        // SAFETY: the caller's contract is that of `section`; the borrow ends with this call.
        let result = match unsafe { Self::section(this) } {
            Some(section) => ops::advance(section, &mut index).map(|()| at_record(section)),
            None => {
                index = index.wrapping_add(1);
                Err(Errno::EINVAL)
            }
        };
        *pos = index as i64;
        result.unwrap_or_else(|errno| errno.negated() as isize)
    }

    /// `seq_operations.show`: prints the current record behind the first `*count` of the `size`
    /// bytes at `buf` and sets `*count`; to `size` when the record did not fit.
    ///
    /// Returns 0, 1 for a record to skip (`SEQ_SKIP`), or a negative error number; `-EINVAL` where
    /// no section is open.
    ///
    /// # Safety
    ///
    /// As for [`start`](Self::start); also `buf` may be read and written for `size` bytes and
    /// `count` may be read and written, and neither is part of the thunk.
    pub unsafe fn show(this: *mut Self, buf: *mut u8, size: usize, count: *mut usize) -> i32 {
        // SAFETY: the caller's contract is that of `section`; the borrow ends with this call.
        let Some(section) = (unsafe { Self::section(this) }) else {
            return Errno::EINVAL.negated();
        };
        let bytes = if size == 0 {
            &mut []
        } else {
            // SAFETY: the caller lets us read and write `size` bytes at `buf`.
            unsafe { slice::from_raw_parts_mut(buf, size) }
        };
        // SAFETY: the caller lets us read and write `*count`.
        let count = unsafe { &mut *count };
        let mut out = SeqBuf::with_count(bytes, *count);
        let shown = section.show(&mut out);
        *count = out.count();
        match shown {
            Ok(Show::Record) => 0,
            Ok(Show::Skip) => 1,
            Err(errno) => errno.negated(),
        }
    }

    /// `seq_operations.stop`: leaves the section, if there is one.
    ///
    /// # Safety
    ///
    /// As for [`start`](Self::start), without `pos`.
    pub unsafe fn stop(this: *mut Self) {
        // SAFETY: `this` points to a live thunk.
        let section = unsafe { UnsafeCell::raw_get(&raw const (*this).section) };
        // SAFETY: nothing borrows `section`: calls come one at a time. It is moved out first, so
        // that its drop runs with the field already empty.
        drop(unsafe { ptr::replace(section, None) });
    }

    /// The open section.
    ///
    /// # Safety
    ///
    /// As for [`start`](Self::start), without `pos`; the borrow ends before the next call.
    unsafe fn section<'a>(this: *mut Self) -> Option<&'a mut O::Section<'static>> {
        // SAFETY: `this` points to a live thunk and nothing else borrows `section`.
        unsafe { (*UnsafeCell::raw_get(&raw const (*this).section)).as_mut() }
    }
}

/// What `start` and `next` say about where the section stands.
fn at_record(section: &impl Section) -> isize {
    isize::from(!section.is_end())
}
