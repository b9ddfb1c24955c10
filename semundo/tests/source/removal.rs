//! Adjustments that the kernel takes away.

use semundo::Adjustments;

use crate::actor::{Actor, Command, Hold};
use crate::{bpf, held};

/// The index of a set in the kernel's table, which is the lower part of its identifier.
fn index(semid: i32) -> i32 {
    semid & 0x7fff
}

#[test]
fn a_removed_set_is_left_out_and_its_place_is_another_sets() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semids = actor.create(3, 2);
    let all = actor.hold(2, semids.iter().map(|semid| Hold { semid: *semid, by: vec![(1, 5)] }).collect());
    assert_eq!(held(&bpf, &actor), all);
    actor.tell(Command::Remove(semids[1]));
    assert_eq!(held(&bpf, &actor), [all[0].clone(), all[2].clone()]);
    // The kernel goes round all places before it takes this one again (ipc/util.c: ipc_idr_alloc).
    let again = loop {
        let semid = actor.create(1, 1)[0];
        if index(semid) == index(semids[1]) {
            break semid;
        }
        actor.tell(Command::Remove(semid));
    };
    assert_ne!(again, semids[1]);
    assert_eq!(held(&bpf, &actor), [all[0].clone(), all[2].clone()]);
    // Another process holds the new set, then the old set's holder does.
    let mut other = actor.start_beside();
    let others = other.hold(1, vec![Hold { semid: again, by: vec![(0, -2)] }]);
    assert_eq!(held(&bpf, &actor), [all[0].clone(), all[2].clone()]);
    assert_eq!(held(&bpf, &other), others);
    let own = actor.hold(1, vec![Hold { semid: again, by: vec![(0, 8)] }]);
    assert_eq!(held(&bpf, &actor), [all[0].clone(), all[2].clone(), own[0].clone()]);
    for semid in [semids[0], semids[2], again] {
        actor.tell(Command::Remove(semid));
    }
    assert_eq!((held(&bpf, &actor), held(&bpf, &other)), (vec![], vec![]));
}

#[test]
fn setting_values_clears_adjustments() {
    let (bpf, mut actor) = (bpf(), Actor::start());
    let semids = actor.create(2, 3);
    let hold = |semid| Hold { semid, by: vec![(0, 4), (2, -4)] };
    let all = actor.hold(3, semids.iter().map(|semid| hold(*semid)).collect());
    let mut other = actor.start_beside();
    assert_eq!(other.hold(3, semids.iter().map(|semid| hold(*semid)).collect()), all);
    actor.tell(Command::SetValue { semid: semids[0], semaphore: 0, value: 9 });
    let left = Adjustments { semid: semids[0], semadj: vec![0, 0, -4] };
    for actor in [&actor, &other] {
        assert_eq!(held(&bpf, actor), [left.clone(), all[1].clone()]);
    }
    actor.tell(Command::SetValues { semid: semids[0], values: vec![1, 2, 3] });
    for actor in [&actor, &other] {
        assert_eq!(held(&bpf, actor), all[1..]);
    }
    actor.tell(Command::SetValue { semid: semids[1], semaphore: 0, value: 0 });
    actor.tell(Command::SetValue { semid: semids[1], semaphore: 2, value: 0 });
    for actor in [&actor, &other] {
        assert_eq!(held(&bpf, actor), []);
    }
}
