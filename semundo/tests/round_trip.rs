//! Saved, taken out, killed, restored elsewhere, ended: every semaphore ends where it would have without the detour.

mod support;

use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use semundo::image::Image;
use semundo::restore::{self, Wanted};
use semundo::{Select, Source, save, source, undo_list};
use support::{Holder, Semaphore, each, held, value_after, values};

/// Where the list goes on.
#[derive(Clone, Copy, Debug)]
enum Into {
    /// A process that runs.
    Running,
    /// A process that the command becomes.
    Command,
}

fn source() -> Box<dyn Source> {
    source::open().expect("these tests read undo lists")
}

/// Values and adjustments at the edges, and any.
fn semaphore() -> impl Strategy<Value = Semaphore> {
    let value = prop_oneof![Just(0), Just(32767), Just(1), 0..=32767_u16];
    let adjustment = prop_oneof![Just(0), Just(32767), Just(-32767), Just(-32768), -3..=3_i16, any::<i16>()];
    (value, adjustment)
}

fn detour(source: &dyn Source, sets: &[Vec<Semaphore>], into: Into) {
    let (made, holder) = held(sets);
    let before = each(sets, |(value, _)| value);
    assert_eq!(values(&made), before, "made");

    let mut bytes = Vec::new();
    save::save(source, &Select::Pids(vec![holder.pid()])).unwrap().write(&mut bytes).unwrap();
    let image = Image::parse(&bytes).unwrap();
    let Some(list) = image.lists().first() else {
        assert!(sets.iter().flatten().all(|(_, adjustment)| *adjustment == 0));
        return;
    };
    let report = restore::clear(source, list).unwrap();
    assert_eq!(report.changed.len(), list.adjustments.len());
    assert_eq!(source.read(&Select::Pids(vec![holder.pid()])).unwrap(), [], "cleared");
    holder.kill();
    assert_eq!(values(&made), before, "a cleared process gives nothing back");

    match into {
        Into::Running => {
            let other = Holder::new(&[]);
            restore::into_process(source, other.pid(), &Wanted::of_image(&image, list)).unwrap();
            let lists = source.read(&Select::Pids(vec![other.pid()])).unwrap();
            let restored = undo_list::of_process(&lists, other.pid()).unwrap();
            assert_eq!((&restored.adjustments, values(&made)), (&list.adjustments, before));
            other.end();
        }
        Into::Command => {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), &bytes).unwrap();
            let semundo = env!("CARGO_BIN_EXE_semundo");
            let mut command = Command::new(semundo);
            command.args([
                "restore".as_ref(),
                file.path().as_os_str(),
                "--".as_ref(),
                semundo.as_ref(),
                "show".as_ref(),
            ]);
            let output = command.output().unwrap();
            let message = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{message}");
            let text: String = list
                .adjustments
                .iter()
                .map(|set| {
                    let semadj: Vec<_> = set.semadj.iter().map(ToString::to_string).collect();
                    format!("{} {}\n", set.semid, semadj.join(" "))
                })
                .collect();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }
    assert_eq!(values(&made), each(sets, value_after), "the end");
}

#[test]
fn any_list() {
    let source = source();
    let sets = prop::collection::vec(prop::collection::vec(semaphore(), 1..300), 1..6);
    let into = prop_oneof![3 => Just(Into::Running), 1 => Just(Into::Command)];
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let ended = TestRunner::new(config).run(&(sets, into), |(sets, into)| {
        detour(&*source, &sets, into);
        Ok(())
    });
    ended.unwrap();
}

/// All edges of value and adjustment in one set.
#[test]
fn the_edges() {
    let edges: Vec<Semaphore> = [0, 1, 2, 16383, 16384, 32766, 32767]
        .into_iter()
        .flat_map(|value| {
            [0, 1, -1, 2, 16384, -16385, 32766, 32767, -32767, -32768].map(|adjustment| (value, adjustment))
        })
        .collect();
    for into in [Into::Running, Into::Command] {
        detour(&*source(), std::slice::from_ref(&edges), into);
    }
}

#[test]
fn a_set_of_32000_semaphores() {
    let set: Vec<Semaphore> = (0..32_000).map(|n| ((n % 7) * 5461, (n as i16).wrapping_mul(31))).collect();
    for into in [Into::Running, Into::Command] {
        detour(&*source(), std::slice::from_ref(&set), into);
    }
}

#[test]
fn ten_thousand_sets() {
    let sets: Vec<_> = (0..10_000).map(|n| vec![(n % 5, if n % 2 == 0 { 3 } else { -2 })]).collect();
    for into in [Into::Running, Into::Command] {
        detour(&*source(), &sets, into);
    }
}
