//! The actor's own side: commands from standard input, replies to standard output.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::process;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use caps::{CapSet, Capability, CapsHashSet};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{Uid, gettid, setuid};
use semundo::source::{self, Kind, bpf::Bpf};
use semundo::sysv::{Op, SemSet};
use semundo::{Select, Source};
use serde_json::{Value, json};

use super::children::{self, Fleeting};
use super::command::{Command, Hold};

/// The environment variable that makes the test program an actor.
pub const MARK: &str = "SEMUNDO_TEST_ACTOR";

// SAFETY: the C library calls what is in this section with the arguments of `main`, of which `start` takes none.
#[unsafe(link_section = ".init_array")]
#[used]
static START: extern "C" fn() = start;

/// Comes before the test harness, which would start threads.
extern "C" fn start() {
    if env::var_os(MARK).is_some() {
        reply(Ok(Value::Null));
        serve(BTreeMap::new());
    }
}

type Reply = anyhow::Result<Value>;

/// Threads by their numbers, each with where its commands go and its replies come from.
type Threads = BTreeMap<i32, (Sender<Command>, Receiver<Reply>)>;

fn reply(reply: Reply) {
    let reply = reply.map_err(|error| error.to_string());
    println!("{}", serde_json::to_string(&reply).expect("a reply is JSON"));
}

/// Does what it is told until there is nobody to tell.
fn serve(mut threads: Threads) -> ! {
    let mut line = String::new();
    while io::stdin().read_line(&mut line).is_ok_and(|length| length > 0) {
        match serde_json::from_str(&line).expect("the test sends commands") {
            Command::Thread => {
                let (tid, ends) = start_thread();
                threads.insert(tid, ends);
                reply(Ok(json!(tid)));
            }
            Command::On(tid, command) => {
                let (commands, replies) = &threads[&tid];
                commands.send(*command).expect("the thread waits for commands");
                reply(replies.recv().expect("the thread replies"));
            }
            Command::EndFirstThread => go_on_without_first_thread(threads),
            Command::Toggle(semids) => until_told(|| {
                for by in [1, -1] {
                    for semid in &semids {
                        SemSet::from_id(*semid).op(&[Op::new(1, by).undo()]).expect("the value is 0 or 1");
                    }
                }
            }),
            Command::FleetingChildren { semids, stay } => {
                let mut children = Fleeting::new(semids, stay);
                until_told(|| children.next());
            }
            Command::FleetingLists(semids) => {
                let holds: Vec<_> = semids.into_iter().map(|semid| Hold { semid, by: vec![(0, -1)] }).collect();
                until_told(|| {
                    hold(&holds).expect("the sets are there");
                    // Others are to come first in the sets by then.
                    thread::yield_now();
                    unshare(CloneFlags::CLONE_SYSVSEM).expect("root may");
                });
            }
            Command::FleetingSets => until_told(|| {
                let sets: Vec<_> = (0..100).map(|_| SemSet::create(1, 0o600).expect("it is below SEMMNI")).collect();
                sets.iter().for_each(|set| set.remove().expect("it is our own"));
            }),
            command => reply(perform(command)),
        }
        line.clear();
    }
    process::exit(0);
}

fn start_thread() -> (i32, (Sender<Command>, Receiver<Reply>)) {
    let (tells_tid, told_tid) = channel();
    let (commands, commanded) = channel();
    let (replies, replied) = channel();
    thread::spawn(move || {
        tells_tid.send(gettid().as_raw()).expect("it waits for the number");
        for command in commanded {
            replies.send(perform(command)).expect("it waits for the reply");
        }
    });
    (told_tid.recv().expect("the thread tells its number"), (commands, replied))
}

fn go_on_without_first_thread(threads: Threads) -> ! {
    thread::spawn(|| {
        while !first_thread_has_ended() {
            thread::yield_now();
        }
        reply(Ok(Value::Null));
        serve(threads);
    });
    // SAFETY: it ends this thread alone, whose stack nobody refers to.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!("exit(2) does not return");
}

fn first_thread_has_ended() -> bool {
    let stat = fs::read_to_string(format!("/proc/self/task/{}/stat", process::id())).expect("nobody has waited for it");
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

/// Replies, and repeats until there is another command.
fn until_told(mut round: impl FnMut()) {
    reply(Ok(Value::Null));
    let mut input = libc::pollfd { fd: libc::STDIN_FILENO, events: libc::POLLIN, revents: 0 };
    // SAFETY: `input` is one `pollfd`.
    while unsafe { libc::poll(&mut input, 1, 0) } == 0 {
        round();
    }
}

/// Does what any thread can.
fn perform(command: Command) -> Reply {
    Ok(match command {
        Command::NewIpcNamespace => json!(unshare(CloneFlags::CLONE_NEWIPC)?),
        Command::JoinIpcNamespace(pid) => {
            json!(setns(File::open(format!("/proc/{pid}/ns/ipc"))?, CloneFlags::CLONE_NEWIPC)?)
        }
        Command::Create { count, nsems } => {
            let sets = (0..count).map(|_| SemSet::create(nsems, 0o600).map(|set| set.id()));
            json!(sets.collect::<io::Result<Vec<_>>>()?)
        }
        Command::Hold(holds) => json!(hold(&holds)?),
        Command::SetValue { semid, semaphore, value } => json!(SemSet::from_id(semid).set_value(semaphore, value)?),
        Command::SetValues { semid, values } => json!(SemSet::from_id(semid).set_values(&values)?),
        Command::Remove(semid) => json!(SemSet::from_id(semid).remove()?),
        Command::LeaveList => json!(unshare(CloneFlags::CLONE_SYSVSEM)?),
        Command::Fork { flags, holds } => json!(children::hold(flags, &holds)?),
        Command::GoOnAsChild(flags) => json!(children::go_on(flags)?),
        Command::Exec => return Err(process::Command::new(env::current_exe()?).exec().into()),
        Command::KeepCapabilities(names) => {
            let kept = names.iter().map(|name| name.parse::<Capability>()).collect::<Result<CapsHashSet, _>>()?;
            caps::set(None, CapSet::Effective, &kept)?;
            json!(caps::set(None, CapSet::Permitted, &kept)?)
        }
        Command::BecomeNobody => json!(setuid(Uid::from_raw(65534))?),
        Command::Read => json!(Bpf::load()?.read(&Select::All)?),
        Command::Open(Some(name)) => {
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).expect("the test names a source");
            json!(kind.open()?.name())
        }
        Command::Open(None) => json!(source::open()?.name()),
        Command::Rest => Value::Null,
        Command::Thread
        | Command::On(..)
        | Command::EndFirstThread
        | Command::Toggle(_)
        | Command::FleetingChildren { .. }
        | Command::FleetingLists(_)
        | Command::FleetingSets => unreachable!("`serve` does that"),
    })
}

/// Makes adjustments higher by pairs of operations that leave the values: `semundo_core::plan`.
pub(super) fn hold(holds: &[Hold]) -> io::Result<()> {
    for Hold { semid, by } in holds {
        for some in by.chunks(250) {
            let pairs = some.iter().flat_map(|&(semaphore, by)| match by {
                0.. => [Op::new(semaphore, by), Op::new(semaphore, -by).undo()],
                _ => [Op::new(semaphore, -by).undo(), Op::new(semaphore, by)],
            });
            SemSet::from_id(*semid).op(&pairs.collect::<Vec<_>>())?;
        }
    }
    Ok(())
}
