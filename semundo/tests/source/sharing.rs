//! Who shares a list: threads, processes, and what is left of them.

use semundo::{Select, Source, processes};

use crate::actor::{Actor, Command, Hold};
use crate::{bpf, held, lists, tids};

fn one(semid: i32, by: i16) -> Hold {
    Hold { semid, by: vec![(0, by)] }
}

fn on(tid: i32, command: Command) -> Command {
    Command::On(tid, Box::new(command))
}

#[test]
fn threads_share_a_list_and_have_names() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semid = actor.create(1, 1)[0];
    let told = actor.hold(1, vec![one(semid, 3)]);
    let (pid, mut all) = (actor.pid(), vec![actor.pid()]);
    for _ in 0..3 {
        all.push(actor.get(Command::Thread));
    }
    all.sort_unstable();
    let lists = lists(&bpf, &actor);
    assert_eq!(lists.len(), 1);
    assert_eq!((tids(&lists[0]), lists[0].pids()), (all, vec![pid]));
    assert_eq!((&lists[0].adjustments, lists[0].ipc_namespace), (&told, actor.ipc_namespace()));
    for task in &lists[0].tasks {
        assert_eq!((task.pid, Some(&task.comm)), (pid, processes::comm(task.tid).as_ref()));
    }
}

#[test]
fn a_thread_that_left_has_its_own() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semids = actor.create(2, 1);
    let shared = actor.hold(1, vec![one(semids[0], 3), one(semids[1], 4)]);
    let (stays, leaves): (i32, i32) = (actor.get(Command::Thread), actor.get(Command::Thread));
    actor.tell(on(leaves, Command::LeaveList));
    assert_eq!(lists(&bpf, &actor).len(), 1, "its own is empty");
    let own = vec![one(semids[1], -7)];
    actor.tell(on(leaves, Command::Hold(own.clone())));
    let mut lists = lists(&bpf, &actor);
    assert_eq!(lists.len(), 2);
    lists.sort_unstable_by_key(|list| tids(list).contains(&leaves));
    let mut staying = vec![actor.pid(), stays];
    staying.sort_unstable();
    assert_eq!((tids(&lists[0]), &lists[0].adjustments), (staying, &shared));
    assert_eq!((tids(&lists[1]), lists[1].adjustments[0].clone()), (vec![leaves], own[0].told(1)));
}

#[test]
fn the_first_thread_left() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semid = actor.create(1, 1)[0];
    let thread: i32 = actor.get(Command::Thread);
    actor.tell(Command::LeaveList);
    let hold = one(semid, 2);
    actor.tell(on(thread, Command::Hold(vec![hold.clone()])));
    let lists = lists(&bpf, &actor);
    assert_eq!((lists.len(), tids(&lists[0]), lists[0].pids()), (1, vec![thread], vec![actor.pid()]));
    assert_eq!(lists[0].adjustments, [hold.told(1)]);
}

#[test]
fn a_process_whose_first_thread_has_ended() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semid = actor.create(1, 1)[0];
    let told = actor.hold(1, vec![one(semid, 9)]);
    let thread: i32 = actor.get(Command::Thread);
    actor.tell(Command::EndFirstThread);
    let lists = lists(&bpf, &actor);
    assert_eq!((lists.len(), lists[0].pids(), &lists[0].adjustments), (1, vec![actor.pid()], &told));
    assert!(tids(&lists[0]).contains(&thread) && !tids(&lists[0]).contains(&actor.pid()));
}

#[test]
fn processes_share_a_list() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semids = actor.create(2, 1);
    let mut told = actor.hold(1, vec![one(semids[0], 3)]);
    let holds = vec![one(semids[1], 4)];
    let child: i32 = actor.get(Command::Fork { flags: libc::CLONE_SYSVSEM, holds: holds.clone() });
    told.push(holds[0].told(1));
    let found = lists(&bpf, &actor);
    let mut pids = vec![actor.pid(), child];
    pids.sort_unstable();
    assert_eq!((found.len(), found[0].pids(), &found[0].adjustments), (1, pids, &told));
    assert_eq!(bpf.read(&Select::Pids(vec![child])).unwrap(), found, "it is whole whichever of them is selected");
}

#[test]
fn a_forked_child_has_no_part() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semids = actor.create(2, 1);
    let told = actor.hold(1, vec![one(semids[0], 3)]);
    let child: i32 = actor.get(Command::Fork { flags: 0, holds: vec![one(semids[1], 4)] });
    let lists = lists(&bpf, &actor);
    assert_eq!((lists.len(), lists[0].pids(), &lists[0].adjustments), (1, vec![actor.pid()], &told));
    assert_ne!(child, actor.pid());
}

#[test]
fn a_list_outlives_the_program() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semid = actor.create(1, 1)[0];
    let told = actor.hold(1, vec![one(semid, 6)]);
    actor.tell(Command::Exec);
    assert_eq!(held(&bpf, &actor), told);
}
