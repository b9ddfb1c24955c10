//! From a program to calls: who makes them and on which sets, which depends on what the calls before have returned.

use crate::program::{Call, Command, PROCESSES, Program, Set, Step, Who};
use crate::trace::{Called, Event, Outcome, Process, Trace, Value, Woken, World};

/// What runs calls: the kernel or the engine.
pub trait System {
    /// Why it cannot go on.
    type Error;

    /// Makes a call, and waits until it has returned or sleeps.
    fn call(&mut self, process: Process, call: &Called) -> Result<Outcome, Self::Error>;

    /// Waits until all that were woken have returned, and looks; `asleep` slept before, ascending.
    fn settle(&mut self, asleep: &[Process]) -> Result<(Woken, World), Self::Error>;
}

/// Runs a program on a system that has its first processes already.
pub fn run<S: System>(program: &Program, system: &mut S) -> Result<Trace, S::Error> {
    let mut script = Script { states: vec![State::Idle; program.processes], made: Vec::new(), trace: Trace::default() };
    for step in &program.steps {
        if let Some((process, call)) = script.resolve(step) {
            script.perform(system, process, call)?;
        }
    }
    for index in 0..script.states.len() {
        let call = match script.states[index] {
            State::Idle => Called::Exit,
            State::Asleep => Called::Kill,
            State::Gone => continue,
        };
        script.perform(system, number(index), call)?;
    }
    Ok(script.trace)
}

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Asleep,
    Gone,
}

struct Script {
    /// By number, from 1.
    states: Vec<State>,
    /// Identifiers and sizes of the sets that were made, also of those that are gone.
    made: Vec<(i32, usize)>,
    trace: Trace,
}

impl Script {
    /// Who makes which call; none where nobody can.
    fn resolve(&self, step: &Step) -> Option<(Process, Called)> {
        let of = |wanted: &dyn Fn(State) -> bool| {
            let all: Vec<_> = (0..self.states.len()).filter(|index| wanted(self.states[*index])).map(number).collect();
            match step.who {
                Who::Any(index) => all.get(usize::from(index) % all.len().max(1)).copied(),
                Who::Process(process) => all.contains(&process).then_some(process),
            }
        };
        let idle = || of(&|state| state == State::Idle);
        let alive = || of(&|state| state != State::Gone);
        Some(match &step.call {
            Call::Get { key, nsems, flags } => (idle()?, Called::Get(*key, *nsems, *flags)),
            Call::Op { set, ops, timeout } => (idle()?, Called::Op(self.semid(*set), ops.clone(), *timeout)),
            Call::Control { set, semaphore, command } => {
                let semid = self.semid(*set);
                let command = match command {
                    Command::SetAll(values) => Command::SetAll(self.as_many(semid, values)),
                    other => other.clone(),
                };
                (idle()?, Called::Control(semid, *semaphore, command))
            }
            Call::Fork { share } => {
                let parent = idle()?;
                let alive = self.states.iter().filter(|state| **state != State::Gone).count();
                (alive < PROCESSES).then_some((parent, Called::Fork(number(self.states.len()), *share)))?
            }
            Call::Limit(limits) => (alive()?, Called::Limit(*limits)),
            Call::Unshare => (idle()?, Called::Unshare),
            Call::Exec => (idle()?, Called::Exec),
            Call::Exit => (idle()?, Called::Exit),
            Call::Become(credentials) => (idle()?, Called::Become(credentials.clone())),
            Call::Interrupt => (alive()?, Called::Interrupt),
            Call::Kill => (alive()?, Called::Kill),
        })
    }

    fn semid(&self, set: Set) -> i32 {
        let nth = |index: u8| {
            let made = self.made.get(usize::from(index) % self.made.len().max(1));
            made.map_or(-1, |(semid, _)| *semid)
        };
        match set {
            Set::Made(index) => nth(index),
            Set::Stale(index) => nth(index).wrapping_add(1 << 15),
            Set::Is(semid) => semid,
        }
    }

    /// One value a semaphore of the set.
    fn as_many(&self, semid: i32, values: &[u16]) -> Vec<u16> {
        let made = self.made.iter().rev().find(|(made, _)| *made == semid);
        let nsems = made.map_or(values.len(), |(_, nsems)| *nsems);
        if values.is_empty() { vec![0; nsems] } else { values.iter().copied().cycle().take(nsems).collect() }
    }

    fn perform<S: System>(&mut self, system: &mut S, process: Process, call: Called) -> Result<(), S::Error> {
        let asleep: Vec<_> =
            (0..self.states.len()).filter(|index| self.states[*index] == State::Asleep).map(number).collect();
        let outcome = system.call(process, &call)?;
        match (&call, &outcome) {
            (Called::Exit | Called::Kill, _) => self.states[index(process)] = State::Gone,
            (_, Outcome::Asleep) => self.states[index(process)] = State::Asleep,
            (Called::Fork(..), Outcome::Answered(Ok(_))) => self.states.push(State::Idle),
            _ => {}
        }
        let mut asleep = asleep;
        asleep.retain(|process| self.states[index(*process)] == State::Asleep);
        if outcome == Outcome::Asleep {
            asleep.push(process);
            asleep.sort_unstable();
        }
        let (woken, world) = system.settle(&asleep)?;
        for (process, _) in &woken {
            self.states[index(*process)] = State::Idle;
        }
        if let (Called::Get(..), Outcome::Answered(Ok(Value::Number(semid)))) = (&call, &outcome)
            && !self.made.iter().any(|(made, _)| made == semid)
        {
            let nsems = world.sets.iter().find(|set| set.semid == *semid).map_or(0, |set| set.semaphores.len());
            self.made.push((*semid, nsems));
        }
        self.trace.events.push(Event { process, call, outcome, woken, world });
        Ok(())
    }
}

fn number(index: usize) -> Process {
    index as Process + 1
}

fn index(process: Process) -> usize {
    process as usize - 1
}
