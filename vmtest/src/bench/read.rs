//! The group `kernel-read`: an undo list of many sets, read whole, against the kernel's own table of the same sets.

use std::fs::{self, File};
use std::io::Read;

use anyhow::{Result, ensure};
use semundo::sysv::{Op, SemSet};

use super::{Case, Engine, RUNS, alone, compare, timed};
use crate::files;
use crate::limits;

pub const GROUP: &str = "kernel-read";

pub fn run() -> Result<()> {
    for count in [1, 100, 10_000, 32_000] {
        let name = format!("sets-{count}");
        alone(&name, || case(&name, count))?;
    }
    Ok(())
}

fn case(name: &str, count: usize) -> Result<()> {
    limits::raise()?;
    for _ in 0..count {
        SemSet::create(1, 0o600)?.op(&[Op::new(0, 1).undo()])?;
    }
    let mut engines: Vec<Engine> = Vec::new();
    for (engine, path, header) in [("semundo", files::own(), 0), ("sysvipc-sem", "/proc/sysvipc/sem", 1)] {
        let lines = fs::read_to_string(path)?.lines().count();
        ensure!(lines == count + header, "{path} has {lines} lines of {count} sets");
        let mut buffer = vec![0; 65536];
        let read = timed(move || {
            let mut file = File::open(path)?;
            while file.read(&mut buffer)? > 0 {}
            Ok(())
        })?;
        engines.push((engine, Box::new(read)));
    }
    compare(&Case { group: GROUP, name, threads: 1, unit: "us", runs: RUNS }, &mut engines)
}
