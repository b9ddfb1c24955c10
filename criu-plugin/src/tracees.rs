//! All threads that CRIU holds, found by who traces them.

use std::thread;
use std::time::Duration;

use semundo::processes::{self, Status};

/// For how many looks killed threads are waited for, and how long after each.
const LOOKS: u32 = 30_000;
const PAUSE: Duration = Duration::from_millis(1);

/// The processes that this process traces, ascending.
pub(crate) fn processes() -> Vec<i32> {
    let mut all = processes::all();
    all.retain(|pid| Status::of(*pid).is_some_and(|status| status.is_traced_by_caller()));
    all
}

/// Ends all processes that this process traces, and waits until they are gone. A pid namespace waits for all that were in it, and who
/// is traced is gone only when the tracer has waited for it.
pub(crate) fn kill() {
    let processes = processes();
    let mut left: Vec<i32> = processes.iter().flat_map(|pid| processes::threads(*pid)).collect();
    for pid in processes {
        // SAFETY: takes numbers only. The process is there until its tracer has waited for it.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }
    for _ in 0..LOOKS {
        left.retain(|tid| !is_gone(*tid));
        if left.is_empty() {
            return;
        }
        thread::sleep(PAUSE);
    }
}

/// Whether a thread that was killed is gone, or is so now.
fn is_gone(tid: i32) -> bool {
    let mut status = 0;
    // SAFETY: writes one `c_int`.
    let answer = unsafe { libc::waitpid(tid, &raw mut status, libc::__WALL | libc::WNOHANG) };
    match answer {
        0 => false,
        -1 => true,
        _ => libc::WIFEXITED(status) || libc::WIFSIGNALED(status),
    }
}
