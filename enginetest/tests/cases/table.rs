//! How a case is written: a row a call, with what it is to return and whom it is to wake.

use enginetest::program::{Call, Command, Credentials, Limits, Op, Program, Set, Step, Timeout, Who};
use enginetest::trace::{Answer, Errno, Event, Outcome, Stat, Value};

/// A case.
pub struct Case {
    /// Whose case it is, and what it is about.
    pub name: &'static str,
    /// The limits, where they are not the kernel's own.
    pub limits: Option<Limits>,
    /// How many processes there are at first.
    pub processes: usize,
    /// The calls.
    pub rows: Vec<Row>,
}

/// A call.
pub struct Row {
    process: u32,
    call: Call,
    returns: Returns,
    wakes: Vec<(u32, Returns)>,
}

/// What a call is to return.
pub enum Returns {
    /// This number.
    Number(i32),
    /// This errno.
    Error(i32),
    /// Nothing yet: it sleeps.
    Sleeps,
    /// The number of this process.
    Process(u32),
    /// These values.
    Values(Vec<u16>),
    /// A set of which this is true.
    Stat(fn(&Stat) -> bool),
    /// The highest index, the number of sets and that of semaphores.
    Used(i32, i32, i32),
}

impl Case {
    /// A case with the kernel's own limits.
    pub fn new(name: &'static str, processes: usize, rows: Vec<Row>) -> Self {
        Self { name, limits: None, processes, rows }
    }

    /// The program.
    pub fn program(&self) -> Program {
        let step = |row: &Row| Step { who: Who::Process(row.process), call: row.call.clone() };
        Program { limits: self.limits, processes: self.processes, steps: self.rows.iter().map(step).collect() }
    }

    /// That the rows' calls were made and went as the rows say.
    pub fn check(&self, events: &[Event]) {
        assert!(events.len() >= self.rows.len(), "{}: some calls were not made: {events:#?}", self.name);
        for (index, (row, event)) in self.rows.iter().zip(events).enumerate() {
            let context = || format!("{}: call {index}: {event:#?}", self.name);
            assert_eq!(row.process, event.process, "{}", context());
            assert!(row.returns.are(&event.outcome), "{}", context());
            assert_eq!(row.wakes.len(), event.woken.len(), "{}", context());
            for ((process, returns), (woken, answer)) in row.wakes.iter().zip(&event.woken) {
                assert!(process == woken && returns.are(&Outcome::Answered(answer.clone())), "{}", context());
            }
        }
    }
}

impl Row {
    /// The call wakes a process, whose own call returns this; in the order of their numbers.
    pub fn wakes(mut self, process: u32, returns: Returns) -> Self {
        self.wakes.push((process, returns));
        self
    }

    /// The call fails.
    pub fn fails(mut self, errno: i32) -> Self {
        self.returns = Returns::Error(errno);
        self
    }

    /// The call sleeps.
    pub fn sleeps(mut self) -> Self {
        self.returns = Returns::Sleeps;
        self
    }

    /// The call returns something else than 0.
    pub fn returns(mut self, returns: Returns) -> Self {
        self.returns = returns;
        self
    }
}

impl Returns {
    fn are(&self, outcome: &Outcome) -> bool {
        let Outcome::Answered(answer) = outcome else { return matches!(self, Self::Sleeps) };
        match (self, answer) {
            (Self::Number(number), answer) => *answer == Answer::Ok(Value::Number(*number)),
            (Self::Error(errno), answer) => *answer == Err(Errno(*errno)),
            (Self::Process(process), answer) => *answer == Answer::Ok(Value::Process(*process)),
            (Self::Values(values), Ok(Value::All(all))) => values == all,
            (Self::Stat(holds), Ok(Value::Stat(_, stat))) => holds(stat),
            (Self::Used(highest, sets, semaphores), Ok(Value::Info(index, info))) => {
                (*highest, *sets, *semaphores) == (*index, info.semusz, info.semaem)
            }
            _ => false,
        }
    }
}

fn row(process: u32, call: Call) -> Row {
    Row { process, call, returns: Returns::Number(0), wakes: Vec::new() }
}

/// `semget(2)`, which returns 0 where nothing else is said: the first set's identifier.
pub fn get(process: u32, key: i32, nsems: i32, flags: i32) -> Row {
    row(process, Call::Get { key, nsems, flags })
}

/// `semop(2)`.
pub fn semop(process: u32, semid: i32, ops: &[Op]) -> Row {
    semtimedop(process, semid, ops, Timeout::None)
}

/// `semtimedop(2)`.
pub fn semtimedop(process: u32, semid: i32, ops: &[Op], timeout: Timeout) -> Row {
    row(process, Call::Op { set: Set::Is(semid), ops: ops.to_vec(), timeout })
}

/// `semctl(2)`.
pub fn semctl(process: u32, semid: i32, semaphore: i32, command: Command) -> Row {
    row(process, Call::Control { set: Set::Is(semid), semaphore, command })
}

/// `GETVAL`.
pub fn value(process: u32, semid: i32, semaphore: i32, value: i32) -> Row {
    semctl(process, semid, semaphore, Command::GetValue).returns(Returns::Number(value))
}

/// `clone(2)`, whose child has the number that is said.
pub fn fork(process: u32, child: u32, share: bool) -> Row {
    row(process, Call::Fork { share }).returns(Returns::Process(child))
}

/// What takes no argument.
pub fn simple(process: u32, call: Call) -> Row {
    row(process, call)
}

/// Becomes a user without capabilities.
pub fn become_user(process: u32, id: u32) -> Row {
    let credentials = Credentials { uid: id, gid: id, groups: Vec::new(), ipc_owner: false, sys_admin: false };
    row(process, Call::Become(credentials))
}

/// Stays root, but is bound by permissions.
pub fn drop_ipc_owner(process: u32) -> Row {
    row(process, Call::Become(Credentials { ipc_owner: false, ..Credentials::root() }))
}

/// An operation without flags.
pub const fn op(semaphore: u16, delta: i16) -> Op {
    Op { semaphore, delta, nowait: false, undo: false }
}

/// One with `SEM_UNDO`.
pub const fn undo(semaphore: u16, delta: i16) -> Op {
    Op { undo: true, ..op(semaphore, delta) }
}

/// One with `IPC_NOWAIT`.
pub const fn nowait(semaphore: u16, delta: i16) -> Op {
    Op { nowait: true, ..op(semaphore, delta) }
}
