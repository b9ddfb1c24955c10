//! The memory by which host and actors talk: a place for each actor, with a word that says whose turn it is.
//!
//! Pipes would do, but take three times as long, and do not say whether an answer is there without asking the kernel.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap};
use rustix::thread::futex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::program::PROCESSES;

/// A message is shorter: the largest is the values of a set.
const MESSAGE: usize = 128 << 10;

/// How many places there are.
pub(super) const PLACES: usize = PROCESSES;

const HOST: u32 = 0;
const ACTOR: u32 = 1;

#[repr(C)]
struct Layout {
    /// Grows with each answer.
    answers: AtomicU32,
    places: [Place; PLACES],
}

#[repr(C, align(4096))]
struct Place {
    turn: AtomicU32,
    length: u32,
    message: [u8; MESSAGE],
}

/// The memory, mapped.
///
/// # Invariants
///
/// `layout` is a mapping of a `Layout` that stays for as long as the process runs. `length` and `message` of a place belong to the
/// side whose turn `turn` says it is: only that side looks at them, and gives them away by a store with `Release`.
pub(super) struct Shared {
    layout: NonNull<Layout>,
    file: OwnedFd,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// New memory, all of it the host's.
    pub(super) fn new() -> Result<Self> {
        // The descriptor is for programs that actors become, too.
        let file = memfd_create("enginetest", MemfdFlags::empty()).context("memfd_create(2)")?;
        ftruncate(&file, size_of::<Layout>() as u64).context("ftruncate(2)")?;
        Self::open(file)
    }

    /// That of the process that this one was before it became another program.
    pub(super) fn open(file: OwnedFd) -> Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: it is mapped where the kernel finds room, so over nothing that is in use.
        let mapped =
            unsafe { mmap(ptr::null_mut(), size_of::<Layout>(), protection, MapFlags::SHARED, file.as_fd(), 0) };
        let layout = NonNull::new(mapped.context("mmap(2)")?.cast()).context("mmap(2) answered null")?;
        // INVARIANT: the file has the layout's size, zero is valid for all of it, and it is never unmapped.
        Ok(Self { layout, file })
    }

    /// The descriptor's number.
    pub(super) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Gives a command to an actor.
    pub(super) fn command<T: Serialize>(&self, place: usize, command: &T) -> Result<()> {
        ensure!(!self.is_busy(place), "an actor was told a second thing before it answered");
        self.write(place, command)?;
        self.turn(place).store(ACTOR, Ordering::Release);
        futex::wake(self.turn(place), futex::Flags::empty(), 1).context("futex(2)")?;
        Ok(())
    }

    /// Whether an actor has not answered yet.
    pub(super) fn is_busy(&self, place: usize) -> bool {
        self.turn(place).load(Ordering::Acquire) == ACTOR
    }

    /// An actor's answer, where there is one to its command.
    pub(super) fn answer<T: DeserializeOwned>(&self, place: usize) -> Result<Option<T>> {
        if self.is_busy(place) { Ok(None) } else { self.read(place).map(Some) }
    }

    /// Waits for an answer of any actor, unless there was one since `seen` was counted; no longer than `patience`.
    pub(super) fn wait(&self, seen: u32, patience: Duration) -> Result<()> {
        let timeout = patience.try_into().context("a time to wait")?;
        match futex::wait(self.answers(), futex::Flags::empty(), seen, Some(&timeout)) {
            Ok(()) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT) => Ok(()),
            Err(error) => Err(error).context("futex(2)"),
        }
    }

    /// How many answers there were.
    pub(super) fn count(&self) -> u32 {
        self.answers().load(Ordering::Acquire)
    }

    /// Takes a place back whose actor is gone.
    pub(super) fn take_back(&self, place: usize) {
        self.turn(place).store(HOST, Ordering::Release);
    }

    /// The actor's side: waits for a command.
    pub(super) fn commanded<T: DeserializeOwned>(&self, place: usize) -> Result<T> {
        while self.turn(place).load(Ordering::Acquire) == HOST {
            match futex::wait(self.turn(place), futex::Flags::empty(), HOST, None) {
                Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error).context("futex(2)"),
            }
        }
        self.read(place)
    }

    /// The actor's side: answers.
    pub(super) fn reply<T: Serialize>(&self, place: usize, answer: &T) -> Result<()> {
        self.write(place, answer)?;
        self.turn(place).store(HOST, Ordering::Release);
        self.answers().fetch_add(1, Ordering::Release);
        futex::wake(self.answers(), futex::Flags::empty(), 1).context("futex(2)")?;
        Ok(())
    }

    fn answers(&self) -> &AtomicU32 {
        // SAFETY: by the invariant it is mapped; an atomic may be shared.
        unsafe { &(*self.layout.as_ptr()).answers }
    }

    fn turn(&self, place: usize) -> &AtomicU32 {
        // SAFETY: as above, and the index is checked.
        unsafe { &(&(*self.layout.as_ptr()).places)[place].turn }
    }

    fn read<T: DeserializeOwned>(&self, place: usize) -> Result<T> {
        let place = self.place(place);
        // SAFETY: by the invariant it is mapped and this side's, whose turn the caller has seen.
        let message = unsafe {
            let length = ((*place).length as usize).min(MESSAGE);
            slice::from_raw_parts((&raw const (*place).message).cast(), length)
        };
        postcard::from_bytes(message).context("a message that is none")
    }

    fn write<T: Serialize>(&self, place: usize, message: &T) -> Result<()> {
        let place = self.place(place);
        // SAFETY: by the invariant it is mapped and this side's, whose turn the caller has seen.
        unsafe {
            let bytes = slice::from_raw_parts_mut((&raw mut (*place).message).cast(), MESSAGE);
            (*place).length = postcard::to_slice(message, bytes).context("a message that is too long")?.len() as u32;
        }
        Ok(())
    }

    fn place(&self, place: usize) -> *mut Place {
        assert!(place < PLACES);
        // SAFETY: by the invariant it is mapped; this only makes an address in it.
        unsafe { (&raw mut (*self.layout.as_ptr()).places).cast::<Place>().add(place) }
    }
}
