//! The process that runs programs on the kernel: it makes an IPC namespace and the processes, tells them what to do, and looks.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::num::NonZero;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, geteuid};
use rustix::thread::set_current_timer_slack;
use semundo::source::{Error, bpf::Bpf};
use semundo::{Select, Source, UndoList};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::actor::{self, Told};
use super::shared::{PLACES, Shared};
use super::{Greeting, sys};
use crate::program::{Command, Limits, Program, Timeout};
use crate::script::{self, System};
use crate::trace;
use crate::trace::{Answer, Called, LOOKED_AT, Outcome, Process, Semaphore, SetState, Stat, Value, Woken, World};

/// The argument that makes the program a host.
pub(super) const ARGUMENT: &str = "run-on-kernel";

/// How long anything may take that takes next to no time: longer than the slowest machine ever stops.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a call is first waited for that may have gone to sleep.
const NAP: Duration = Duration::from_micros(30);

/// Runs the programs that come from standard input, until there are no more.
pub(super) fn serve() -> Result<()> {
    // A container's root may not, either.
    if !geteuid().is_root() || unshare(CloneFlags::CLONE_NEWIPC).is_err() {
        return send(&Greeting { root: false, bpf: Ok(()) });
    }
    let bpf = Bpf::load().map_err(|error| error.to_string());
    // The default of 50 microseconds would be most of each nap.
    set_current_timer_slack(NonZero::new(1)).context("prctl(2)")?;
    send(&Greeting { root: true, bpf: bpf.as_ref().map(|_| ()).map_err(Clone::clone) })?;
    actor::withstand_signal()?;
    let shared = Shared::new()?;
    let bpf = bpf.ok();
    sys::trim();
    while let Some(program) = receive::<Program>()? {
        let ran = Host::start(&shared, bpf.as_ref(), &program).and_then(|mut host| script::run(&program, &mut host));
        send(&ran.map_err(|error| format!("{error:#}")))?;
    }
    Ok(())
}

fn send<T: Serialize>(message: &T) -> Result<()> {
    let bytes = postcard::to_stdvec(message)?;
    let mut out = io::stdout().lock();
    out.write_all(&(bytes.len() as u32).to_le_bytes())?;
    out.write_all(&bytes)?;
    Ok(out.flush()?)
}

fn receive<T: DeserializeOwned>() -> Result<Option<T>> {
    let mut length = [0; 4];
    let mut input = io::stdin().lock();
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut bytes = vec![0; u32::from_le_bytes(length) as usize];
    input.read_exact(&mut bytes)?;
    Ok(Some(postcard::from_bytes(&bytes)?))
}

/// A program's run.
struct Host<'a> {
    shared: &'a Shared,
    bpf: Option<&'a Bpf>,
    /// By number, from 1.
    actors: Vec<Actor>,
    /// Whether there was a call with `SEM_UNDO`, before which there is nothing to undo.
    undoes: bool,
}

/// A process.
struct Actor {
    pid: i32,
    place: usize,
    alive: bool,
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        for actor in self.actors.iter_mut().filter(|actor| actor.alive) {
            // It may be dead already, if that is why the program ends early.
            let _ = kill(Pid::from_raw(actor.pid), Signal::SIGKILL);
            let _ = waitpid(Pid::from_raw(actor.pid), None);
            self.shared.take_back(actor.place);
        }
    }
}

impl<'a> Host<'a> {
    fn start(shared: &'a Shared, bpf: Option<&'a Bpf>, program: &Program) -> Result<Self> {
        unshare(CloneFlags::CLONE_NEWIPC).context("unshare(CLONE_NEWIPC)")?;
        if let Some(limits) = program.limits {
            limit(limits)?;
        }
        let mut host = Self { shared, bpf, actors: Vec::new(), undoes: false };
        for place in 0..program.processes {
            match sys::clone(0).context("clone(2)")? {
                0 => actor::begin(shared, place),
                pid => host.actors.push(Actor { pid, place, alive: true }),
            }
        }
        Ok(host)
    }

    fn actor(&self, process: Process) -> &Actor {
        &self.actors[process as usize - 1]
    }

    /// Whose number it is; 0 where it is nobody's.
    fn process(&self, pid: i32) -> Result<Process> {
        if pid == 0 {
            return Ok(0);
        }
        let found = self.actors.iter().position(|actor| actor.pid == pid);
        found.map(|index| index as Process + 1).with_context(|| format!("process {pid} is none of the program's"))
    }

    /// Waits for the answer of a call that does not sleep.
    fn answer(&self, process: Process) -> Result<Answer> {
        let actor = self.actor(process);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.shared.count();
            if let Some(answer) = self.shared.answer(actor.place)? {
                return Ok(answer);
            }
            self.shared.wait(seen, Duration::from_millis(500))?;
            self.expect_alive(process)?;
            ensure!(Instant::now() < deadline, "process {process} neither answers nor sleeps");
        }
    }

    /// Waits until a call has returned or sleeps in this set.
    fn answer_or_sleep(&self, process: Process, semid: i32, before: u32) -> Result<Outcome> {
        let actor = self.actor(process);
        let deadline = Instant::now() + PATIENCE;
        let mut nap = NAP;
        loop {
            let seen = self.shared.count();
            if let Some(answer) = self.shared.answer(actor.place)? {
                return Ok(Outcome::Answered(answer));
            }
            self.shared.wait(seen, nap)?;
            // Nobody else runs, so nobody else can have begun to wait. But the call may be done while the semaphores are asked one after the
            // other, and a sleeper then wait for another of them than before, and be counted twice. Once the first sum is larger the call
            // is done or sleeps, and the second one is exact.
            if self.shared.is_busy(actor.place) && waiting(semid)? > before && waiting(semid)? > before {
                return Ok(Outcome::Asleep);
            }
            nap = (nap * 2).min(Duration::from_millis(1));
            if nap >= Duration::from_millis(1) {
                self.expect_alive(process)?;
                ensure!(Instant::now() < deadline, "process {process} neither answers nor sleeps");
            }
        }
    }

    /// That a process has not ended by itself.
    fn expect_alive(&self, process: Process) -> Result<()> {
        let ended = waitpid(Pid::from_raw(self.actor(process).pid), Some(WaitPidFlag::WNOHANG))?;
        ensure!(ended == WaitStatus::StillAlive, "process {process} has ended: {ended:?}");
        Ok(())
    }

    /// Waits until a process has ended: `exit_sem` comes before that.
    fn bury(&mut self, process: Process) -> Result<Outcome> {
        let actor = &mut self.actors[process as usize - 1];
        match waitpid(Pid::from_raw(actor.pid), None).context("waitpid(2)")? {
            WaitStatus::Exited(_, 0) | WaitStatus::Signaled(_, Signal::SIGKILL, _) => {}
            other => bail!("process {process} ended otherwise: {other:?}"),
        }
        actor.alive = false;
        self.shared.take_back(actor.place);
        Ok(Outcome::Answered(Ok(Value::NOTHING)))
    }

    fn signal(&self, process: Process, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.actor(process).pid), signal).context("kill(2)")
    }

    /// All that there is to be read, by a process that may read it.
    fn look(&self) -> Result<World> {
        let (highest, info) = sys::info(0, 0, libc::SEM_INFO).map_err(|errno| unexpected("SEM_INFO", errno))?;
        let mut sets = Vec::new();
        for index in 0..=highest {
            match sys::stat(index, 0, libc::SEM_STAT_ANY) {
                Ok((semid, stat)) => sets.push(self.look_at(semid, stat)?),
                // There is no set at this index.
                Err(errno) if errno.0 == libc::EINVAL => {}
                Err(errno) => return Err(unexpected("SEM_STAT_ANY", errno)),
            }
        }
        let undo = self.bpf.map(|bpf| self.undo_lists(bpf)).transpose()?;
        Ok(World { used: (info.semusz, info.semaem), sets, undo })
    }

    fn look_at(&self, semid: i32, stat: Stat) -> Result<SetState> {
        let of =
            |semaphore, command| sys::semctl(semid, semaphore, command, 0).map_err(|errno| unexpected("GET", errno));
        let semaphore = |number| {
            Ok(Semaphore {
                value: of(number, libc::GETVAL)? as u16,
                last: self.process(of(number, libc::GETPID)?)?,
                growers: of(number, libc::GETNCNT)? as u32,
                zeroers: of(number, libc::GETZCNT)? as u32,
            })
        };
        // Of the largest sets only the first ones, on which alone programs sleep.
        let numbers = (0..stat.nsems as i32).take(LOOKED_AT);
        Ok(SetState { semid, semaphores: numbers.map(semaphore).collect::<Result<_>>()?, stat })
    }

    /// One process after the other, which is faster than all at once: every process with threads has a list.
    fn undo_lists(&self, bpf: &Bpf) -> Result<BTreeMap<Process, trace::UndoList>> {
        let mut all = BTreeMap::new();
        let alive = self.actors.iter().filter(|actor| actor.alive && self.undoes);
        for pid in alive.map(|actor| actor.pid) {
            let lists = read_patiently(bpf, &Select::Pids(vec![pid]))?;
            for list in lists.iter().filter(|list| !list.adjustments.is_empty()) {
                let adjustments = list.adjustments.iter().map(|set| (set.semid, set.semadj.clone()));
                all.insert(self.process(pid)?, adjustments.collect());
            }
        }
        Ok(all)
    }
}

/// Others on this machine may do what they want with sets of theirs: then a reading is said to be impossible, and is to be repeated.
fn read_patiently(bpf: &Bpf, select: &Select) -> Result<Vec<UndoList>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match bpf.read(select) {
            Err(Error::Unavailable(_)) if Instant::now() < deadline => {}
            read => return Ok(read?),
        }
    }
}

impl System for Host<'_> {
    type Error = anyhow::Error;

    fn call(&mut self, process: Process, call: &Called) -> Result<Outcome> {
        let place = self.actor(process).place;
        let told = match call.clone() {
            Called::Get(key, nsems, flags) => Told::Get(key, nsems, flags),
            Called::Op(semid, ops, timeout) => {
                let before = waiting(semid)?;
                self.undoes |= ops.iter().any(|op| op.undo);
                self.shared.command(place, &Told::Op(semid, ops, timeout))?;
                return match timeout {
                    Timeout::None | Timeout::Long => self.answer_or_sleep(process, semid, before),
                    _ => self.answer(process).map(Outcome::Answered),
                };
            }
            Called::Control(semid, semaphore, command) => {
                let of_process = matches!(command, Command::GetPid);
                self.shared.command(place, &Told::Control(semid, semaphore, command))?;
                let answer = self.answer(process)?;
                return Ok(Outcome::Answered(match answer {
                    Ok(Value::Number(pid)) if of_process => Ok(Value::Process(self.process(pid)?)),
                    answer => answer,
                }));
            }
            Called::Fork(child, share) => {
                ensure!(child as usize == self.actors.len() + 1, "children are numbered in their order");
                let taken = |place| self.actors.iter().any(|actor| actor.alive && actor.place == place);
                let free = (0..PLACES).find(|place| !taken(*place)).context("there are too many processes")?;
                self.shared.command(place, &Told::Fork(free, share))?;
                let Ok(Value::Number(pid)) = self.answer(process)? else { bail!("a fork without a number") };
                self.actors.push(Actor { pid, place: free, alive: true });
                return Ok(Outcome::Answered(Ok(Value::Process(child))));
            }
            Called::Limit(limits) => {
                limit(limits)?;
                return Ok(Outcome::Answered(Ok(Value::NOTHING)));
            }
            Called::Unshare => Told::Unshare,
            Called::Exec => Told::Exec,
            Called::Become(credentials) => Told::Become(credentials),
            Called::Exit => {
                self.shared.command(place, &Told::Exit)?;
                return self.bury(process);
            }
            Called::Kill => {
                self.signal(process, Signal::SIGKILL)?;
                return self.bury(process);
            }
            Called::Interrupt => {
                let sleeps = self.shared.is_busy(place);
                self.signal(process, Signal::SIGUSR1)?;
                if sleeps {
                    self.answer(process)?.ok();
                }
                return Ok(Outcome::Answered(Ok(Value::NOTHING)));
            }
        };
        self.shared.command(place, &told)?;
        self.answer(process).map(Outcome::Answered)
    }

    fn settle(&mut self, asleep: &[Process]) -> Result<(Woken, World)> {
        // A set's waiters go before the call returns that lets them go, so who still waits is known already.
        let world = self.look()?;
        let woken = asleep.len().checked_sub(world.asleep()).context("more wait than were told to")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self.shared.count();
            let mut answers = Vec::new();
            for process in asleep {
                if let Some(answer) = self.shared.answer(self.actor(*process).place)? {
                    answers.push((*process, answer));
                }
            }
            if answers.len() == woken {
                return Ok((answers, world));
            }
            ensure!(answers.len() < woken, "a process has returned that is said to wait");
            self.shared.wait(seen, Duration::from_millis(500))?;
            ensure!(Instant::now() < deadline, "{woken} of {asleep:?} do not wait any more, but do not return");
        }
    }
}

/// Sets the limits of the namespace.
fn limit(Limits { semmsl, semmns, semopm, semmni }: Limits) -> Result<()> {
    let file = "/proc/sys/kernel/sem";
    fs::write(file, format!("{semmsl} {semmns} {semopm} {semmni}")).context(file)
}

/// How many calls wait in a set.
fn waiting(semid: i32) -> Result<u32> {
    // A wrong identifier is none of a set, which has no waiters.
    let Ok((found, stat)) = sys::stat(semid & sys::INDEX, 0, libc::SEM_STAT_ANY) else { return Ok(0) };
    if found != semid || semid < 0 {
        return Ok(0);
    }
    let mut sum = 0;
    for number in (0..stat.nsems as i32).take(LOOKED_AT) {
        for command in [libc::GETNCNT, libc::GETZCNT] {
            sum += sys::semctl(semid, number, command, 0).map_err(|errno| unexpected("GETNCNT", errno))? as u32;
        }
    }
    Ok(sum)
}

fn unexpected(call: &str, errno: crate::trace::Errno) -> anyhow::Error {
    anyhow::anyhow!("{call} by root: {errno:?}")
}
