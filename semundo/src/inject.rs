//! System calls made inside a live process by `ptrace(2)`, so that it is *its* undo list that changes.
//!
//! A thread is stopped, made to call `semop(2)`, and goes on as if nothing had been: with the same registers, memory and signal mask,
//! and in the system call in which it slept.
//!
//! ```no_run
//! use semundo::{inject::Stopped, processes};
//! use semundo_core::plan::{Op, Plan, SEMOPM};
//!
//! let mut stopped = Stopped::seize(&processes::threads(841))?;
//! let mut buffer = [Op::default(); SEMOPM];
//! let mut plan = Plan::new(&[0], &[-1], &[1], &mut buffer).unwrap();
//! while let Some(ops) = plan.next_call() {
//!     stopped.semop(3, ops)??;
//! }
//! stopped.release()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How
//!
//! - **No code is overwritten.** The thread executes a `syscall` instruction that the process has already: in its vDSO, else in any
//!   executable mapping.
//! - **No memory is overwritten.** The operations are put into a page of their own, which the process is first made to map and at the end to
//!   unmap. Below the stack pointer there need not be a stack: coroutines have small ones next to each other.
//! - **Between two calls everything is as it was.** Each call sets the registers and the signal mask, and sets them back before it
//!   returns. So the thread may be let go at any time.
//! - **The kernel restarts what was interrupted.** The thread is stopped where the kernel handles signals, and it is brought back to there
//!   before its registers are set back, with the `ERESTART*` value that the interrupted call had (`kernel/signal.c`,
//!   `arch/x86/kernel/signal.c`). The kernel then does what it would have done: the call goes on, a sleep with the time that is left;
//!   or, if meanwhile a signal came that has a handler, the handler runs, and the call fails with `EINTR` if it would have.
//! - Calls that fail with `EINTR` when their thread was only stopped (`signal(7)`, "Interruption of system calls and library functions by
//!   stop signals": `semop(2)` is one) get `ERESTARTNOHAND` instead of it, which means just that: `EINTR` if a handler runs, else again.
//! - Signals wait while a call is made. No handler sees it.
//! - A restartable sequence (`rseq(2)`) in which the thread was is aborted, as by any other preemption.
//! - A seccomp filter is asked first: it is read and evaluated, so that one that kills is not found out by being killed.
//! - The tracer is a thread of its own: its end releases also those that cannot be stopped. So [`Stopped`] may go to another thread.
//!
//! # Threads that are held already
//!
//! A checkpoint tool stops the threads itself. [`adopt`] makes calls in one of them, from the very thread that traces it, and leaves it
//! standing still. There, many calls are made in one run, by some bytes of code that lie in a page of their own beside the operations; the
//! thread stops again by a breakpoint instruction, and where the process ignores `SIGTRAP` or one waits for it, the calls are made
//! one by one instead. [`restart_semop`] makes a thread sleep on that left `semop(2)` only to be held.
//!
//! # Limits
//!
//! - x86-64, 64-bit processes. The part for aarch64 is compiled, and was never run; there, what a thread slept in begins anew or fails
//!   with `EINTR`, because the kernel does not show tracers enough to do better.
//! - A *relative* timeout of the calls that fail with `EINTR` when stopped begins anew, because the kernel keeps it nowhere: `semtimedop`,
//!   `epoll_wait`, `sigtimedwait`, `io_getevents`, and sockets with `SO_RCVTIMEO` or `SO_SNDTIMEO`.
//! - `ppoll` and `pselect` with a timeout last longer by the time for which the thread was stopped: they keep what was left before.
//! - A thread that is frozen by the cgroup v2 freezer can be stopped but makes no call ([`Error::Stuck`]).
//! - If the caller's process is ended by `SIGKILL`, the kernel lets all threads go. That is harmless, but for the some 100 microseconds of a call:
//!   then the thread goes on with the wrong registers and with its signals blocked. A page may stay mapped.
//! - Between stop and release signals are queued, also those that are ignored; they are handled at the release.
//! - The caller's process gets `SIGCHLD` for each stop. It must not wait for the threads meanwhile, as it could for its own
//!   children: that may show the stops.
//! - Kernels before 5.1 do not tell the signal mask of a thread that waits with another one (`sigsuspend(2)`, `ppoll(2)`).

mod access;
mod adopted;
mod arch;
mod batch;
mod call;
mod held;
mod memory;
mod ptrace;
mod seccomp;
mod tracee;
mod tracer;

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use semundo_core::plan::Op;

use arch::{Arch, Registers};
use tracer::Semop;

pub use adopted::{Adopted, adopt, restart_semop};

/// Threads that stand still, of which the first can be made to call. They go on when this is released or dropped.
#[must_use = "the threads go on as soon as this is dropped"]
#[derive(Debug)]
pub struct Stopped {
    calls: Option<Sender<Semop>>,
    answers: Receiver<Result<io::Result<()>, Error>>,
    tracer: Option<JoinHandle<Result<(), Error>>>,
}

impl Stopped {
    /// Stops threads, by their thread ids: `PTRACE_SEIZE` and `PTRACE_INTERRUPT`.
    ///
    /// All of them or none. Those that are to share an undo list are best stopped together: whoever is not can change it meanwhile. A
    /// process that `SIGSTOP` stopped stays stopped afterwards, too.
    pub fn seize(tids: &[i32]) -> Result<Self, Error> {
        if !Registers::SUPPORTED {
            return Err(Error::Architecture);
        }
        let first = *tids.first().ok_or(Error::NoThreads)?;
        let tids = tids.to_vec();
        let (calls, to_make) = mpsc::channel();
        let (answer, answers) = mpsc::channel();
        let (seized, is_seized) = mpsc::channel();
        let tracer = thread::Builder::new()
            .name("semundo-tracer".to_owned())
            .spawn(move || tracer::run(&tids, &seized, &to_make, &answer))
            .map_err(|source| Error::Request { tid: first, what: "the start of a tracer", source })?;
        let mut stopped = Self { calls: Some(calls), answers, tracer: Some(tracer) };
        match is_seized.recv() {
            Ok(()) => Ok(stopped),
            Err(_) => Err(stopped.ended()),
        }
    }

    /// Makes the first thread call `semop(2)` with these operations.
    ///
    /// The inner error is the errno of the call, which then changed nothing; the outer one says why no call was made. It does not wait
    /// for semaphores, because [`Op`]s never do.
    pub fn semop(&mut self, semid: i32, ops: &[Op]) -> Result<io::Result<()>, Error> {
        let calls = self.calls.as_ref().expect("only release takes it");
        match calls.send(Semop::new(semid, ops)).map(|()| self.answers.recv()) {
            Ok(Ok(answer)) => answer,
            _ => Err(self.ended()),
        }
    }

    /// Lets the threads go on.
    ///
    /// An error says that a thread has died meanwhile, or what could not be undone. All others go on all the same.
    pub fn release(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        drop(self.calls.take());
        match self.tracer.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }

    /// Why the tracer ended, which did so by itself.
    fn ended(&mut self) -> Error {
        self.end().expect_err("the tracer ends by itself on errors only")
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        drop(self.calls.take());
        if let Some(tracer) = self.tracer.take() {
            // Nobody is left to be told.
            let _ = tracer.join();
        }
    }
}

/// Why threads could not be stopped or made to call. They go on unharmed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An empty list of threads.
    #[error("no threads to stop")]
    NoThreads,
    /// The part for this processor architecture is missing.
    #[error("calls can be injected on x86-64 and aarch64 only")]
    Architecture,
    /// There is no such thread, or it has ended and is not yet waited for.
    #[error("thread {0}: there is none")]
    NotFound(i32),
    /// A thread of the caller's own process.
    #[error("thread {0} is of this process, which cannot trace itself")]
    Own(i32),
    /// Somebody traces it already: a debugger, strace, or another [`Stopped`].
    #[error("thread {tid} is already traced, by process {tracer}")]
    Traced {
        /// The thread.
        tid: i32,
        /// The process that traces it.
        tracer: i32,
    },
    /// The caller may not trace it.
    #[error("thread {tid} may not be traced: {why}")]
    Denied {
        /// The thread.
        tid: i32,
        /// What is missing or forbids it.
        why: &'static str,
    },
    /// The thread's seccomp mode or filter forbids the call, or cannot be asked.
    #[error("thread {tid} may not make the call: {why}")]
    Seccomp {
        /// The thread.
        tid: i32,
        /// What forbids it.
        why: &'static str,
    },
    /// A 32-bit process.
    #[error("thread {0} is of a 32-bit process")]
    Bits32(i32),
    /// The thread does not stop, or does not go on: it sleeps uninterruptibly (`D`), waits for its child of `vfork(2)`, or is frozen.
    #[error("thread {0} does not react: it sleeps uninterruptibly or is frozen")]
    Stuck(i32),
    /// The thread ended meanwhile.
    #[error("thread {0} died")]
    Died(i32),
    /// The process has no instruction for system calls.
    #[error("thread {0}: no system call instruction was found in its code")]
    NoInstruction(i32),
    /// Something that should not happen.
    #[error("thread {tid}: {what}")]
    Unexpected {
        /// The thread.
        tid: i32,
        /// What.
        what: String,
    },
    /// A request or file that failed, and how.
    #[error("thread {tid}: {what}: {source}")]
    Request {
        /// The thread.
        tid: i32,
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}
