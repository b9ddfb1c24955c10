//! Programs on the running kernel: real processes in an IPC namespace of their own.
//!
//! A *host*, which is the test's program run again, forks the processes, which are its *actors*, tells them their calls through shared
//! memory, and looks at all sets after each. It never waits for a time: a call has returned or it is counted by `GETNCNT` or `GETZCNT`.

mod actor;
mod host;
mod shared;
mod sys;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::program::Program;
use crate::trace::Trace;

/// Becomes host or actor where the arguments say so; to be called first by the program that is given to [`Kernel::start`].
pub fn serve_if_told() -> Option<Result<()>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.split_first()? {
        (first, []) if first == host::ARGUMENT => Some(host::serve()),
        (first, rest) if first == actor::ARGUMENT => Some(actor::go_on(rest)),
        _ => None,
    }
}

/// What a host says first.
#[derive(Serialize, Deserialize)]
struct Greeting {
    /// Whether it is root's, without which it ends.
    root: bool,
    /// Whether undo lists can be read, or why not.
    bpf: Result<(), String>,
}

/// A host. It ends where this goes out of scope.
#[derive(Debug)]
pub struct Kernel {
    child: Child,
    programs: Option<ChildStdin>,
    traces: ChildStdout,
    no_undo: Option<String>,
}

/// Why nothing can be run on the kernel here.
#[derive(Debug)]
pub struct NotRoot;

impl Kernel {
    /// Starts a host: a program whose `main` begins with [`serve_if_told`].
    pub fn start(program: &Path) -> Result<Result<Self, NotRoot>> {
        let mut command = Command::new(program);
        command.arg(host::ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let (programs, traces) = (child.stdin.take(), child.stdout.take().expect("it was asked for"));
        let mut kernel = Self { child, programs, traces, no_undo: None };
        let greeting: Greeting = kernel.receive()?;
        kernel.no_undo = greeting.bpf.err();
        Ok(if greeting.root { Ok(kernel) } else { Err(NotRoot) })
    }

    /// Why undo lists cannot be read here, so that only the ends of processes show what they are.
    #[must_use]
    pub fn no_undo(&self) -> Option<&str> {
        self.no_undo.as_deref()
    }

    /// Runs a program. An error is one of the test itself.
    pub fn run(&mut self, program: &Program) -> Result<Trace> {
        let bytes = postcard::to_stdvec(program)?;
        let programs = self.programs.as_mut().expect("it is there until this goes out of scope");
        programs.write_all(&(bytes.len() as u32).to_le_bytes()).context("the host has ended")?;
        programs.write_all(&bytes).context("the host has ended")?;
        let ran: Result<Trace, String> = self.receive()?;
        ran.map_err(|error| anyhow!("on the kernel: {error}"))
    }

    fn receive<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut length = [0; 4];
        if self.traces.read_exact(&mut length).is_err() {
            bail!("the host has ended: {:?}", self.child.wait());
        }
        let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
        self.traces.read_exact(&mut bytes).context("the host has ended")?;
        Ok(postcard::from_bytes(&bytes)?)
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        // It ends with its input, and takes its actors along.
        drop(self.programs.take());
        let _ = self.child.wait();
    }
}
