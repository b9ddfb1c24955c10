//! Measures the module, or a patched kernel, against what a kernel has anyway. Engines take turns, so that whatever the machine does
//! meanwhile, it does to all of them.

mod hammer;
mod read;
mod write;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, unshare};

use crate::process::Child;

/// How many runs are usual.
const RUNS: usize = 11;
const WARM_UP: usize = 2;
/// A run repeats its work until it takes this long, so that the clock and the scheduler do not count.
const AT_LEAST: Duration = Duration::from_millis(20);

/// Runs one group; true when it ran.
pub fn run(group: &str) -> Result<bool> {
    match group {
        read::GROUP => read::run()?,
        write::GROUP => {
            write::run()?;
            hammer::run()?;
        }
        _ => bail!("there is no group `{group}`: there are `{}` and `{}`", read::GROUP, write::GROUP),
    }
    Ok(true)
}

/// Runs a case in a process and an IPC namespace of its own, so that it leaves nothing to the next.
fn alone(case: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    Child::fork(|_| {
        unshare(CloneFlags::CLONE_NEWIPC)?;
        work()
    })?
    .join()
    .with_context(|| case.to_owned())
}

/// One of those that are compared: its name, and a run of it, which gives its figure.
type Engine<'a> = (&'static str, Box<dyn FnMut() -> Result<f64> + 'a>);

/// What a line of figures is of.
struct Case<'a> {
    group: &'a str,
    name: &'a str,
    threads: u32,
    unit: &'a str,
    runs: usize,
}

/// Runs all engines in turn, and prints a line for each.
fn compare(case: &Case, engines: &mut [Engine]) -> Result<()> {
    let Case { group, name, threads, unit, runs } = case;
    let mut figures = vec![Vec::new(); engines.len()];
    for run in 0..WARM_UP + runs {
        for ((name, engine), figures) in engines.iter_mut().zip(&mut figures) {
            let figure = engine().with_context(|| (*name).to_owned())?;
            if run >= WARM_UP {
                figures.push(figure);
            }
        }
    }
    for ((engine, _), mut figures) in engines.iter().zip(figures) {
        figures.sort_by(f64::total_cmp);
        let round = |figure: f64| (figure * 100.0).round() / 100.0;
        let (median, min, max) = (round(figures[runs / 2]), round(figures[0]), round(figures[runs - 1]));
        println!(
            r#"{{"group":"{group}","case":"{name}","engine":"{engine}","threads":{threads},"unit":"{unit}","median":{median},"min":{min},"max":{max},"runs":{runs}}}"#
        );
    }
    Ok(())
}

/// A run that tells the microseconds that `work` takes; it is done as often as [`AT_LEAST`] wants.
fn timed<'a>(mut work: impl FnMut() -> Result<()> + 'a) -> Result<impl FnMut() -> Result<f64> + 'a> {
    let mut time = move |repeats: u32| -> Result<Duration> {
        let start = Instant::now();
        (0..repeats).try_for_each(|_| work())?;
        Ok(start.elapsed())
    };
    let mut repeats = 1;
    while time(repeats)? < AT_LEAST {
        repeats *= 2;
    }
    Ok(move || Ok(time(repeats)?.as_secs_f64() * 1e6 / f64::from(repeats)))
}
