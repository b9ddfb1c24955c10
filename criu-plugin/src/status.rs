//! What `/proc` tells of a thread that CRIU holds.

use semundo::processes;

/// Some lines of `/proc/TID/status`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// Its process.
    pub(crate) tgid: i32,
    /// How many threads that has, if this is the status of its first one.
    pub(crate) threads: i32,
    /// The thread that traces it; 0 for none.
    pub(crate) tracer: i32,
    /// Its own number, and that of its process, inside the innermost pid namespace that it is in.
    pub(crate) inner_tid: i32,
    pub(crate) inner_pid: i32,
}

impl Status {
    /// `None` where there is no such thread.
    pub(crate) fn of(tid: i32) -> Option<Self> {
        let status = processes::file(&format!("/proc/{tid}/status")).ok()?;
        // The name may be no text.
        Some(Self::parse(&String::from_utf8_lossy(&status)))
    }

    fn parse(text: &str) -> Self {
        // The name, which anybody may choose, has no line feed (`fs/proc/array.c: proc_task_name`).
        let field = |name| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let last = |name| field(name).split_ascii_whitespace().last().and_then(|number| number.parse().ok());
        let number = |name| last(name).unwrap_or_default();
        Self {
            tgid: number("Tgid:"),
            threads: number("Threads:"),
            tracer: number("TracerPid:"),
            inner_tid: last("NSpid:").unwrap_or_else(|| number("Pid:")),
            inner_pid: last("NStgid:").unwrap_or_else(|| number("Tgid:")),
        }
    }

    /// Whether this process, which is CRIU, traces it.
    pub(crate) fn is_held(&self) -> bool {
        u32::try_from(self.tracer) == Ok(std::process::id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_numbers_are_the_last_ones() {
        let text = "Name:\tx\nTgid:\t70\nPid:\t72\nTracerPid:\t9\nNStgid:\t70\t5\t1\nNSpid:\t72\t7\t3\nThreads:\t2\n";
        let status = Status { tgid: 70, threads: 2, tracer: 9, inner_tid: 3, inner_pid: 1 };
        assert_eq!(Status::parse(text), status);
    }

    #[test]
    fn a_kernel_without_pid_namespaces_tells_only_one() {
        let status = Status::parse("Tgid:\t70\nPid:\t72\nTracerPid:\t0\n");
        assert_eq!((status.inner_tid, status.inner_pid, status.is_held()), (72, 70, false));
    }

    #[test]
    fn of_this_process() {
        let own = std::process::id() as i32;
        assert_eq!(Status::of(own).unwrap().tgid, own);
        assert_eq!(Status::of(i32::MAX), None);
    }
}
