//! A process of a program on the kernel: does what the host tells it, until it is told to end.

use std::env;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command as Program;

use anyhow::{Context, Result, bail};
use caps::{CapSet, Capability, CapsHashSet};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use serde::{Deserialize, Serialize};

use super::shared::Shared;
use super::sys;
use crate::program::{Command, Credentials, Op, Timeout};
use crate::trace::{Answer, Value};

/// The argument that makes the program an actor again.
pub(super) const ARGUMENT: &str = "go-on-as-actor";

/// What an actor is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Told {
    Get(i32, i32, i32),
    Op(i32, Vec<Op>, Timeout),
    Control(i32, i32, Command),
    /// The child's place, and whether it shares the undo list. The answer is the child's number.
    Fork(usize, bool),
    Unshare,
    Exec,
    Exit,
    Become(Credentials),
}

/// The process that the host has forked.
pub(super) fn begin(shared: &Shared, place: usize) -> ! {
    let actor = Actor { shared, place, credentials: Credentials::root() };
    let error = match die_with_host() {
        Ok(()) => serve(actor),
        Err(error) => error,
    };
    fail(&error)
}

/// The process that was one already, before it became this program.
pub(super) fn go_on(arguments: &[String]) -> Result<()> {
    let [descriptor, place, credentials] = arguments else { bail!("this is for the test itself only") };
    let descriptor: RawFd = descriptor.parse()?;
    // SAFETY: the one who became this left the descriptor open, and told nobody else here.
    let shared = Shared::open(unsafe { OwnedFd::from_raw_fd(descriptor) })?;
    let bytes = decode(credentials).context("credentials")?;
    let actor = Actor { shared: &shared, place: place.parse()?, credentials: postcard::from_bytes(&bytes)? };
    withstand_signal()?;
    actor.become_them()?;
    actor.shared.reply(actor.place, &Answer::Ok(Value::NOTHING))?;
    fail(&serve(actor))
}

struct Actor<'a> {
    shared: &'a Shared,
    place: usize,
    credentials: Credentials,
}

/// Does what it is told; returns where it cannot.
fn serve(mut actor: Actor<'_>) -> anyhow::Error {
    loop {
        let told = actor.shared.commanded(actor.place);
        let answered = told.and_then(|told| actor.perform(told));
        if let Err(error) = answered.and_then(|answer| actor.shared.reply(actor.place, &answer)) {
            return error;
        }
    }
}

/// Ends the process; the host sees that.
fn fail(error: &anyhow::Error) -> ! {
    eprintln!("an actor fails: {error:#}");
    sys::exit(1)
}

/// Keeps the signal that programs send from ending this process, and those that it forks.
pub(super) fn withstand_signal() -> Result<()> {
    extern "C" fn nothing(_: i32) {}
    let action = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action) }.context("sigaction(2)")?;
    Ok(())
}

/// Has the process end with the host.
fn die_with_host() -> Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL).context("prctl(2)")
}

impl Actor<'_> {
    fn perform(&mut self, told: Told) -> Result<Answer> {
        Ok(match told {
            Told::Get(key, nsems, flags) => sys::semget(key, nsems, flags).map(Value::Number),
            Told::Op(semid, ops, timeout) => sys::semop(semid, &ops, timeout).map(Value::Number),
            Told::Control(semid, semaphore, command) => control(semid, semaphore, &command),
            Told::Fork(place, share) => {
                let share = if share { libc::CLONE_SYSVSEM } else { 0 };
                // The host is to be the parent, which learns of the end.
                match sys::clone(libc::CLONE_PARENT | share).context("clone(2)")? {
                    0 => {
                        self.place = place;
                        die_with_host()?;
                        let told = self.shared.commanded(self.place)?;
                        self.perform(told)?
                    }
                    pid => Ok(Value::Number(pid)),
                }
            }
            Told::Unshare => {
                unshare(CloneFlags::CLONE_SYSVSEM).context("unshare(2)")?;
                Ok(Value::NOTHING)
            }
            Told::Exec => return Err(self.exec()),
            Told::Exit => sys::exit(0),
            Told::Become(credentials) => {
                self.credentials = credentials;
                self.become_them()?;
                Ok(Value::NOTHING)
            }
        })
    }

    /// Becomes the program anew, as root, which may; the credentials come back then.
    fn exec(&self) -> anyhow::Error {
        let bytes = match regain().and_then(|()| Ok(postcard::to_stdvec(&self.credentials)?)) {
            Ok(bytes) => bytes,
            Err(error) => return error,
        };
        let mut again = Program::new("/proc/self/exe");
        again.args([ARGUMENT, &self.shared.descriptor().to_string(), &self.place.to_string(), &encode(&bytes)]);
        again.env_clear().envs(env::vars_os().filter(|(name, _)| name == "RUST_BACKTRACE"));
        again.exec().into()
    }

    fn become_them(&self) -> Result<()> {
        regain()?;
        let Credentials { uid, gid, groups, ipc_owner, sys_admin } = &self.credentials;
        let groups: Vec<_> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        setgroups(&groups).context("setgroups(2)")?;
        setresgid(Gid::from_raw(*gid), Gid::from_raw(*gid), Gid::from_raw(0)).context("setresgid(2)")?;
        // The saved one stays root's, so that all this can be taken back.
        setresuid(Uid::from_raw(*uid), Uid::from_raw(*uid), Uid::from_raw(0)).context("setresuid(2)")?;
        let wanted = [(ipc_owner, Capability::CAP_IPC_OWNER), (sys_admin, Capability::CAP_SYS_ADMIN)];
        let effective: CapsHashSet = wanted.into_iter().filter(|(has, _)| **has).map(|(_, name)| name).collect();
        caps::set(None, CapSet::Effective, &effective).context("capset(2)")?;
        // Other credentials make the kernel forget it.
        die_with_host()
    }
}

/// Becomes root again, with all that root may.
fn regain() -> Result<()> {
    let root = Uid::from_raw(0);
    setresuid(root, root, root).context("setresuid(2)")?;
    let permitted = caps::read(None, CapSet::Permitted).context("capget(2)")?;
    caps::set(None, CapSet::Effective, &permitted).context("capset(2)")?;
    die_with_host()
}

fn control(semid: i32, semaphore: i32, command: &Command) -> Answer {
    let number = |command, argument| sys::semctl(semid, semaphore, command, argument).map(Value::Number);
    let stat = |command| sys::stat(semid, semaphore, command).map(|(returned, stat)| Value::Stat(returned, stat));
    let info = |command| sys::info(semid, semaphore, command).map(|(returned, info)| Value::Info(returned, info));
    match command {
        Command::Stat => stat(libc::IPC_STAT),
        Command::StatIndex => stat(libc::SEM_STAT),
        Command::StatAny => stat(libc::SEM_STAT_ANY),
        Command::Info => info(libc::IPC_INFO),
        Command::UsedInfo => info(libc::SEM_INFO),
        Command::Set { uid, gid, mode } => sys::set(semid, semaphore, *uid, *gid, *mode).map(Value::Number),
        Command::Remove => number(libc::IPC_RMID, 0),
        Command::GetValue => number(libc::GETVAL, 0),
        Command::SetValue(value) => number(libc::SETVAL, *value),
        Command::GetPid => number(libc::GETPID, 0),
        Command::GetGrowers => number(libc::GETNCNT, 0),
        Command::GetZeroers => number(libc::GETZCNT, 0),
        Command::GetAll => sys::values(semid, semaphore).map(Value::All),
        Command::SetAll(values) => sys::set_values(semid, semaphore, values).map(Value::Number),
    }
}

fn encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(text: &str) -> Result<Vec<u8>> {
    (0..text.len() / 2).map(|at| Ok(u8::from_str_radix(&text[2 * at..2 * at + 2], 16)?)).collect()
}
