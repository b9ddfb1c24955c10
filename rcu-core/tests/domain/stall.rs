//! A reader that does not leave is told of, by name.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use rcu_core::Flavor;
use rcu_core::domain::{Domain, Options, Stall};

use crate::{SetsWhenDropped, child_of, in_child, wait_until};

const AFTER: Duration = Duration::from_millis(30);

/// Lets a thread of this name read until `told` holds, while another waits for a grace period; gives the reader's `gettid(2)`.
fn stall(domain: &Domain, name: &str, how: fn(&Domain, &dyn Fn()), told: impl Fn() -> bool) -> u32 {
    let (entered, leave) = (AtomicBool::new(false), AtomicBool::new(false));
    let tid = AtomicU32::new(0);
    thread::scope(|scope| {
        let reads = || {
            // SAFETY: the call takes and touches nothing.
            tid.store(unsafe { libc::gettid() } as u32, Ordering::Relaxed);
            how(domain, &|| {
                entered.store(true, Ordering::Release);
                wait_until(|| leave.load(Ordering::Acquire));
            });
        };
        thread::Builder::new().name(name.into()).spawn_scoped(scope, reads).unwrap();
        let _leaves = SetsWhenDropped(&leave);
        wait_until(|| entered.load(Ordering::Acquire));
        scope.spawn(|| domain.synchronize());
        wait_until(told);
    });
    tid.into_inner()
}

fn by_section(domain: &Domain, read: &dyn Fn()) {
    let _guard = domain.read_lock();
    read();
}

fn by_handle(domain: &Domain, read: &dyn Fn()) {
    let mut reader = domain.handle();
    let _guard = reader.read_lock();
    read();
}

fn by_being_online(domain: &Domain, read: &dyn Fn()) {
    let _reader = domain.register();
    read();
}

#[test]
fn the_hook_names_the_readers_thread_again_and_again() {
    static TOLD: Mutex<Vec<Stall>> = Mutex::new(Vec::new());
    let mut options = Options::default();
    options.stall_after = AFTER;
    options.on_stall = |stall| TOLD.lock().unwrap().push(stall.clone());
    let domain = Domain::with_options(options);
    for how in [by_section, by_handle, by_being_online] {
        TOLD.lock().unwrap().clear();
        let tid = stall(&domain, "sleepy", how, || TOLD.lock().unwrap().len() >= 3);
        for (times, stall) in (1..).zip(TOLD.lock().unwrap().iter()) {
            assert_eq!((stall.tid, stall.thread.as_str()), (tid, "sleepy"));
            assert!(stall.waited >= AFTER * times, "told for the {times}. time after {:?}", stall.waited);
        }
    }
}

#[test]
fn the_hook_can_be_set_later_and_long_names_are_cut() {
    static TOLD: Mutex<Option<Stall>> = Mutex::new(None);
    let domain = Domain::new();
    domain.set_stall_hook(AFTER, |stall| *TOLD.lock().unwrap() = Some(stall.clone()));
    stall(&domain, "a reader with a long name", by_section, || TOLD.lock().unwrap().is_some());
    assert_eq!(TOLD.lock().unwrap().take().unwrap().thread, "a reader with a");
}

#[test]
fn a_writer_at_the_bound_tells_of_the_reader_that_blocks_it() {
    static TOLD: Mutex<Option<Stall>> = Mutex::new(None);
    let mut options = Options::default();
    options.bound = 1;
    options.stall_after = AFTER;
    options.on_stall = |stall| *TOLD.lock().unwrap() = Some(stall.clone());
    let domain = Domain::with_options(options);
    let entered = AtomicBool::new(false);
    thread::scope(|scope| {
        let reads = || {
            let _guard = domain.read_lock();
            entered.store(true, Ordering::Release);
            wait_until(|| TOLD.lock().unwrap().is_some());
        };
        thread::Builder::new().name("blocks".into()).spawn_scoped(scope, reads).unwrap();
        wait_until(|| entered.load(Ordering::Acquire));
        domain.defer(|| ());
    });
    assert_eq!(TOLD.lock().unwrap().take().unwrap().thread, "blocks");
}

#[test]
fn short_sections_are_no_stall() {
    let domain = Domain::new();
    domain.set_stall_hook(Duration::from_secs(3600), |stall| panic!("{stall:?}"));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Acquire) {
                let _guard = domain.read_lock();
                thread::sleep(Duration::from_micros(50));
            }
        });
        let _stops = SetsWhenDropped(&stop);
        (0..100).for_each(|_| domain.synchronize());
    });
}

#[test]
fn a_hook_that_panics_leaves_the_domain_usable() {
    static TOLD: AtomicBool = AtomicBool::new(false);
    let mut options = Options::default();
    options.stall_after = AFTER;
    options.on_stall = |_| {
        TOLD.store(true, Ordering::Relaxed);
        panic!("from the hook");
    };
    let domain = Domain::with_options(options);
    let (entered, leave) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = domain.read_lock();
            entered.store(true, Ordering::Release);
            wait_until(|| leave.load(Ordering::Acquire));
        });
        let _leaves = SetsWhenDropped(&leave);
        wait_until(|| entered.load(Ordering::Acquire));
        scope.spawn(|| domain.synchronize()).join().unwrap_err();
        scope
            .spawn(|| {
                domain.defer(|| ());
                domain.barrier();
            })
            .join()
            .unwrap_err();
        assert!(TOLD.load(Ordering::Relaxed));
    });
    domain.synchronize();
    domain.barrier();
    assert_eq!(domain.unreclaimed(), 0);
}

#[test]
fn without_a_hook_a_line_is_printed() {
    if in_child() {
        let mut options = Options::default();
        options.stall_after = AFTER;
        stall(&Domain::with_options(options), "sleepy", by_section, || false);
    }
    let mut child = child_of("stall::without_a_hook_a_line_is_printed");
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let said = lines.any(|line| line.contains("rcu-core: a grace period has waited") && line.contains("\"sleepy\""));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said);
}
