//! Reading while what is read changes.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use semundo::source::{Error, bpf::Bpf};
use semundo::{Adjustments, Select, Source, UndoList};

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
fn sets_whose_other_entries_come_and_go() {
    let (bpf, mut stays) = (bpf(), Actor::start());
    let semids = stays.create(2, 8000);
    let told = stays.hold(8000, semids.iter().map(|semid| Hold { semid: *semid, by: vec![(0, 7)] }).collect());
    let mut changing = [stays.start_beside(), stays.start_beside(), stays.start_beside()];
    // A set's newest entries come first. While one of so many adjustments is told, the next may go, from where the others are found.
    changing.iter_mut().for_each(|actor| actor.tell(Command::FleetingLists(semids.clone())));
    let namespace = stays.ipc_namespace();
    rounds(|| {
        let lists = lists_in(&bpf, namespace);
        let list = lists.iter().find(|list| list.pids() == [stays.pid()]).expect("who stays is found");
        assert!(list.adjustments == told, "{} of {} entries", list.adjustments.len(), told.len());
    });
}

/// Whether a list is what a fleeting process has, and nothing that another one had at the same address.
fn is_fleeting(list: &UndoList, semids: &[i32]) -> bool {
    let index = list.tasks[0].pid as usize % semids.len();
    list.tasks.len() == 1 && list.adjustments == [Adjustments { semid: semids[index], semadj: vec![-1 - index as i16] }]
}

/// How long a process must stay to be there in some whole readings.
fn longer_than_a_reading(bpf: &Bpf) -> Duration {
    let reading = |_| {
        let began = Instant::now();
        bpf.read(&Select::All).unwrap();
        began.elapsed()
    };
    (0..5).map(reading).min().unwrap() * 6
}

/// The lists of one IPC namespace.
fn lists_in(bpf: &Bpf, ipc_namespace: u64) -> Vec<UndoList> {
    let mut lists = bpf.read(&Select::All).unwrap();
    lists.retain(|list| list.ipc_namespace == ipc_namespace);
    lists
}

#[test]
fn processes_and_sets_come_and_go_beside_those_that_stay() {
    let (bpf, first) = (bpf(), Actor::start());
    let mut stays = [first.start_beside(), first.start_beside(), first];
    let semids = stays[0].create(9, 1);
    let told = stays.each_mut().map(|actor| {
        let hold = |semid: &i32| Hold { semid: *semid, by: vec![(0, 100 + *semid as i16)] };
        actor.hold(1, semids.iter().map(hold).collect())
    });
    // Its many sets are read after those above, and before the processes below are told.
    let mut between = Actor::start();
    let many = between.create(3000, 1);
    between.hold(1, many.iter().map(|semid| Hold { semid: *semid, by: vec![(0, 1)] }).collect());
    let mut changing = [stays[0].start_beside(), stays[0].start_beside()];
    let stay = longer_than_a_reading(&bpf);
    changing[0].tell(Command::FleetingChildren { semids: semids.clone(), stay });
    changing[1].tell(Command::FleetingSets);
    let (namespace, mut fleeting) = (stays[0].ipc_namespace(), 0);
    rounds(|| {
        let mut lists = lists_in(&bpf, namespace);
        for (actor, told) in stays.iter().zip(&told) {
            let place = lists.iter().position(|list| list.pids() == [actor.pid()]);
            let list = lists.swap_remove(place.expect("who stays is found"));
            assert_eq!((list.tasks.len(), &list.adjustments), (1, told));
        }
        for list in lists {
            assert!(is_fleeting(&list, &semids), "{list:?}");
            fleeting += 1;
        }
    });
    assert!(fleeting > 0, "none of those that come and go was seen");
    changing.iter_mut().for_each(|actor| actor.tell(Command::Rest));
    changing.into_iter().for_each(Actor::exit);
    assert_eq!(lists_in(&bpf, namespace).len(), stays.len(), "what came has gone");
}

#[test]
fn processes_come_and_go_where_none_stays() {
    let (bpf, mut slow, mut quick) = (bpf(), Actor::start(), Actor::start());
    // It takes a while to come to the last sets, in which the process that is looked at, and any that was before, may end.
    let sets = [slow.create(8000, 1).split_off(7991), quick.create(9, 1)];
    slow.hold(1, vec![Hold { semid: sets[0][0], by: vec![(0, -1)] }]);
    let stay = longer_than_a_reading(&bpf);
    slow.tell(Command::LeaveList);
    let mut fleeting = [0, 0];
    for (actor, semids) in [&mut slow, &mut quick].into_iter().zip(&sets) {
        actor.tell(Command::FleetingChildren { semids: semids.clone(), stay });
    }
    rounds(|| {
        for (place, actor) in [&slow, &quick].into_iter().enumerate() {
            for list in lists_in(&bpf, actor.ipc_namespace()) {
                assert!(is_fleeting(&list, &sets[place]), "{list:?}");
                fleeting[place] += 1;
            }
        }
    });
    assert!(!fleeting.contains(&0), "none of those that come and go was seen: {fleeting:?}");
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
