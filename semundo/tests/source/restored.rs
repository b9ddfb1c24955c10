//! Restores into processes whose threads do not all have the one list, and into those that share one.

use semundo::restore::{self, Wanted};
use semundo::undo_list::{of_process, of_thread};
use semundo::{Adjustments, Select, Source};

use crate::actor::{Actor, Command, Hold};
use crate::bpf;

fn wanted(semid: i32, adjustment: i16) -> Wanted {
    Wanted::new([(semid, vec![adjustment])]).unwrap()
}

fn on(tid: i32, command: Command) -> Command {
    Command::On(tid, Box::new(command))
}

fn adjustments(pid: i32, tid: Option<i32>) -> Vec<Adjustments> {
    let lists = bpf().read(&Select::Pids(vec![pid])).unwrap();
    let list = tid.map_or_else(|| of_process(&lists, pid), |tid| of_thread(&lists, tid));
    list.map(|list| list.adjustments.clone()).unwrap_or_default()
}

#[test]
fn into_the_list_that_a_later_thread_has() {
    let mut actor = Actor::start();
    let semid = actor.create(1, 1)[0];
    let thread: i32 = actor.get(Command::Thread);
    actor.tell(Command::LeaveList);
    actor.tell(on(thread, Command::Hold(vec![Hold { semid, by: vec![(0, 2)] }])));
    restore::into_process(&bpf(), actor.pid(), &wanted(semid, 5)).unwrap();
    assert_eq!(adjustments(actor.pid(), Some(thread)), [Adjustments { semid, semadj: vec![5] }]);
    assert_eq!(adjustments(actor.pid(), Some(actor.pid())), [], "the first thread still has none");
}

#[test]
fn into_the_list_of_the_thread_that_is_meant() {
    let mut actor = Actor::start();
    let semid = actor.create(1, 1)[0];
    let thread: i32 = actor.get(Command::Thread);
    actor.tell(on(thread, Command::LeaveList));
    let hold = || Command::Hold(vec![Hold { semid, by: vec![(0, 2)] }]);
    actor.tell(hold());
    actor.tell(on(thread, hold()));
    restore::into_thread(&bpf(), actor.pid(), thread, &wanted(semid, -7)).unwrap();
    assert_eq!(adjustments(actor.pid(), Some(thread)), [Adjustments { semid, semadj: vec![-7] }]);
    assert_eq!(adjustments(actor.pid(), None), [Adjustments { semid, semadj: vec![2] }]);
}

#[test]
fn into_a_process_whose_first_thread_has_ended() {
    let mut actor = Actor::start();
    let semid = actor.create(1, 1)[0];
    let _: i32 = actor.get(Command::Thread);
    actor.tell(Command::EndFirstThread);
    restore::into_process(&bpf(), actor.pid(), &wanted(semid, 5)).unwrap();
    assert_eq!(adjustments(actor.pid(), None), [Adjustments { semid, semadj: vec![5] }]);
}

#[test]
fn into_a_list_that_processes_share() {
    let mut actor = Actor::start();
    let semid = actor.create(1, 1)[0];
    let holds = vec![Hold { semid, by: vec![(0, 4)] }];
    let child: i32 = actor.get(Command::Fork { flags: libc::CLONE_SYSVSEM, holds });
    restore::into_process(&bpf(), child, &wanted(semid, -3)).unwrap();
    assert_eq!(adjustments(actor.pid(), None), [Adjustments { semid, semadj: vec![-3] }]);
}
