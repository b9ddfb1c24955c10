//! Measures the group `criu` and prints a JSON line a figure: checkpoints and restores of a process with an undo list, by CRIU alone and
//! with the plugin. Takes root, and CRIU on this machine.
//!
//! `criu PLUGINS` takes the plugin of that directory.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use benches::harness::{Measurement, RUNS};
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, setsid, wait};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use semundo::ipc_namespace::IpcNamespace;
use semundo::sysv::{Op, SemSet};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// This program, as the process that is checkpointed.
const HOLD: &str = "hold";

/// The runs that count where a run takes milliseconds: it begins and ends some processes, which takes now longer, now shorter.
const SHORT_RUNS: usize = 9 * RUNS;

/// How long its start may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [HOLD, sets] => hold(sets.parse()?),
        [plugins] => measure(plugins),
        _ => Err("criu PLUGINS".into()),
    }
}

fn measure(plugins: &str) -> Result<()> {
    // What CRIU restores becomes our child.
    set_child_subreaper(Some(getpid()))?;
    for (dump, restore, sets, runs) in [
        ("dump-1", "restore-1", 1, SHORT_RUNS),
        ("dump-100", "restore-100", 100, SHORT_RUNS),
        ("dump-10000", "restore-10000", 10_000, RUNS),
    ] {
        eprintln!("{dump}, {restore}");
        let mut engines = [("criu", None), ("criu+semundo", Some(plugins))].map(|engine| (engine, vec![], vec![]));
        for round in 0..=runs {
            // Each is the first in every other round.
            engines.rotate_left(1);
            for ((_, plugins), dumps, restores) in &mut engines {
                let (dumped, restored) = detour(sets, *plugins)?;
                // The first round warms up.
                if round > 0 {
                    dumps.push(dumped);
                    restores.push(restored);
                }
            }
        }
        for ((engine, _), dumps, restores) in engines {
            report(dump, engine, dumps);
            report(restore, engine, restores);
        }
    }
    Ok(())
}

fn report(case: &'static str, engine: &'static str, mut runs: Vec<f64>) {
    runs.sort_by(f64::total_cmp);
    println!("{}", Measurement { group: "criu", case, engine, threads: 1, unit: "ms", runs }.json());
}

/// Makes sets, has an adjustment in each, and waits.
fn hold(sets: usize) -> Result<()> {
    for _ in 0..sets {
        SemSet::create(1, 0o600)?.op(&[Op::new(0, 1).undo()])?;
    }
    println!("ready");
    loop {
        thread::park();
    }
}

/// How long CRIU takes to dump a process with so many sets, and to restore it, in milliseconds.
fn detour(sets: usize, plugins: Option<&str>) -> Result<(f64, f64)> {
    let work = Work::new()?;
    let output = File::create(work.0.join("output"))?;
    let mut command = Command::new(env::current_exe()?);
    command.args([HOLD, &sets.to_string()]).current_dir(&work.0);
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    // SAFETY: the closure makes system calls and allocates nothing; a process after a fork has one thread.
    unsafe {
        command.pre_exec(|| {
            setsid()?;
            // CRIU does not take what we were given by accident.
            if libc::close_range(3, !0, libc::CLOSE_RANGE_CLOEXEC as i32) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(unshare_unsafe(UnshareFlags::NEWIPC)?)
        })
    };
    let pid = command.spawn()?.id().to_string();
    let start = Instant::now();
    while fs::read(work.0.join("output"))? != b"ready\n" {
        if start.elapsed() > PATIENCE {
            return Err("the process to be checkpointed does not start".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    let dumped = criu(&work, plugins, &["dump", "--tree", &pid])?;
    wait(WaitOptions::empty())?;
    let restored = criu(&work, plugins, &["restore", "--restore-detached", "--pidfile", "pid"])?;
    let pid = fs::read_to_string(work.0.join("images/pid"))?.parse()?;
    let namespace = IpcNamespace::of(pid)?;
    kill_process(Pid::from_raw(pid).ok_or("no process")?, Signal::KILL)?;
    wait(WaitOptions::empty())?;
    let left = namespace.run(|| SemSet::from_id(0).get_value(0))??;
    assert_eq!(left, u16::from(plugins.is_none()), "what the end of the restored process leaves");
    Ok((dumped, restored))
}

/// Runs CRIU to its end; how long it took.
fn criu(work: &Work, plugins: Option<&str>, words: &[&str]) -> Result<f64> {
    let images = work.0.join("images");
    fs::create_dir_all(&images)?;
    let log = images.join("log");
    let mut criu = Command::new("criu");
    criu.args(words).arg("--images-dir").arg(&images).arg("--log-file").arg(&log);
    if let Some(plugins) = plugins {
        criu.args(["--libdir", plugins]);
    }
    criu.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = criu.status()?;
    let took = start.elapsed().as_secs_f64() * 1e3;
    if !status.success() {
        return Err(format!("criu {}: {status}\n{}", words[0], fs::read_to_string(&log)?).into());
    }
    Ok(took)
}

/// A directory, removed at the end.
struct Work(PathBuf);

impl Work {
    fn new() -> Result<Self> {
        let directory = env::temp_dir().join(format!("semundo-bench-{}", std::process::id()));
        fs::create_dir(&directory)?;
        Ok(Self(directory))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
