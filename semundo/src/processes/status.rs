//! `/proc/TID/status`.

use super::file;

/// Some lines of a thread's `/proc/TID/status` (`proc_pid_status(5)`). Numbers of threads are those of the pid namespace whose `/proc`
/// it is, unless they are called inner.
///
/// ```
/// use semundo::processes::Status;
///
/// let own = std::process::id() as i32;
/// let status = Status::of(own).ok_or("no /proc?")?;
/// assert_eq!((status.tid, status.tgid), (own, own));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The thread.
    pub tid: i32,
    /// Its process.
    pub tgid: i32,
    /// The thread's number inside the innermost pid namespace that it is in.
    pub inner_tid: i32,
    /// That of its process.
    pub inner_tgid: i32,
    /// How many threads the process has.
    pub threads: usize,
    /// `R`, `S`, `D`, `T`, `t`, `Z`, `X` or `I`: what it does.
    pub state: u8,
    /// The thread that traces it; 0 for none.
    pub tracer: i32,
    /// `SECCOMP_MODE_*`: 0 for none, 1 for strict, 2 for filters.
    pub seccomp: i32,
    /// The signals that wait for it or for its process, as a set: bit 0 is signal 1.
    pub pending: u64,
    /// The signals that it blocks.
    pub blocked: u64,
    /// The signals that are ignored.
    pub ignored: u64,
    /// The signals that have a handler.
    pub handled: u64,
}

impl Status {
    /// `None` where there is no such thread.
    pub fn of(tid: i32) -> Option<Self> {
        let status = file(&format!("/proc/{tid}/status")).ok()?;
        // The name may be no text.
        Some(Self::parse(&String::from_utf8_lossy(&status)))
    }

    fn parse(text: &str) -> Self {
        let mut status = Self::default();
        // The name, which anybody may choose, has no line feed (`fs/proc/array.c: proc_task_name`).
        for (field, value) in text.lines().filter_map(|line| line.split_once(":\t")) {
            // Of numbers in several namespaces, the innermost is the last.
            let last = value.split_ascii_whitespace().last().unwrap_or_default();
            let number = || last.parse().unwrap_or_default();
            let signals = || u64::from_str_radix(last, 16).unwrap_or_default();
            match field {
                "State" => status.state = value.bytes().next().unwrap_or_default(),
                "Tgid" => (status.tgid, status.inner_tgid) = (number(), number()),
                "Pid" => (status.tid, status.inner_tid) = (number(), number()),
                "TracerPid" => status.tracer = number(),
                "NStgid" => status.inner_tgid = number(),
                "NSpid" => status.inner_tid = number(),
                "Threads" => status.threads = last.parse().unwrap_or_default(),
                "SigPnd" | "ShdPnd" => status.pending |= signals(),
                "SigBlk" => status.blocked = signals(),
                "SigIgn" => status.ignored = signals(),
                "SigCgt" => status.handled = signals(),
                "Seccomp" => status.seccomp = number(),
                _ => {}
            }
        }
        status
    }

    /// Whether it still runs code, which a zombie does not.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, b'Z' | b'X')
    }

    /// Whether it is of the caller's process.
    pub fn is_own(&self) -> bool {
        u32::try_from(self.tgid) == Ok(std::process::id())
    }

    /// Whether the caller's first thread traces it.
    pub fn is_traced_by_caller(&self) -> bool {
        u32::try_from(self.tracer) == Ok(std::process::id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_fields() {
        let text = "Name:\tTgid: 9\nState:\tZ (zombie)\nTgid:\t70\nPid:\t72\nTracerPid:\t9\nNStgid:\t70\t5\t1\nNSpid:\t72\t7\t3\n\
                    Threads:\t2\nSigPnd:\t0000000000000001\nShdPnd:\t0000000000000100\nSigBlk:\t8000000000000000\n\
                    SigIgn:\t0000000000001000\nSigCgt:\t0000000180004002\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        let status = Status {
            tid: 72,
            tgid: 70,
            inner_tid: 3,
            inner_tgid: 1,
            threads: 2,
            state: b'Z',
            tracer: 9,
            seccomp: 2,
            pending: 0x101,
            blocked: 1 << 63,
            ignored: 0x1000,
            handled: 0x1_8000_4002,
        };
        assert_eq!(Status::parse(text), status);
        assert!(!status.is_alive());
    }

    #[test]
    fn a_kernel_without_pid_namespaces_tells_only_one() {
        let status = Status::parse("Tgid:\t70\nPid:\t72\n");
        assert_eq!((status.inner_tid, status.inner_tgid), (72, 70));
    }

    #[test]
    fn of_this_process() {
        let own = std::process::id() as i32;
        let status = Status::of(own).unwrap();
        assert!(status.tgid == own && status.is_own() && status.is_alive() && !status.is_traced_by_caller());
        assert!(status.threads > 0);
        assert_eq!(Status::of(i32::MAX), None);
    }
}
