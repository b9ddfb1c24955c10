//! Measures whole reads: an undo list of many sets against the kernel's own table of the same sets.

use std::fs::{self, File};
use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, unshare};
use semundo::proc;
use semundo::sysv::{Op, SemSet};

use crate::process::Child;

const GROUP: &str = "kernel-read";
const RUNS: usize = 11;
const WARM_UP: usize = 2;
/// A run repeats its read until it takes this long, so that the clock and the scheduler do not count.
const AT_LEAST: Duration = Duration::from_millis(20);

/// Runs one group; true when it ran.
pub fn run(group: &str) -> Result<bool> {
    if group != GROUP {
        bail!("there is no group `{group}`: there is `{GROUP}`");
    }
    for count in [1, 100, 10_000, 32_000] {
        // A process and an IPC namespace each, so that a case leaves nothing to the next.
        Child::fork(|_| case(count))?.join().with_context(|| format!("sets-{count}"))?;
    }
    Ok(true)
}

fn case(count: usize) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWIPC)?;
    fs::write("/proc/sys/kernel/sem", "32000 1024000000 500 32768")?;
    for _ in 0..count {
        SemSet::create(1, 0o600)?.op(&[Op::new(0, 1).undo()])?;
    }
    let engines = [("semundo", proc::OWN, 0), ("sysvipc-sem", "/proc/sysvipc/sem", 1)];
    let mut times = [Vec::new(), Vec::new()];
    let mut repeats = [1, 1];
    for (engine, (_, path, header)) in engines.into_iter().enumerate() {
        let lines = fs::read_to_string(path)?.lines().count();
        ensure!(lines == count + header, "{path} has {lines} lines of {count} sets");
        while time(path, repeats[engine])? < AT_LEAST {
            repeats[engine] *= 2;
        }
    }
    for run in 0..WARM_UP + RUNS {
        // A B A B: whatever the machine does meanwhile, it does to both.
        for (engine, (_, path, _)) in engines.into_iter().enumerate() {
            let micros = time(path, repeats[engine])?.as_secs_f64() * 1e6 / repeats[engine] as f64;
            if run >= WARM_UP {
                times[engine].push(micros);
            }
        }
    }
    for ((engine, ..), mut times) in engines.into_iter().zip(times) {
        times.sort_by(f64::total_cmp);
        let round = |micros: f64| (micros * 100.0).round() / 100.0;
        let (median, min, max) = (round(times[RUNS / 2]), round(times[0]), round(times[RUNS - 1]));
        println!(
            r#"{{"group":"{GROUP}","case":"sets-{count}","engine":"{engine}","threads":1,"unit":"us","median":{median},"min":{min},"max":{max},"runs":{RUNS}}}"#
        );
    }
    Ok(())
}

/// Opens the file and reads it whole in reads of 64 KiB, `repeats` times.
fn time(path: &str, repeats: u32) -> Result<Duration> {
    let mut buffer = vec![0; 65536];
    let start = Instant::now();
    for _ in 0..repeats {
        let mut file = File::open(path)?;
        while file.read(&mut buffer)? > 0 {}
    }
    Ok(start.elapsed())
}
