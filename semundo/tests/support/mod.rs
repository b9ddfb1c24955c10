//! What the tests on the live kernel have in common.
#![allow(dead_code, reason = "each test program uses some of it")]

use std::io::{PipeReader, PipeWriter, Read, Write, pipe};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use semundo::sysv::{Op, SemSet, TempSet};

/// A call that a [`Holder`] makes.
pub type Call = (i32, Vec<Op>);

/// A forked process that makes calls and then waits until it is to end.
pub struct Holder {
    pid: Pid,
    end: Option<PipeWriter>,
}

impl Holder {
    /// When this returns, the calls are made.
    pub fn new(calls: &[Call]) -> Self {
        Self::after(|| true, calls)
    }

    /// The same, after `prepare`, which allocates nothing.
    pub fn after(prepare: fn() -> bool, calls: &[Call]) -> Self {
        let (done, is_done) = pipe().unwrap();
        let (is_ended, end) = pipe().unwrap();
        // SAFETY: the child makes system calls only; it allocates nothing and takes no lock.
        match unsafe { fork() }.unwrap() {
            ForkResult::Child => {
                drop((done, end));
                let made = prepare() && calls.iter().all(|(semid, ops)| SemSet::from_id(*semid).op(ops).is_ok());
                hold(made, is_done, is_ended)
            }
            ForkResult::Parent { child } => {
                drop((is_done, is_ended));
                let holder = Self { pid: child, end: Some(end) };
                assert_eq!(read_byte(done), Some(b'y'), "a call of the holder failed");
                holder
            }
        }
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// Lets it end by itself.
    pub fn end(mut self) {
        self.end.take().unwrap().write_all(b"e").unwrap();
        assert_eq!(waitpid(self.pid, None).unwrap(), WaitStatus::Exited(self.pid, 0));
    }

    /// Kills it.
    pub fn kill(mut self) {
        kill(self.pid, Signal::SIGKILL).unwrap();
        assert_eq!(waitpid(self.pid, None).unwrap(), WaitStatus::Signaled(self.pid, Signal::SIGKILL, false));
        drop(self.end.take());
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if self.end.take().is_some() {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
    }
}

/// Tells whether all is made, and waits for the end.
fn hold(made: bool, mut is_done: PipeWriter, mut is_ended: PipeReader) -> ! {
    let told = is_done.write_all(if made { b"y" } else { b"n" });
    drop(is_done);
    let ended = is_ended.read(&mut [0]);
    // SAFETY: _exit takes a number; it runs no destructor of what was forked.
    unsafe { libc::_exit(if told.is_ok() && ended.is_ok() { 0 } else { 1 }) }
}

fn read_byte(mut pipe: PipeReader) -> Option<u8> {
    let mut byte = [0];
    pipe.read_exact(&mut byte).ok().map(|()| byte[0])
}

/// A semaphore: its value, and the adjustment that somebody has.
pub type Semaphore = (u16, i16);

/// The value after the end of who has the adjustment.
pub fn value_after((value, adjustment): Semaphore) -> u16 {
    (i32::from(value) + i32::from(adjustment)).clamp(0, 32767) as u16
}

/// New sets, and a process that has adjustments in them.
pub fn held(sets: &[Vec<Semaphore>]) -> (Vec<TempSet>, Holder) {
    let made: Vec<_> = sets.iter().map(|set| TempSet::create(set.len(), 0o600).unwrap()).collect();
    let mut calls = Vec::new();
    for (set, semaphores) in made.iter().zip(sets) {
        for (number, chunk) in semaphores.chunks(100).enumerate() {
            let ops = chunk.iter().enumerate().flat_map(|(n, one)| acquire((number * 100 + n) as u16, *one));
            calls.push((set.id(), ops.collect::<Vec<_>>()));
        }
    }
    // semop(2) takes no empty call.
    calls.retain(|(_, ops)| !ops.is_empty());
    let holder = Holder::new(&calls);
    (made, holder)
}

/// Up to five operations that give a semaphore of value 0 a value, and the caller an adjustment.
fn acquire(semaphore: u16, (value, adjustment): Semaphore) -> Vec<Op> {
    let mut ops = Vec::new();
    // -32768 cannot be taken at once: an operation is at most 32767.
    for part in [adjustment.clamp(-32767, 32767), adjustment - adjustment.clamp(-32767, 32767)] {
        if part != 0 {
            let (plain, undo) = (Op::new(semaphore, part).nowait(), Op::new(semaphore, -part).nowait().undo());
            ops.extend(if part > 0 { [plain, undo] } else { [undo, plain] });
        }
    }
    if value != 0 {
        ops.push(Op::new(semaphore, value as i16));
    }
    ops
}

/// The sets' values.
pub fn values(sets: &[TempSet]) -> Vec<Vec<u16>> {
    sets.iter().map(|set| set.values().unwrap()).collect()
}

/// What [`values`] should be, by what of each semaphore.
pub fn each(sets: &[Vec<Semaphore>], of: fn(Semaphore) -> u16) -> Vec<Vec<u16>> {
    sets.iter().map(|set| set.iter().map(|one| of(*one)).collect()).collect()
}
