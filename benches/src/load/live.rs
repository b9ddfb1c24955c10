//! The live kernel: writers are processes that make system calls, readers read their undo lists by BPF.

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use semundo::source::bpf::Bpf;
use semundo::sysv::{Op, SemSet};
use semundo::{Select, Source};

use super::calls::Calls;
use super::figures::Figures;
use super::run::{listing, pin};
use super::scenario::Scenario;
use super::writer::{Tally, Writer};

/// The first argument of this program as a writer.
pub const WRITER: &str = "live-writer";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The live kernel, and what of it can be measured here.
#[derive(Debug)]
pub struct Live {
    /// Why undo lists cannot be read, where they cannot.
    unreadable: Option<String>,
}

impl Live {
    /// Moves this process, which must have one thread, to an IPC namespace of its own, where there are no other sets to be read.
    pub fn enter() -> Result<Self> {
        // SAFETY: no other thread's state is changed: this process has one thread (by contract).
        unsafe { unshare_unsafe(UnshareFlags::NEWIPC) }
            .map_err(|error| format!("an IPC namespace of its own, which takes root: {error}"))?;
        Ok(Self { unreadable: Bpf::load().err().map(|error| error.to_string()) })
    }

    /// Why scenarios with readers cannot be run, where they cannot.
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// Runs a scenario once.
    pub fn run(&self, scenario: &Scenario, duration: Duration) -> Result<Figures> {
        let mut processes =
            (0..scenario.writers).map(|number| Process::new(number, scenario, duration)).collect::<Result<Vec<_>>>()?;
        let pids: Vec<_> = processes.iter().map(|process| process.child.id() as i32).collect();
        let (ready, stop) = (Barrier::new(scenario.readers + 1), AtomicBool::new(false));
        let (tallies, listed) = thread::scope(|scope| {
            let (ready, stop, pids) = (&ready, &stop, &pids);
            let reading: Vec<_> = (0..scenario.readers)
                .map(|reader| {
                    scope.spawn(move || {
                        pin(scenario.writers + reader);
                        let bpf = Bpf::load().expect("it could be loaded before");
                        ready.wait();
                        listing(pids, stop, &mut |pid| entries(&bpf, pid))
                    })
                })
                .collect();
            ready.wait();
            let tallies = processes
                .iter_mut()
                .try_for_each(Process::go)
                .and_then(|()| processes.iter_mut().map(Process::tally).collect::<Result<Vec<_>>>());
            stop.store(true, Ordering::Relaxed);
            let listed: Vec<_> = reading.into_iter().map(|thread| thread.join().expect("a reader reads")).collect();
            (tallies, listed)
        });
        Ok(Figures::of(&tallies?, &listed))
    }
}

/// Reads one process's list. One whose sets change too fast to be read has none.
fn entries(bpf: &Bpf, pid: i32) -> usize {
    let lists = bpf.read(&Select::Pids(vec![pid])).unwrap_or_default();
    lists.iter().map(|list| list.adjustments.len()).sum()
}

/// A writer.
struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts one and waits until it has its sets.
    fn new(number: usize, scenario: &Scenario, duration: Duration) -> Result<Self> {
        let numbers = [number as u128, scenario.sets as u128, u128::from(scenario.churn), duration.as_millis()];
        let mut command = Command::new(env::current_exe()?);
        command.arg(WRITER).args(numbers.map(|number| number.to_string()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut process = Self { child, input, output };
        process.line()?;
        Ok(process)
    }

    fn go(&mut self) -> Result<()> {
        Ok(self.input.write_all(b"\n")?)
    }

    fn tally(&mut self) -> Result<Tally> {
        parse(&self.line()?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("a writer of the live kernel ended early".into());
        }
        Ok(line)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a writer process does. Its arguments are those that `Process::new` gives.
pub fn writer(arguments: &[String]) -> Result<()> {
    let numbers = arguments.iter().map(|number| number.parse()).collect::<std::result::Result<Vec<u64>, _>>()?;
    let [number, sets, churn, millis] = numbers[..] else { return Err("NUMBER SETS CHURN MILLIS".into()) };
    pin(number as usize);
    let mut writer = Writer::new(Kernel, sets as usize, churn != 0);
    println!("ready");
    io::stdin().read_line(&mut String::new())?;
    let start = Instant::now();
    let tally = writer.work(|| start.elapsed() >= Duration::from_millis(millis));
    assert!(writer.is_balanced(), "the kernel lost a value");
    writer.sets().for_each(|semid| Kernel.remove(semid));
    println!("{}", text(&tally));
    Ok(())
}

/// The calls of this process.
struct Kernel;

impl Calls for Kernel {
    fn create(&mut self) -> i32 {
        SemSet::create(1, 0o600).expect("there is room for a set").id()
    }

    #[inline(always)]
    fn semop(&mut self, semid: i32, by: i16) {
        SemSet::from_id(semid).op(&[Op::new(0, by).undo()]).expect("the set is this process's");
    }

    fn remove(&mut self, semid: i32) {
        SemSet::from_id(semid).remove().expect("the set is this process's");
    }

    fn take_and_exit(&mut self, semid: i32) {
        // SAFETY: this process has one thread, so the child may do what it could.
        match unsafe { fork() }.expect("there is room for a process") {
            ForkResult::Parent { child } => drop(waitpid(child, None).expect("it is our child")),
            ForkResult::Child => {
                self.semop(semid, -1);
                // SAFETY: ends the process without running what the parent will run at its own end.
                unsafe { libc::_exit(0) };
            }
        }
    }

    fn value(&mut self, semid: i32) -> i32 {
        SemSet::from_id(semid).get_value(0).expect("the set is this process's").into()
    }
}

/// A tally as a line of numbers, the latencies as `NANOSECONDS:COUNT`.
fn text(tally: &Tally) -> String {
    let Tally { semops, wall, cpu, latency, timed, preempted } = tally;
    let mut line = format!("{semops} {} {} {timed} {preempted}", wall.as_nanos(), cpu.as_nanos());
    for recorded in latency.iter_recorded() {
        line += &format!(" {}:{}", recorded.value_iterated_to(), recorded.count_at_value());
    }
    line
}

fn parse(line: &str) -> Result<Tally> {
    let mut tally = Tally::default();
    let (numbers, latencies): (Vec<&str>, Vec<&str>) = line.split_whitespace().partition(|word| !word.contains(':'));
    let numbers = numbers.iter().map(|number| number.parse()).collect::<std::result::Result<Vec<u64>, _>>()?;
    let [semops, wall, cpu, timed, preempted] = numbers[..] else { return Err(format!("not a tally: {line}").into()) };
    (tally.semops, tally.timed, tally.preempted) = (semops, timed, preempted);
    (tally.wall, tally.cpu) = (Duration::from_nanos(wall), Duration::from_nanos(cpu));
    for (nanos, count) in latencies.iter().filter_map(|latency| latency.split_once(':')) {
        tally.latency.saturating_record_n(nanos.parse()?, count.parse()?);
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_comes_out_of_its_line() {
        let mut tally = Tally { semops: 7, timed: 3, preempted: 1, ..Tally::default() };
        (tally.wall, tally.cpu) = (Duration::from_nanos(90), Duration::from_nanos(80));
        [31, 31, 45_678, 9_000_000].into_iter().for_each(|nanos| tally.latency.record(nanos).unwrap());
        let parsed = parse(&text(&tally)).unwrap();
        assert_eq!((parsed.semops, parsed.timed, parsed.preempted), (7, 3, 1));
        assert_eq!((parsed.wall, parsed.cpu), (tally.wall, tally.cpu));
        assert_eq!(parsed.latency, tally.latency);
        assert!(parse("1 2 3").is_err());
    }
}
