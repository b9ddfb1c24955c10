//! Plans applied by the running kernel: the values after a process's exit say what its adjustments were.
#![cfg(target_os = "linux")]
#![allow(missing_docs)]

use std::io;

use proptest::prelude::*;
use semundo_core::plan::{Op, Plan, SEMOPM};

/// What a child process found wrong, as its exit status.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    Setup = 1,
    Plan,
    Call,
    Value,
}

/// A new set, removed at the end.
struct Set {
    id: i32,
    nsems: usize,
}

impl Set {
    fn new(nsems: usize) -> Self {
        // SAFETY: semget takes numbers only.
        let id = unsafe { libc::semget(libc::IPC_PRIVATE, nsems as i32, 0o600) };
        assert!(id >= 0, "semget: {}", io::Error::last_os_error());
        Self { id, nsems }
    }

    fn set_all(&self, values: &[u16]) {
        assert_eq!(values.len(), self.nsems);
        // SAFETY: SETALL reads one unsigned short a semaphore.
        let result = unsafe { libc::semctl(self.id, 0, libc::SETALL, values.as_ptr()) };
        assert_eq!(result, 0, "SETALL: {}", io::Error::last_os_error());
    }

    fn get_all(&self, values: &mut [u16]) -> bool {
        // SAFETY: GETALL writes one unsigned short a semaphore.
        values.len() == self.nsems && unsafe { libc::semctl(self.id, 0, libc::GETALL, values.as_mut_ptr()) } == 0
    }

    fn semop(&self, call: &[libc::sembuf]) -> bool {
        // SAFETY: the kernel reads `call.len()` operations.
        unsafe { libc::semop(self.id, call.as_ptr().cast_mut(), call.len()) == 0 }
    }

    /// One operation, where it is one.
    fn add(&self, semaphore: usize, amount: i32, flags: i32) -> bool {
        let flags = (flags | libc::IPC_NOWAIT) as i16;
        amount == 0 || self.semop(&[libc::sembuf { sem_num: semaphore as u16, sem_op: amount as i16, sem_flg: flags }])
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        // SAFETY: IPC_RMID has no argument.
        unsafe { libc::semctl(self.id, 0, libc::IPC_RMID) };
    }
}

/// Runs `work` in a child and waits for its end, and with it for the kernel's `exit_sem`.
///
/// # Safety
///
/// `work` neither allocates nor takes locks: other threads of the parent may have held them at the fork.
unsafe fn in_child(work: impl FnOnce() -> Result<(), Wrong>) -> i32 {
    // SAFETY: the child does `work`, as the caller promises, and ends without unwinding or running destructors.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", io::Error::last_os_error());
    if pid == 0 {
        let status = work().err().map_or(0, |wrong| wrong as i32);
        // SAFETY: ends the child.
        unsafe { libc::_exit(status) };
    }
    let mut status = 0;
    // SAFETY: `status` is written to.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(libc::WIFEXITED(status), "{status:#x}");
    libc::WEXITSTATUS(status)
}

/// Brings the caller's adjustments to `now` and the values to `values`, one operation after the other.
///
/// The values before are 32767 where an adjustment is to grow, else 0.
fn set_up(set: &Set, now: &[i16], values: &[u16]) -> bool {
    now.iter().zip(values).enumerate().all(|(semaphore, (now, value))| {
        let (now, value) = (i32::from(*now), i32::from(*value));
        let (first, start) = (now.max(-32767), if now > 0 { 32767 } else { 0 });
        set.add(semaphore, -first, libc::SEM_UNDO)
            // -32768 takes two operations, and room for the second.
            && (now == first || set.add(semaphore, -1, 0) && set.add(semaphore, 1, libc::SEM_UNDO))
            && set.add(semaphore, value - (start - first), 0)
    })
}

/// In a process of its own: `now`, then the plan to `wanted`, then the values to `last` by plain operations, then the exit.
fn check(now: &[i16], wanted: &[i16], values: &[u16], last: Option<&[u16]>) {
    let set = Set::new(now.len());
    set.set_all(&now.iter().map(|now| if *now > 0 { 32767 } else { 0 }).collect::<Vec<_>>());
    let mut found = vec![0; now.len()];
    let mut buffer = vec![Op::default(); SEMOPM];
    let work = || {
        (set_up(&set, now, values) && set.get_all(&mut found) && found == values).then_some(()).ok_or(Wrong::Setup)?;
        let mut plan = Plan::new(now, wanted, values, &mut buffer).map_err(|_| Wrong::Plan)?;
        while let Some(call) = plan.next_call() {
            // SAFETY: `Op` is laid out as `sembuf`; the kernel reads `call.len()` of them.
            if unsafe { libc::semop(set.id, call.as_ptr().cast_mut().cast(), call.len()) } != 0 {
                return Err(Wrong::Call);
            }
            if !(set.get_all(&mut found) && found == values) {
                return Err(Wrong::Value);
            }
        }
        let mut ends = values.iter().zip(last.unwrap_or(values)).enumerate();
        let moved = ends.all(|(semaphore, (value, last))| set.add(semaphore, i32::from(*last) - i32::from(*value), 0));
        moved.then_some(()).ok_or(Wrong::Call)
    };
    // SAFETY: the planner does not allocate, nor does anything else here; slices are compared in place.
    let status = unsafe { in_child(work) };
    assert_eq!(status, 0, "{:?}", [Wrong::Setup, Wrong::Plan, Wrong::Call, Wrong::Value].get(status as usize - 1));

    let mut after = vec![0; now.len()];
    assert!(set.get_all(&mut after));
    let exit = |(value, wanted): (&u16, &i16)| (i32::from(*value) + i32::from(*wanted)).clamp(0, 32767) as u16;
    let expected: Vec<u16> = last.unwrap_or(values).iter().zip(wanted).map(exit).collect();
    assert_eq!(after, expected);
}

/// Values from which an exit shows the whole adjustment.
fn revealing(wanted: &[i16]) -> Vec<u16> {
    wanted.iter().map(|wanted| if *wanted > 0 { 0 } else { 32767 }).collect()
}

fn adjustment() -> impl Strategy<Value = i16> {
    let edges = prop_oneof![Just(-32768_i16), Just(-32767), Just(32767)];
    prop_oneof![3 => any::<i16>(), 1 => -5_i16..=5, 1 => Just(0), 1 => edges]
}

fn value() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 0_u16..=32767, 1 => Just(0), 1 => Just(32767), 1 => 16383_u16..=16384]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_kernel_agrees(
        semaphores in prop::collection::vec((adjustment(), adjustment(), value()), 1..700),
        reveal in any::<bool>(),
    ) {
        let now: Vec<i16> = semaphores.iter().map(|semaphore| semaphore.0).collect();
        let wanted: Vec<i16> = semaphores.iter().map(|semaphore| semaphore.1).collect();
        let values: Vec<u16> = semaphores.iter().map(|semaphore| semaphore.2).collect();
        check(&now, &wanted, &values, reveal.then(|| revealing(&wanted)).as_deref());
    }
}

#[test]
fn edges() {
    let adjustments = [-32768, -32767, -16384, -1, 0, 1, 16384, 32767];
    for value in [0, 1, 16383, 16384, 32766, 32767] {
        let pairs = adjustments.iter().flat_map(|now| adjustments.iter().map(move |wanted| (*now, *wanted)));
        let (now, wanted): (Vec<i16>, Vec<i16>) = pairs.unzip();
        let values = vec![value; now.len()];
        check(&now, &wanted, &values, None);
        check(&now, &wanted, &values, Some(&revealing(&wanted)));
    }
}

#[test]
fn the_largest_set() {
    let number = |semaphore: usize, factor: usize| (semaphore * factor % 65536) as u16;
    let now: Vec<i16> = (0..32000).map(|semaphore| number(semaphore, 40503) as i16).collect();
    let wanted: Vec<i16> = (0..32000).map(|semaphore| number(semaphore, 30011) as i16).collect();
    let values: Vec<u16> = (0..32000).map(|semaphore| number(semaphore, 51721) / 2).collect();
    check(&now, &wanted, &values, Some(&revealing(&wanted)));
    check(&now, &vec![0; now.len()], &values, None);
}
