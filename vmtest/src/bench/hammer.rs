//! The second part of the group `kernel-write`: processes that do nothing but `semop`, while others read undo lists all the time.
//!
//! There are more processes than processors, so a hammerer's figure is its operations in a second of its own processor time:
//! what it loses to readers there is what they cost it, by locks and caches, beyond their turn on the processor.

use std::fs::File;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::time::{ClockId, clock_gettime};
use semundo::proc;
use semundo::sysv::{Op, SemSet};

use super::write::GROUP;
use super::{Case, Engine, RUNS, alone, compare};
use crate::files;
use crate::process::{Child, Link};

const HAMMERERS: usize = 2;
const READERS: usize = 2;
/// How long a run is.
const WINDOW: Duration = Duration::from_millis(400);
/// The sets of the namespace, in each of which a process has something to undo.
const SETS: usize = 100;

/// How a hammerer uses the sets; it is told its number and its own set.
#[derive(Clone, Copy)]
enum Use {
    /// One semaphore of a set of its own: the kernel locks that semaphore alone.
    Simple,
    /// Two semaphores in one call, of a set that all of them use: the kernel locks the set.
    Complex,
}

/// Who runs beside the hammerers.
#[derive(Clone, Copy)]
enum Company {
    Nobody,
    /// Processes that only compute.
    Spinners,
    /// Processes that read all lists: the module's table, or in a patched kernel the files of the hammerers.
    Readers,
    /// Threads of the hammerers that read their own list.
    Threads,
}

pub fn run() -> Result<()> {
    for (name, used) in [("hammer-simple", Use::Simple), ("hammer-complex", Use::Complex)] {
        alone(name, || {
            let sets = (0..SETS).map(|_| SemSet::create(4, 0o600)).collect::<Result<Vec<_>, _>>()?;
            let sets = &sets[..];
            for set in sets {
                set.set_values(&[100; 4])?;
                set.op(&[Op::new(3, -1).undo()])?;
            }
            let mut engines: Vec<Engine> = Vec::new();
            for (engine, company) in [
                ("alone", Company::Nobody),
                ("spinners", Company::Spinners),
                ("readers", Company::Readers),
                ("own-readers", Company::Threads),
            ] {
                engines.push((engine, Box::new(move || rate(sets, used, company))));
            }
            let case = Case { group: GROUP, name, threads: HAMMERERS as u32, unit: "op/cpu-s", runs: RUNS };
            compare(&case, &mut engines)
        })?;
    }
    Ok(())
}

/// How many operations all hammerers together do in a second of processor time each.
fn rate(sets: &[SemSet], used: Use, company: Company) -> Result<f64> {
    let mut hammerers = Vec::new();
    for number in 0..HAMMERERS {
        let set = match used {
            Use::Simple => sets[number],
            Use::Complex => sets[0],
        };
        hammerers.push(Child::fork(move |link| hammer(link, set, used, company))?);
    }
    let files: Vec<String> = if files::in_tree() {
        hammerers.iter().map(|hammerer| format!("/proc/{}/semundo", hammerer.pid())).collect()
    } else {
        vec![proc::TABLE.to_owned(); HAMMERERS]
    };
    let mut others = Vec::new();
    for number in 0..READERS {
        let file = files[number % files.len()].clone();
        match company {
            Company::Nobody | Company::Threads => {}
            Company::Spinners => others.push(Child::fork(|link| {
                link.go()?;
                loop {
                    std::hint::spin_loop();
                }
            })?),
            Company::Readers => others.push(Child::fork(move |link| {
                read(&file)?;
                link.go()?;
                loop {
                    read(&file)?;
                }
            })?),
        }
    }
    others.iter_mut().chain(&mut hammerers).try_for_each(|child| child.link().wait())?;
    hammerers.iter_mut().try_for_each(|hammerer| hammerer.link().go())?;
    let mut sum = 0.0;
    for hammerer in &mut hammerers {
        sum += hammerer.link().recv_text()?.parse::<f64>()?;
    }
    Ok(sum)
}

/// One hammerer's life: it waits, hammers, and tells its figure.
fn hammer(link: &mut Link, set: SemSet, used: Use, company: Company) -> Result<()> {
    let (take, give) = match used {
        Use::Simple => (vec![Op::new(0, -1).undo()], vec![Op::new(0, 1).undo()]),
        Use::Complex => {
            (vec![Op::new(0, -1).undo(), Op::new(1, -1).undo()], vec![Op::new(0, 1).undo(), Op::new(1, 1).undo()])
        }
    };
    let both = || set.op(&take).and_then(|()| set.op(&give)).context("semop");
    // Something to read at all times.
    set.op(&[Op::new(2, -1).undo()])?;
    if let Company::Threads = company {
        // It ends with the process; where it cannot read, that ends badly.
        thread::spawn(|| {
            loop {
                read(files::own()).expect("the own list");
            }
        });
    }
    link.go()?;
    link.wait()?;
    let (start, before, mut done) = (Instant::now(), processor_time()?, 0_u32);
    while start.elapsed() < WINDOW {
        for _ in 0..50 {
            both()?;
        }
        done += 100;
    }
    link.send((f64::from(done) / (processor_time()? - before).as_secs_f64()).to_string())
}

/// The processor time of the calling thread.
fn processor_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// Reads a file to its end; one with nothing in it is no list of a hammerer.
fn read(path: &str) -> Result<()> {
    let (mut file, mut buffer, mut total) = (File::open(path).context(path.to_owned())?, [0; 65536], 0);
    loop {
        match file.read(&mut buffer).context(path.to_owned())? {
            0 if total == 0 => bail!("{path} is empty"),
            0 => return Ok(()),
            count => total += count,
        }
    }
}
