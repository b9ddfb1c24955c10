//! A program on both, and the first thing in which they differ.

use std::fmt::{self, Write};

use anyhow::Result;

use crate::engine;
use crate::kernel::Kernel;
use crate::program::Program;
use crate::trace::{Called, Event, Trace};

/// Where the engine is not as the kernel.
#[derive(Debug)]
pub struct Difference(String);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs a program on both. An error is one of the test itself.
pub fn run(program: &Program, kernel: &mut Kernel) -> Result<Result<Trace, Difference>> {
    let real = kernel.run(program)?;
    let ours = engine::run(program);
    Ok(match difference(&real, &ours) {
        None => Ok(real),
        Some(text) => Err(Difference(text)),
    })
}

/// The calls until the first after which something differs, and what.
fn difference(real: &Trace, ours: &Trace) -> Option<String> {
    let mut calls = String::new();
    let longest = real.events.len().max(ours.events.len());
    for index in 0..longest {
        let (Some(real), Some(ours)) = (real.events.get(index), ours.events.get(index)) else {
            return Some(format!("{calls}one of them ends here"));
        };
        let mut ours = ours.clone();
        if real.world.undo.is_none() {
            ours.world.undo = None;
        }
        let _ = writeln!(calls, "{index:3}  {}", line(real));
        if *real != ours {
            return Some(format!("{calls}{}", parts(real, &ours)));
        }
    }
    None
}

/// A call in one line, with what came of it.
fn line(event: &Event) -> String {
    let call = match &event.call {
        Called::Op(semid, ops, timeout) if ops.len() > 20 => {
            format!("Op({semid}, {} times {:?}, {timeout:?})", ops.len(), ops[0])
        }
        call => format!("{call:?}"),
    };
    format!("process {}: {call} = {:?}, woken {:?}", event.process, event.outcome, event.woken)
}

/// What differs, part by part.
fn parts(real: &Event, ours: &Event) -> String {
    let mut text = String::new();
    let mut part = |name: &str, real: &dyn fmt::Debug, ours: &dyn fmt::Debug| {
        let (real, ours) = (format!("{real:?}"), format!("{ours:?}"));
        if real != ours {
            let _ = write!(text, "{name} differs:\n  kernel {real}\n  engine {ours}\n");
        }
    };
    part("the call", &(real.process, &real.call), &(ours.process, &ours.call));
    part("the result", &real.outcome, &ours.outcome);
    part("who was woken", &real.woken, &ours.woken);
    part("how many sets and semaphores there are", &real.world.used, &ours.world.used);
    part("the identifiers", &ids(real), &ids(ours));
    for (real, ours) in real.world.sets.iter().zip(&ours.world.sets) {
        part(&format!("set {}", real.semid), &real.stat, &ours.stat);
        for (number, (real_one, our_one)) in real.semaphores.iter().zip(&ours.semaphores).enumerate() {
            part(&format!("semaphore {number} of set {}", real.semid), real_one, our_one);
        }
        part("the number of semaphores", &real.semaphores.len(), &ours.semaphores.len());
    }
    part("what is to be undone", &real.world.undo, &ours.world.undo);
    text
}

fn ids(event: &Event) -> Vec<i32> {
    event.world.sets.iter().map(|set| set.semid).collect()
}
