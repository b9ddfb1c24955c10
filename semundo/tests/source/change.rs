//! Reading while what is read changes.

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use semundo::source::Error;
use semundo::{Adjustments, Select, Source};

use crate::actor::{Actor, Command, Hold};
use crate::{bpf, held, rounds};

#[test]
fn a_process_that_goes_on_using_its_sets() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semids = actor.create(200, 2);
    let holds = semids.iter().map(|semid| Hold { semid: *semid, by: vec![(0, (semid % 1000) as i16 + 1)] });
    let told = actor.hold(2, holds.collect());
    // Each use moves an entry to the front of the process's list.
    actor.tell(Command::Toggle(semids));
    rounds(|| {
        let mut held = held(&bpf, &actor);
        for Adjustments { semadj, .. } in &mut held {
            assert!([0, -1].contains(&semadj[1]), "{semadj:?}");
            semadj[1] = 0;
        }
        assert_eq!(held, told);
    });
}

#[test]
fn processes_and_sets_come_and_go_beside_those_that_stay() {
    let bpf = bpf();
    let mut stays = [Actor::start(), Actor::spawn(), Actor::spawn()];
    let first = stays[0].pid();
    for later in &mut stays[1..] {
        later.tell(Command::JoinIpcNamespace(first));
    }
    let semids = stays[0].create(9, 1);
    let told = stays.each_mut().map(|actor| {
        let hold = |semid: &i32| Hold { semid: *semid, by: vec![(0, 100 + *semid as i16)] };
        actor.hold(1, semids.iter().map(hold).collect())
    });
    let mut changing: Vec<_> = (0..3).map(|_| stays[0].start_beside()).collect();
    changing[0].tell(Command::Fleeting(semids.clone()));
    changing[1].tell(Command::Fleeting(semids.clone()));
    changing[2].tell(Command::FleetingSets);
    let (namespace, mut fleeting) = (stays[0].ipc_namespace(), 0);
    rounds(|| {
        let mut lists = bpf.read(&Select::All).unwrap();
        lists.retain(|list| list.ipc_namespace == namespace);
        for (actor, told) in stays.iter().zip(&told) {
            let place = lists.iter().position(|list| list.pids() == [actor.pid()]);
            let list = lists.swap_remove(place.expect("who stays is found"));
            assert_eq!((list.tasks.len(), &list.adjustments), (1, told));
        }
        for list in lists {
            let index = list.tasks[0].pid as usize % semids.len();
            let took = Adjustments { semid: semids[index], semadj: vec![index as i16 + 1] };
            assert_eq!((list.tasks.len(), &list.adjustments), (1, &vec![took]), "{:?}", list.tasks);
            fleeting += 1;
        }
    });
    assert!(fleeting > 0, "none of those that come and go was seen");
    changing.iter_mut().for_each(|actor| actor.tell(Command::Rest));
    changing.into_iter().for_each(Actor::exit);
    let mut lists = bpf.read(&Select::All).unwrap();
    lists.retain(|list| list.ipc_namespace == namespace);
    assert_eq!(lists.len(), stays.len(), "what came has gone");
}

#[test]
fn a_process_that_has_ended() {
    let (bpf, mut ends, mut stays) = (bpf(), Actor::start(), Actor::start());
    for actor in [&mut ends, &mut stays] {
        let semid = actor.create(1, 1)[0];
        let told = actor.hold(1, vec![Hold { semid, by: vec![(0, 1)] }]);
        assert_eq!(held(&bpf, actor), told);
    }
    let pid = ends.pid();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    waitid(Id::Pid(Pid::from_raw(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
    assert_eq!(held(&bpf, &ends), [], "a process that is not waited for is still there, without a list");
    drop(ends);
    let gone = bpf.read(&Select::Pids(vec![stays.pid(), pid])).unwrap_err();
    assert!(matches!(gone, Error::NoProcess(number) if number == pid), "{gone}");
}
