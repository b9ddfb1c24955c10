//! Forks, sometimes inside a section: the child reads, waits for a grace period and for its own callback, while its parent is tortured.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::readers::section;
use crate::stage::{Random, Stage, Tortured};

/// Whether this process is a forked child.
pub static IN_CHILD: AtomicBool = AtomicBool::new(false);

/// How long a child may take, on a machine that is busy, before it counts as hung.
const CHILD_SECONDS: u32 = 30;

pub fn fork_often<F: Tortured>(stage: &'static Stage<F>) {
    let mut random = Random::new(300);
    while stage.goes_on() {
        let guard = (random.below(2) == 0).then(|| (stage.flavor.read_lock(), stage.current()));
        // SAFETY: the child does what it may in RCU, and exits without running anything of the parent's.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
        if let Some((guard, held)) = guard {
            held.look(&stage.seen);
            drop(guard);
        }
        if child == 0 {
            in_child(stage, &mut random);
        }
        let mut status = 0;
        // SAFETY: the status is ours.
        while unsafe { libc::waitpid(child, &mut status, 0) } != child {}
        if status != 0 {
            eprintln!("a forked child failed: wait status {status:#x}");
            stage.seen.lost_children.fetch_add(1, Ordering::Relaxed);
        }
        stage.seen.forks.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_micros(random.below(2_000)));
    }
}

fn in_child<F: Tortured>(stage: &'static Stage<F>, random: &mut Random) -> ! {
    static RAN: AtomicBool = AtomicBool::new(false);
    IN_CHILD.store(true, Ordering::Relaxed);
    let _panicked = ExitsWhenDropped;
    // SAFETY: without a handler the signal ends this process, which has nothing to lose.
    unsafe { libc::alarm(CHILD_SECONDS) };
    for _ in 0..5 {
        section(stage, random);
    }
    stage.flavor.synchronize();
    stage.flavor.defer(|| RAN.store(true, Ordering::Relaxed));
    section(stage, random);
    stage.flavor.barrier();
    let code = match () {
        () if !RAN.load(Ordering::Relaxed) => 1,
        () if stage.seen.bad() > 0 => 2,
        () => 0,
    };
    // SAFETY: leaves without running what belongs to the parent.
    unsafe { libc::_exit(code) }
}

/// A panic would end the child's only thread, and so the child, as if nothing had been wrong.
struct ExitsWhenDropped;

impl Drop for ExitsWhenDropped {
    fn drop(&mut self) {
        // SAFETY: as in `in_child`.
        unsafe { libc::_exit(3) }
    }
}
