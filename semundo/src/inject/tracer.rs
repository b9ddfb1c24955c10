//! The thread that traces: it stops the threads, makes the calls that it is asked for, and lets the threads go.

use std::io;
use std::sync::mpsc::{Receiver, Sender};

use semundo_core::plan::Op;

use super::Error;
use super::call::Caller;
use super::tracee::Tracee;

/// A `semop(2)` call to make.
#[derive(Debug)]
pub(super) struct Semop {
    pub(super) semid: i32,
    /// The array of `struct sembuf`.
    pub(super) sops: Vec<u8>,
    pub(super) nsops: usize,
}

impl Semop {
    pub(super) fn new(semid: i32, ops: &[Op]) -> Self {
        let sembuf = |op: &Op| {
            let fields = [op.semaphore().to_ne_bytes(), op.amount().to_ne_bytes(), op.flags().to_ne_bytes()];
            fields.into_iter().flatten()
        };
        Self { semid, sops: ops.iter().flat_map(sembuf).collect(), nsops: ops.len() }
    }
}

/// Runs until nobody can ask for calls any more. However it ends, the threads go on.
pub(super) fn run(
    tids: &[i32],
    seized: &Sender<()>,
    calls: &Receiver<Semop>,
    answers: &Sender<Result<io::Result<()>, Error>>,
) -> Result<(), Error> {
    let tracees = seize(tids)?;
    let mut caller = Caller::new(&tracees[0]);
    // Where nobody hears it, nobody asks for calls either.
    let _ = seized.send(());
    for call in calls {
        let _ = answers.send(caller.semop(&call));
    }
    let unmapped = caller.unmap();
    tracees.into_iter().map(Tracee::release).fold(unmapped, Result::and)
}

fn seize(tids: &[i32]) -> Result<Vec<Tracee>, Error> {
    let mut tracees = Vec::new();
    let seized = tids.iter().try_for_each(|tid| {
        tracees.push(Tracee::seize(*tid)?);
        Ok(())
    });
    // Each is waited for, also where another one failed: only what stands still can be let go.
    tracees.iter().map(Tracee::stop).fold(seized, Result::and).map_err(|error| match error {
        Error::Died(tid) => Error::NotFound(tid),
        error => error,
    })?;
    Ok(tracees)
}
