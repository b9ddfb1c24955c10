//! What cannot be done: the error says why, and the target goes on.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use libc::sock_filter;
use semundo::inject::{Error, Stopped};
use semundo::sysv::{Op, TempSet};

use super::calls::{call, futex_wait, futex_wake, take_one};
use super::target::{Shared, Target, exit_gives_back, inject_often, one_more, set, until};

/// A target that sleeps in a call that notices most of what could be wrong, until [`wake`].
fn sleeper(lock: &TempSet) -> Target {
    let id = lock.id();
    Target::asleep_in(libc::SYS_semop, |shared| shared.note(|| take_one(id, None)))
}

/// Sees that it sleeps still, and ends as it should.
fn wakes(target: &mut Target, lock: &TempSet) {
    target.falls_asleep_in(libc::SYS_semop);
    lock.op(&[Op::new(0, 1)]).unwrap();
    target.exits();
    assert_eq!(target.returned(), 0);
}

fn lock() -> TempSet {
    TempSet::create(1, 0o600).unwrap()
}

#[test]
fn no_threads() {
    assert!(matches!(Stopped::seize(&[]), Err(Error::NoThreads)));
}

#[test]
fn threads_that_are_not_there() {
    for tid in [i32::MAX, 0, -1] {
        assert!(matches!(Stopped::seize(&[tid]), Err(Error::NotFound(found)) if found == tid));
    }
    let mut zombie = Target::run(|_| ());
    zombie.is_in_state('Z');
    assert!(matches!(Stopped::seize(&[zombie.pid]), Err(Error::NotFound(tid)) if tid == zombie.pid));
    zombie.exits();
}

#[test]
fn the_own_process() {
    let own = std::process::id() as i32;
    assert!(matches!(Stopped::seize(&[own]), Err(Error::Own(tid)) if tid == own));
    // SAFETY: takes nothing.
    let own = unsafe { libc::gettid() };
    assert!(matches!(Stopped::seize(&[own]), Err(Error::Own(tid)) if tid == own));
}

#[test]
fn a_thread_that_is_traced_already() {
    let (set, lock) = (set(), lock());
    let mut target = sleeper(&lock);
    let mut stopped = target.stop().unwrap();
    let error = target.stop().unwrap_err();
    assert!(
        matches!(error, Error::Traced { tid, tracer } if tid == target.pid && tracer == std::process::id() as i32),
        "{error}"
    );
    stopped.semop(set.id(), &one_more()).unwrap().unwrap();
    stopped.release().unwrap();
    wakes(&mut target, &lock);
    assert_eq!(set.get_value(0).unwrap(), 2);
}

#[test]
fn all_threads_or_none() {
    let lock = lock();
    let mut target = sleeper(&lock);
    for _ in 0..100 {
        let error = Stopped::seize(&[target.pid, i32::MAX]).unwrap_err();
        assert!(matches!(error, Error::NotFound(i32::MAX)), "{error}");
        assert_eq!(target.status("TracerPid:"), "0");
    }
    wakes(&mut target, &lock);
}

#[test]
fn a_drop_releases() {
    let (set, lock) = (set(), lock());
    let mut target = sleeper(&lock);
    for _ in 0..100 {
        let mut stopped = target.stop().unwrap();
        stopped.semop(set.id(), &one_more()).unwrap().unwrap();
        drop(stopped);
        assert_eq!(target.status("TracerPid:"), "0");
    }
    wakes(&mut target, &lock);
    assert_eq!(set.get_value(0).unwrap(), 101);
}

#[test]
fn nothing_stays_mapped() {
    let (set, lock) = (set(), lock());
    let mut target = sleeper(&lock);
    let maps = || std::fs::read_to_string(format!("/proc/{}/maps", target.pid)).unwrap();
    let before = maps();
    inject_often(&target, &set, Duration::ZERO);
    let mut stopped = target.stop().unwrap();
    // More than fit into the first page: the kernel refuses so many, as any number above SEMOPM.
    let many = one_more().repeat(1000);
    stopped.semop(set.id(), &one_more()).unwrap().unwrap();
    assert_eq!(stopped.semop(set.id(), &many).unwrap().unwrap_err().raw_os_error(), Some(libc::E2BIG));
    assert_ne!(maps(), before);
    stopped.release().unwrap();
    assert_eq!(maps(), before);
    wakes(&mut target, &lock);
}

#[test]
fn five_hundred_operations_in_one_call() {
    let (set, lock) = (set(), lock());
    let mut target = sleeper(&lock);
    let mut stopped = target.stop().unwrap();
    stopped.semop(set.id(), &one_more().repeat(250)).unwrap().unwrap();
    stopped.release().unwrap();
    wakes(&mut target, &lock);
    assert_eq!(set.get_value(0).unwrap(), 251);
}

#[test]
fn the_errno_of_the_call() {
    let (set, removed, lock) = (set(), TempSet::create(1, 0o600).unwrap().id(), lock());
    let mut target = sleeper(&lock);
    let mut stopped = target.stop().unwrap();
    // The pair that takes first, which a value of 0 does not let it.
    let mut take_first = one_more();
    take_first.sort_by_key(|op| op.amount());
    let mut fails = |id, ops: &[_]| stopped.semop(id, ops).unwrap().unwrap_err().raw_os_error();
    set.set_value(0, 0).unwrap();
    assert_eq!(fails(set.id(), &take_first), Some(libc::EAGAIN));
    assert_eq!(fails(set.id(), &[]), Some(libc::EINVAL));
    assert_eq!(fails(i32::MAX, &take_first), Some(libc::EINVAL));
    assert_eq!(fails(-1, &take_first), Some(libc::EINVAL));
    assert!(matches!(fails(removed, &take_first), Some(libc::EINVAL | libc::EIDRM)));
    stopped.release().unwrap();
    wakes(&mut target, &lock);
    assert_eq!(set.get_value(0).unwrap(), 0, "there is nothing to give back");
}

#[test]
fn a_target_that_dies() {
    let (set, lock) = (set(), lock());
    let target = sleeper(&lock);
    let mut stopped = target.stop().unwrap();
    stopped.semop(set.id(), &one_more()).unwrap().unwrap();
    target.signal(libc::SIGKILL);
    let error = stopped.semop(set.id(), &one_more()).unwrap_err();
    assert!(matches!(error, Error::Died(tid) if tid == target.pid), "{error}");
    assert!(matches!(stopped.release(), Err(Error::Died(tid)) if tid == target.pid));
    until("its exit gives back", || set.get_value(0).unwrap() == 2);
}

#[test]
fn a_target_that_dies_at_any_time() {
    let set = set();
    let mut made = 0;
    for round in 1..=100 {
        let mut target = Target::begun(|shared| {
            shared.begun.store(1, SeqCst);
            until("it is killed", || false);
        });
        let pid = target.pid;
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_micros(round * 20));
            assert_eq!(call!(libc::SYS_kill, pid, libc::SIGKILL), 0);
        });
        let error = loop {
            let called = target.stop().and_then(|mut stopped| stopped.semop(set.id(), &one_more()));
            match called {
                Ok(result) => result.unwrap(),
                Err(error) => break error,
            }
            made += 1;
        };
        assert!(matches!(error, Error::Died(_) | Error::NotFound(_) | Error::NoThreads), "{error}");
        killer.join().unwrap();
        assert_eq!(target.wait(), Some(libc::SIGKILL), "its parent is told");
        // It may have been killed after the call, and before anybody knew what that returned.
        let gave_back = set.get_value(0).unwrap() - 1;
        assert!((made..=made + 1).contains(&gave_back), "{gave_back} of {made}");
        made = gave_back;
    }
}

#[test]
fn a_target_that_does_not_stop() {
    // A parent sleeps uninterruptibly until its child of vfork(2) ends or executes; this one is a clone that waits for us.
    static WAKE: AtomicU32 = AtomicU32::new(0);
    extern "C" fn wait(shared: *mut std::ffi::c_void) -> i32 {
        // SAFETY: the target's shared memory, which it has as long as it lives.
        let shared = unsafe { &*shared.cast::<Shared>() };
        shared.begun.store(1, SeqCst);
        futex_wait(&shared.end);
        WAKE.store(1, SeqCst);
        0
    }
    let mut target = Target::begun(|shared| {
        let mut stack = vec![0u8; 1 << 16];
        // SAFETY: the stack lives until the child has ended.
        let pid = unsafe {
            let stack = stack.as_mut_ptr_range().end.cast();
            let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
            libc::clone(wait, stack, flags, std::ptr::from_ref(shared).cast_mut().cast())
        };
        shared.note(|| i64::from(pid > 0 && WAKE.load(SeqCst) == 1));
    });
    let error = target.stop().unwrap_err();
    assert!(matches!(error, Error::Stuck(tid) if tid == target.pid), "{error}");
    futex_wake(&target.end);
    target.exits();
    assert_eq!(target.returned(), 1);
}

#[test]
fn another_users_process() {
    let lock = lock();
    let mut target = sleeper(&lock);
    let pid = target.pid;
    let mut stranger = Target::run(|shared| {
        assert_eq!(call!(libc::SYS_setresuid, 65534, 65534, 65534), 0, "this test wants root");
        let denied = matches!(Stopped::seize(&[pid]), Err(Error::Denied { tid, .. }) if tid == pid);
        shared.told[0].store(denied.into(), SeqCst);
    });
    stranger.exits();
    assert_eq!(stranger.told(0), 1);
    wakes(&mut target, &lock);
}

const fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: code as u16, jt, jf, k }
}

/// Makes a system call have this result of a filter, and others be allowed; with a detour through all that filters can compute.
fn install_filter(number: i64, result: u32) {
    use libc::{
        BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_IMM, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_LDX, BPF_LEN, BPF_LSH,
        BPF_MEM, BPF_MISC, BPF_OR, BPF_RET, BPF_RSH, BPF_ST, BPF_SUB, BPF_TAX, BPF_TXA, BPF_W, BPF_X, BPF_XOR,
    };
    let mut filter = [
        instruction(BPF_LD | BPF_W | BPF_ABS, 0, 0, 0),
        instruction(BPF_ST, 3, 0, 0),
        instruction(BPF_LDX | BPF_W | BPF_LEN, 0, 0, 0),
        instruction(BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0),
        instruction(BPF_ALU | BPF_SUB | BPF_K, 64, 0, 0),
        instruction(BPF_MISC | BPF_TAX, 0, 0, 0),
        instruction(BPF_LD | BPF_IMM, 0, 0, 0),
        instruction(BPF_MISC | BPF_TXA, 0, 0, 0),
        instruction(BPF_ALU | BPF_LSH | BPF_K, 4, 0, 0),
        instruction(BPF_ALU | BPF_OR | BPF_K, 5, 0, 0),
        instruction(BPF_ALU | BPF_AND | BPF_K, !1, 0, 0),
        instruction(BPF_ALU | BPF_XOR | BPF_K, 4, 0, 0),
        instruction(BPF_ALU | BPF_RSH | BPF_K, 4, 0, 0),
        instruction(BPF_LDX | BPF_MEM, 3, 0, 0),
        instruction(BPF_JMP | BPF_JEQ | BPF_X, 0, 1, 0),
        instruction(BPF_RET | BPF_K, libc::SECCOMP_RET_KILL_PROCESS, 0, 0),
        instruction(BPF_JMP | BPF_JEQ | BPF_K, number as u32, 0, 1),
        instruction(BPF_RET | BPF_K, result, 0, 0),
        instruction(BPF_RET | BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    assert_eq!(call!(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_eq!(call!(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program), 0);
}

/// A target with such a filter, which sleeps in a futex.
fn filtered(number: i64, result: u32) -> Target {
    Target::asleep_in(libc::SYS_futex, |shared| {
        install_filter(libc::SYS_getppid, libc::SECCOMP_RET_KILL_PROCESS);
        install_filter(number, result);
        shared.note(|| futex_wait(&shared.end));
    })
}

#[test]
fn a_filter_that_forbids_the_call() {
    let set = set();
    let forbids = [
        libc::SECCOMP_RET_KILL_PROCESS,
        libc::SECCOMP_RET_KILL_THREAD,
        libc::SECCOMP_RET_TRAP,
        libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        libc::SECCOMP_RET_TRACE,
    ];
    for number in [libc::SYS_semop, libc::SYS_mmap] {
        for result in forbids {
            let mut target = filtered(number, result);
            let mut stopped = target.stop().unwrap();
            let error = stopped.semop(set.id(), &one_more()).unwrap_err();
            assert!(matches!(error, Error::Seccomp { tid, .. } if tid == target.pid), "{result:#x}: {error}");
            stopped.release().unwrap();
            target.falls_asleep_in(libc::SYS_futex);
            futex_wake(&target.end);
            target.exits();
            assert_eq!(target.returned(), 0);
        }
    }
    assert_eq!(set.get_value(0).unwrap(), 1);
}

#[test]
fn a_filter_that_allows_the_call() {
    let set = set();
    let mut target = filtered(libc::SYS_semop, libc::SECCOMP_RET_LOG);
    inject_often(&target, &set, Duration::ZERO);
    target.falls_asleep_in(libc::SYS_futex);
    futex_wake(&target.end);
    exit_gives_back(&mut target, &set);
    assert_eq!(target.returned(), 0);
}

#[test]
fn strict_seccomp() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let mut target = Target::asleep_in(libc::SYS_read, |_| {
        use std::os::fd::AsRawFd;
        let (file, mut byte) = (reader.as_raw_fd(), 0u8);
        call!(libc::SYS_prctl, libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT, 0, 0, 0);
        let read = call!(libc::SYS_read, file, &raw mut byte, 1);
        call!(libc::SYS_exit, if read == 1 { 0 } else { 1 });
    });
    let mut stopped = target.stop().unwrap();
    let error = stopped.semop(0, &one_more()).unwrap_err();
    assert!(matches!(error, Error::Seccomp { .. }), "{error}");
    stopped.release().unwrap();
    std::io::Write::write_all(&mut writer, b"x").unwrap();
    target.exits();
}
