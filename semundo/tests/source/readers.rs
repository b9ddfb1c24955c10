//! Several readers at once.

use std::thread;

use semundo::{Select, Source, UndoList};

use crate::actor::{Actor, Command, Hold};
use crate::{bpf, held, rounds};

#[test]
fn threads_with_one_source_and_with_two_and_another_process() {
    let (one, two) = (bpf(), bpf());
    let mut actors = [Actor::start(), Actor::start()];
    let told = actors.each_mut().map(|actor| {
        let semids = actor.create(50, 3);
        let hold = |(number, semid): (usize, &i32)| Hold { semid: *semid, by: vec![(2, number as i16 - 100)] };
        actor.hold(3, semids.iter().enumerate().map(hold).collect())
    });
    thread::scope(|scope| {
        for bpf in [&one, &one, &two] {
            for (actor, told) in actors.iter().zip(&told) {
                scope.spawn(move || rounds(|| assert_eq!(&held(bpf, actor), told)));
            }
        }
    });
    let mut reader = Actor::spawn();
    thread::scope(|scope| {
        scope.spawn(|| rounds(|| assert_eq!(held(&one, &actors[0]), told[0])));
        for _ in 0..3 {
            let lists: Vec<UndoList> = reader.get(Command::Read);
            for (actor, told) in actors.iter().zip(&told) {
                let list = lists.iter().find(|list| list.pids() == [actor.pid()]).unwrap();
                assert_eq!(&list.adjustments, told);
            }
        }
    });
    assert_eq!(two.read(&Select::Pids(vec![reader.pid()])).unwrap(), []);
}
