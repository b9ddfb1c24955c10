//! Programs on the engine.
//!
//! Calls that sleep are [submitted](engine::Process::submit) and asked for afterwards, so that one thread plays all processes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Read;

use rcu_core::flavor::membarrier::Membarrier;
use semundo_core::engine::{
    self, Credentials, IPC_NOWAIT, IpcSet, RcuUndoList, SEM_UNDO, SemBuf, SemInfo, SemidDs, Sleeping, ThreadEngine,
    ThreadParking, Timespec,
};

use crate::program::{self, Command, Op, Program, Timeout};
use crate::script::{self, System};
use crate::trace::{
    Answer, Called, Errno, Info, LOOKED_AT, Outcome, Process, Semaphore, SetState, Stat, Trace, UndoList, Value, Woken,
    World,
};

type Flavor = Membarrier;
type List = RcuUndoList<Flavor>;

/// Runs a program.
#[must_use]
pub fn run(program: &Program) -> Trace {
    let limits = program.limits.map_or_else(engine::Limits::default, limits);
    let engine = ThreadEngine::with_limits(Membarrier, limits);
    let observer = engine.process(Credentials::root(), OBSERVER).expect("there is no process yet");
    let first = (1..=program.processes).map(|pid| engine.process(Credentials::root(), pid as i32));
    let processes = first.map(|process| Some(process.expect("each has its own number"))).collect();
    let mut run = Run { engine, observer, processes, asleep: BTreeMap::new(), looks: 0 };
    let Ok(trace) = script::run(program, &mut run);
    trace
}

/// The number of the one who looks, which no program has.
const OBSERVER: i32 = 1_000_000;

struct Run {
    engine: ThreadEngine<Flavor>,
    observer: engine::Process<Flavor, ThreadParking, List>,
    /// By number, from 1.
    processes: Vec<Option<engine::Process<Flavor, ThreadParking, List>>>,
    asleep: BTreeMap<Process, Sleeping<Flavor, ThreadParking, List>>,
    looks: u32,
}

impl System for Run {
    type Error = Infallible;

    fn call(&mut self, process: Process, call: &Called) -> Result<Outcome, Infallible> {
        let index = process as usize - 1;
        let current = self.processes[index].as_mut().expect("calls are of processes that are there");
        Ok(Outcome::Answered(match call {
            Called::Get(key, nsems, flags) => number(current.semget(*key, *nsems, *flags)),
            Called::Op(semid, ops, timeout) => {
                let ops: Vec<_> = ops.iter().map(sembuf).collect();
                let timeout = match timeout {
                    Timeout::None | Timeout::Long => {
                        return Ok(match current.submit(*semid, &ops) {
                            Ok(Some(sleeping)) => {
                                self.asleep.insert(process, sleeping);
                                Outcome::Asleep
                            }
                            done => Outcome::Answered(nothing(done.map(|_| ()))),
                        });
                    }
                    Timeout::Short => (0, 1_000_000),
                    Timeout::Zero => (0, 0),
                    Timeout::Invalid(sec, nsec) => (*sec, *nsec),
                };
                nothing(current.semtimedop(*semid, &ops, Some(Timespec { tv_sec: timeout.0, tv_nsec: timeout.1 })))
            }
            Called::Control(semid, semaphore, command) => control(current, *semid, *semaphore, command),
            Called::Fork(child, share) => {
                let pid = *child as i32;
                let made = if *share { current.clone_sysvsem(pid) } else { current.fork(pid) };
                self.processes.push(Some(made.expect("each has its own number")));
                Ok(Value::Process(*child))
            }
            Called::Limit(new) => {
                self.engine.set_limits(limits(*new));
                Ok(Value::NOTHING)
            }
            Called::Unshare => {
                current.unshare_sysvsem();
                Ok(Value::NOTHING)
            }
            Called::Exec => {
                current.exec();
                Ok(Value::NOTHING)
            }
            Called::Exit | Called::Kill => {
                self.processes[index].take().expect("it is there").exit();
                self.asleep.remove(&process);
                Ok(Value::NOTHING)
            }
            Called::Become(new) => {
                let program::Credentials { uid, gid, groups, ipc_owner, sys_admin } = new.clone();
                current.set_credentials(Credentials { uid, gid, groups, ipc_owner, sys_admin });
                Ok(Value::NOTHING)
            }
            Called::Interrupt => {
                current.interrupt();
                Ok(Value::NOTHING)
            }
        }))
    }

    fn settle(&mut self, _asleep: &[Process]) -> Result<(Woken, World), Infallible> {
        let ended = |(process, sleeping): (&Process, &Sleeping<_, _, _>)| Some((*process, nothing(sleeping.result()?)));
        let woken: Vec<_> = self.asleep.iter().filter_map(ended).collect();
        for (process, _) in &woken {
            self.asleep.remove(process);
        }
        let world = self.look();
        self.looks += 1;
        if self.looks.is_multiple_of(2) {
            self.calm(&world);
        }
        Ok((woken, world))
    }
}

impl Run {
    fn look(&self) -> World {
        let (highest, info) = self.observer.sem_info();
        let sets = (0..=highest).filter_map(|index| self.observer.sem_stat_any(index).ok());
        let undo = (1..=self.processes.len()).filter(|pid| self.processes[pid - 1].is_some());
        World {
            used: (info.semusz, info.semaem),
            sets: sets.map(|(semid, set)| self.look_at(semid, &set)).collect(),
            undo: Some(
                undo.map(|pid| (pid as Process, self.undo_list(pid as i32))).filter(|of| !of.1.is_empty()).collect(),
            ),
        }
    }

    /// Has sets lock single semaphores again, unless calls of many operations sleep: looking at a set locks all of it, and that it does for
    /// the ten calls to come, too. So both ways to lock are tried.
    fn calm(&self, world: &World) {
        for set in &world.sets {
            for _ in 0..10 {
                self.observer.getval(set.semid, 0).expect("root may read it");
            }
        }
    }

    fn look_at(&self, semid: i32, set: &SemidDs) -> SetState {
        let of = "root may read all of it";
        let semaphore = |number| Semaphore {
            value: self.observer.getval(semid, number).expect(of) as u16,
            last: self.observer.getpid(semid, number).expect(of) as Process,
            growers: self.observer.getncnt(semid, number).expect(of) as u32,
            zeroers: self.observer.getzcnt(semid, number).expect(of) as u32,
        };
        // Of the largest sets only the first ones, on which alone programs sleep.
        let numbers = (0..set.sem_nsems as i32).take(LOOKED_AT);
        SetState { semid, stat: stat(set), semaphores: numbers.map(semaphore).collect() }
    }

    fn undo_list(&self, pid: i32) -> UndoList {
        let mut bytes = Vec::new();
        let mut file = self.engine.open_semundo(pid).expect("the process is there");
        file.read_to_end(&mut bytes).expect("it can be read");
        let lines = str::from_utf8(&bytes).expect("it is ASCII").lines();
        let numbers = |line: &str| {
            let (semid, adjustments) = line.split_once(' ').expect("a set has semaphores");
            let adjustments = adjustments.split(' ').map(|number| number.parse().expect("an adjustment"));
            (semid.parse().expect("an identifier"), adjustments.collect())
        };
        lines.map(numbers).collect()
    }
}

fn control(
    process: &engine::Process<Flavor, ThreadParking, List>,
    semid: i32,
    semaphore: i32,
    command: &Command,
) -> Answer {
    match command {
        Command::Stat => process.stat(semid).map(|set| Value::Stat(0, stat(&set))).map_err(errno),
        Command::StatIndex => process.sem_stat(semid).map(|(semid, set)| Value::Stat(semid, stat(&set))).map_err(errno),
        Command::StatAny => {
            process.sem_stat_any(semid).map(|(semid, set)| Value::Stat(semid, stat(&set))).map_err(errno)
        }
        // Only the system call looks at an identifier that it does not need.
        Command::Info | Command::UsedInfo if semid < 0 => Err(Errno(libc::EINVAL)),
        Command::Info => Ok(info(process.ipc_info())),
        Command::UsedInfo => Ok(info(process.sem_info())),
        Command::Set { uid, gid, mode } => {
            nothing(process.ipc_set(semid, IpcSet { uid: *uid, gid: *gid, mode: (*mode).into() }))
        }
        Command::Remove => nothing(process.rmid(semid)),
        Command::GetValue => number(process.getval(semid, semaphore)),
        Command::SetValue(value) => nothing(process.setval(semid, semaphore, *value)),
        Command::GetAll => process.getall(semid).map(Value::All).map_err(errno),
        Command::SetAll(values) => nothing(process.setall(semid, values)),
        Command::GetPid => process.getpid(semid, semaphore).map(|pid| Value::Process(pid as Process)).map_err(errno),
        Command::GetGrowers => number(process.getncnt(semid, semaphore)),
        Command::GetZeroers => number(process.getzcnt(semid, semaphore)),
    }
}

fn limits(program::Limits { semmsl, semmns, semopm, semmni }: program::Limits) -> engine::Limits {
    engine::Limits { semmsl, semmns, semopm, semmni }
}

fn sembuf(op: &Op) -> SemBuf {
    let flag = |set: bool, flag: i16| if set { flag } else { 0 };
    SemBuf::new(op.semaphore, op.delta, flag(op.nowait, IPC_NOWAIT) | flag(op.undo, SEM_UNDO))
}

fn errno(errno: seqfile_core::Errno) -> Errno {
    Errno(errno.get())
}

fn number(result: Result<i32, seqfile_core::Errno>) -> Answer {
    result.map(Value::Number).map_err(errno)
}

fn nothing(result: Result<(), seqfile_core::Errno>) -> Answer {
    number(result.map(|()| 0))
}

fn stat(set: &SemidDs) -> Stat {
    let perm = set.sem_perm;
    Stat {
        key: perm.key,
        uid: perm.uid,
        gid: perm.gid,
        cuid: perm.cuid,
        cgid: perm.cgid,
        mode: perm.mode,
        seq: perm.seq,
        nsems: set.sem_nsems,
        operated: set.sem_otime != 0,
        changed: set.sem_ctime != 0,
    }
}

fn info((highest, info): (i32, SemInfo)) -> Value {
    let SemInfo { semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem } = info;
    Value::Info(highest, Info { semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem })
}
