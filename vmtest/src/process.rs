//! A process of our own making that runs a closure, and the link by which the two talk.
//!
//! The programs here are single-threaded where they fork, so the copy may go on with everything of the standard library.

use std::ffi::c_int;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// One end of a link: messages of bytes, in order.
pub struct Link(UnixStream);

const MESSAGE: u8 = b'm';
const ERROR: u8 = b'e';

impl Link {
    fn write(&mut self, tag: u8, message: &[u8]) -> Result<()> {
        let mut frame = vec![tag];
        frame.extend_from_slice(&u32::try_from(message.len())?.to_ne_bytes());
        frame.extend_from_slice(message);
        self.0.write_all(&frame).context("the other process is gone")
    }

    /// Sends one message.
    pub fn send(&mut self, message: impl AsRef<[u8]>) -> Result<()> {
        self.write(MESSAGE, message.as_ref())
    }

    /// Waits for the next message; an error where the other process failed or ended.
    pub fn recv(&mut self) -> Result<Vec<u8>> {
        let mut head = [0; 5];
        self.0.read_exact(&mut head).context("no word from the other process")?;
        let mut message = vec![0; u32::from_ne_bytes(head[1..].try_into()?) as usize];
        self.0.read_exact(&mut message).context("the other process ended in the middle of a message")?;
        match head[0] {
            MESSAGE => Ok(message),
            _ => Err(anyhow!(String::from_utf8_lossy(&message).into_owned())),
        }
    }

    /// The next message as text.
    pub fn recv_text(&mut self) -> Result<String> {
        Ok(String::from_utf8(self.recv()?)?)
    }

    /// Tells the other side to go on.
    pub fn go(&mut self) -> Result<()> {
        self.send([])
    }

    /// Waits until the other side says [`Link::go`].
    pub fn wait(&mut self) -> Result<()> {
        let message = self.recv()?;
        ensure!(message.is_empty(), "expected a go, got {:?}", String::from_utf8_lossy(&message));
        Ok(())
    }

    /// [`Link::go`] and then [`Link::wait`]: the other side does one step.
    pub fn step(&mut self) -> Result<()> {
        self.go()?;
        self.wait()
    }

    /// Waits for ever: the process stays as it is until it is killed.
    pub fn hold(&mut self) -> Result<()> {
        self.go()?;
        loop {
            nix::unistd::pause();
        }
    }
}

/// A child process that runs a closure; killed and reaped when it goes out of scope.
pub struct Child {
    pid: Pid,
    link: Link,
    reaped: bool,
}

impl Child {
    /// Forks a process that runs `body` and ends.
    pub fn fork(body: impl FnOnce(&mut Link) -> Result<()>) -> Result<Child> {
        Child::with_flags(0, body)
    }

    /// As [`Child::fork`], with flags of `clone(2)`: name spaces, or CLONE_SYSVSEM to share the undo list.
    pub fn with_flags(flags: c_int, body: impl FnOnce(&mut Link) -> Result<()>) -> Result<Child> {
        let (ours, theirs) = UnixStream::pair()?;
        std::io::stdout().flush()?;
        // SAFETY: without CLONE_VM the call is a fork; no other thread runs here, so no lock is held in the copy.
        let pid = unsafe { libc::syscall(libc::SYS_clone, libc::c_long::from(flags | libc::SIGCHLD), 0, 0, 0, 0) };
        if pid == 0 {
            drop(ours);
            run(Link(theirs), body)
        }
        ensure!(pid > 0, "clone({flags:#x}): {}", std::io::Error::last_os_error());
        Ok(Child { pid: Pid::from_raw(pid as i32), link: Link(ours), reaped: false })
    }

    /// The process id as our name space counts.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The link to it.
    pub fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// The next message, which must come within `limit`; `None` when it does not.
    pub fn recv_within(&mut self, limit: Duration) -> Option<Result<Vec<u8>>> {
        if let Err(error) = self.link.0.set_read_timeout(Some(limit)) {
            return Some(Err(error.into()));
        }
        let result = self.link.recv();
        let timed_out = result.as_ref().is_err_and(|error| {
            let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            kind == Some(std::io::ErrorKind::WouldBlock)
        });
        if timed_out { None } else { Some(result) }
    }

    /// Sends SIGKILL and waits for the end. Undo is done by then: `do_exit` runs `exit_sem` before it tells the parent.
    pub fn kill(mut self) -> Result<()> {
        kill(self.pid, Signal::SIGKILL)?;
        self.reaped = true;
        match waitpid(self.pid, None)? {
            WaitStatus::Signaled(_, Signal::SIGKILL, _) => Ok(()),
            other => bail!("process {} should have died of SIGKILL: {other:?}", self.pid),
        }
    }

    /// Waits for its end, and gives its exit status.
    pub fn status(mut self) -> Result<i32> {
        self.reaped = true;
        match waitpid(self.pid, None)? {
            WaitStatus::Exited(_, status) => Ok(status),
            other => bail!("process {} should have exited: {other:?}", self.pid),
        }
    }

    /// Waits for its end, which must be a good one.
    pub fn join(mut self) -> Result<()> {
        self.reaped = true;
        match waitpid(self.pid, None)? {
            WaitStatus::Exited(_, 0) => Ok(()),
            status => Err(self.link.recv().err().unwrap_or_else(|| anyhow!("{status:?}"))),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
    }
}

/// The child's whole life.
fn run(mut link: Link, body: impl FnOnce(&mut Link) -> Result<()>) -> ! {
    // A test that is killed must not leave its processes behind.
    let _ = prctl::set_pdeathsig(Signal::SIGKILL);
    let result = catch_unwind(AssertUnwindSafe(|| body(&mut link)))
        .unwrap_or_else(|panic| Err(anyhow!("panicked: {}", panic_text(&*panic))));
    let status = match result {
        Ok(()) => 0,
        Err(error) => {
            let _ = link.write(ERROR, format!("{error:#}").as_bytes());
            1
        }
    };
    let _ = std::io::stdout().flush();
    // SAFETY: ends the process at once; exit handlers are the parent's business.
    unsafe { libc::_exit(status) }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text")
}
