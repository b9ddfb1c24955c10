//! Other IPC and pid namespaces, and which processes are selected.

use semundo::{Adjustments, Select, Source, UndoList};

use crate::actor::{Actor, Command, Hold};
use crate::{bpf, held};

/// One that holds some of a set that it makes.
fn holder(by: i16) -> (Actor, Vec<Adjustments>) {
    let mut actor = Actor::start();
    let semid = actor.create(1, 1)[0];
    let told = actor.hold(1, vec![Hold { semid, by: vec![(0, by)] }]);
    (actor, told)
}

#[test]
fn same_identifiers_in_other_ipc_namespaces() {
    let bpf = bpf();
    let holders = [holder(1), holder(2), holder(3)];
    assert!(holders.iter().all(|(_, told)| told[0].semid == holders[0].1[0].semid));
    let lists = bpf.read(&Select::All).unwrap();
    assert!(lists.is_sorted_by(|one, other| one.tasks < other.tasks));
    for (actor, told) in &holders {
        let mut of_actor = lists.iter().filter(|list| list.pids() == [actor.pid()]);
        let list = of_actor.next().unwrap();
        assert_eq!((&list.adjustments, list.ipc_namespace), (told, actor.ipc_namespace()));
        assert!(of_actor.next().is_none());
        assert_eq!(&held(&bpf, actor), told);
    }
}

#[test]
fn the_selected_processes_only() {
    let bpf = bpf();
    let (one, other, third, without) = (holder(1).0, holder(2).0, holder(3).0, Actor::start());
    let read = |pids: &[i32]| {
        let lists = bpf.read(&Select::Pids(pids.to_vec())).unwrap();
        lists.iter().flat_map(UndoList::pids).collect::<Vec<_>>()
    };
    assert!(read(&[]).is_empty() && read(&[without.pid()]).is_empty());
    assert_eq!(read(&[other.pid()]), [other.pid()]);
    let mut both = vec![third.pid(), one.pid()];
    let found = read(&[&both[..], &[without.pid()]].concat());
    both.sort_unstable();
    assert_eq!(found, both);
}

#[test]
fn a_process_that_leaves_its_ipc_namespace_leaves_its_list() {
    let (bpf, (mut actor, told)) = (bpf(), holder(4));
    assert_eq!(held(&bpf, &actor), told);
    actor.tell(Command::NewIpcNamespace);
    assert_eq!(held(&bpf, &actor), []);
}

#[test]
fn the_readers_numbers_for_processes_of_another_pid_namespace() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semid = actor.create(1, 1)[0];
    let outside = actor.pid();
    actor.hold(1, vec![Hold { semid, by: vec![(0, 1)] }]);
    actor.go_on_as_child(libc::CLONE_NEWPID);
    let told = actor.hold(1, vec![Hold { semid, by: vec![(0, 2)] }]);
    let child: i32 = actor.get(Command::Fork { flags: 0, holds: vec![Hold { semid, by: vec![(0, 3)] }] });
    assert_eq!(child, 2);
    assert_eq!(held(&bpf, &actor), told);
    let namespace = actor.ipc_namespace();
    let tasks = |lists: Vec<UndoList>| {
        let lists = lists.into_iter().filter(|list| list.ipc_namespace == namespace);
        let mut tasks: Vec<_> =
            lists.map(|list| (list.adjustments[0].semadj[0], list.pids(), list.tasks.len())).collect();
        tasks.sort_unstable();
        tasks
    };
    let from_outside = tasks(bpf.read(&Select::All).unwrap());
    assert_eq!(from_outside[..2], [(1, vec![outside], 1), (2, vec![actor.pid()], 1)]);
    assert!(from_outside.len() == 3 && from_outside[2].1[0] > 2, "{from_outside:?}");
    let read = actor.get(Command::Read);
    assert_eq!(tasks(read), [(2, vec![1], 1), (3, vec![2], 1)], "what is outside is not seen");
}
