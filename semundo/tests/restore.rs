//! Restores that fail, and those that others look at.

mod support;

use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{Uid, setresuid};
use semundo::image::{Image, SavedSet};
use semundo::ipc_namespace::IpcNamespace;
use semundo::restore::{self, Error, Wanted};
use semundo::sysv::{Op, SemSet, TempSet};
use semundo::undo_list::of_process;
use semundo::{Adjustments, Select, Source, Task, UndoList, source};
use support::Holder;

fn source() -> Box<dyn Source> {
    source::open().expect("these tests read undo lists")
}

fn list_of(holder: &Holder) -> Vec<Adjustments> {
    let lists = source().read(&Select::Pids(vec![holder.pid()])).unwrap();
    of_process(&lists, holder.pid()).map(|list| list.adjustments.clone()).unwrap_or_default()
}

fn adjustments(set: &SemSet, semadj: &[i16]) -> Adjustments {
    Adjustments { semid: set.id(), semadj: semadj.to_vec() }
}

fn wanted(sets: &[(&SemSet, &[i16])]) -> Wanted {
    Wanted::new(sets.iter().map(|(set, semadj)| (set.id(), semadj.to_vec()))).unwrap()
}

/// What an image says of a set, with one list.
fn image(set: &SemSet, semadj: &[i16], change: fn(&mut SavedSet)) -> Image {
    let ipc_namespace = IpcNamespace::own().unwrap().inode();
    let mut saved = SavedSet::read(ipc_namespace, set.id()).unwrap();
    change(&mut saved);
    let tasks = vec![Task { pid: 7, tid: 7, comm: "x".to_owned() }];
    let adjustments = vec![Adjustments { semid: saved.semid, semadj: semadj.to_vec() }];
    Image::new(vec![saved], vec![UndoList { tasks, ipc_namespace, adjustments }]).unwrap()
}

fn become_nobody() -> bool {
    let nobody = Uid::from_raw(65534);
    setresuid(nobody, nobody, nobody).is_ok()
}

/// The holder may change the first and the third set; that it may not change the second turns out at its first call there.
#[test]
fn a_call_that_fails_takes_back_those_before() {
    let sets: Vec<TempSet> = [0o666, 0o644, 0o666].into_iter().map(|mode| TempSet::create(2, mode).unwrap()).collect();
    sets.iter().for_each(|set| set.set_values(&[4, 0]).unwrap());
    let holder = Holder::after(become_nobody, &[(sets[0].id(), vec![Op::new(0, -1).undo()])]);
    let before = list_of(&holder);
    let all = wanted(&[(&sets[0], &[-7, 9]), (&sets[1], &[1, 0]), (&sets[2], &[0, 1])]);
    let error = restore::into_process(&*source(), holder.pid(), &all).unwrap_err();
    match &error {
        Error::Call { semid, error } => assert_eq!((*semid, error.kind()), (sets[1].id(), ErrorKind::PermissionDenied)),
        other => panic!("{other}"),
    }
    assert!(error.to_string().contains("nothing is changed"), "{error}");
    assert_eq!(before, [adjustments(&sets[0], &[1, 0])]);
    assert_eq!(list_of(&holder), before);
    let values: Vec<_> = sets.iter().map(|set| set.values().unwrap()).collect();
    assert_eq!(values, [[3, 0], [4, 0], [4, 0]]);
    holder.end();
    assert_eq!(sets[0].values().unwrap(), [4, 0]);
}

#[test]
fn sets_that_are_not_named_keep_their_adjustments() {
    let (one, other) = (TempSet::create(1, 0o600).unwrap(), TempSet::create(1, 0o600).unwrap());
    let holder = Holder::new(&[(one.id(), vec![Op::new(0, 5).undo()]), (other.id(), vec![Op::new(0, 6).undo()])]);
    let report = restore::into_process(&*source(), holder.pid(), &wanted(&[(&other, &[-2])])).unwrap();
    assert_eq!((report.changed, report.unchanged), (vec![other.id()], vec![]));
    assert_eq!(list_of(&holder), [adjustments(&one, &[-5]), adjustments(&other, &[-2])]);
    let report = restore::into_process(&*source(), holder.pid(), &wanted(&[(&other, &[-2])])).unwrap();
    assert_eq!((report.changed, report.unchanged, report.calls), (vec![], vec![other.id()], 0));
    holder.end();
    assert_eq!((one.values().unwrap(), other.values().unwrap()), (vec![0], vec![4]));
}

#[test]
fn what_does_not_fit_is_told_all_at_once_and_nothing_changed() {
    let (good, removed) = (TempSet::create(2, 0o600).unwrap(), SemSet::create(1, 0o600).unwrap());
    removed.remove().unwrap();
    let holder = Holder::new(&[]);
    let wrong = wanted(&[(&good, &[1, 2]), (&removed, &[1])]);
    for result in [
        restore::into_process(&*source(), holder.pid(), &wrong),
        restore::preview_process(&*source(), holder.pid(), &wrong),
        restore::into_own(&[], &wrong),
    ] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(&format!("set {}: there is no such set", removed.id())), "{error}");
    }
    let size = wanted(&[(&good, &[1, 2, 3])]);
    let error = restore::into_process(&*source(), holder.pid(), &size).unwrap_err().to_string();
    assert!(error.contains("has 2 semaphores, 3 adjustments"), "{error}");
    assert_eq!(list_of(&holder), []);
}

#[test]
fn another_key_is_another_set_unless_forced() {
    let set = TempSet::create(1, 0o600).unwrap();
    let image = image(&set, &[3], |saved| saved.key = 0x1234);
    let wanted = Wanted::of_image(&image, &image.lists()[0]);
    let holder = Holder::new(&[]);
    let error = restore::into_process(&*source(), holder.pid(), &wanted).unwrap_err().to_string();
    assert!(error.contains("its key is 0x00000000, that of the saved set was 0x00001234"), "{error}");
    assert_eq!(list_of(&holder), []);
    restore::into_process(&*source(), holder.pid(), &wanted.with_any_key()).unwrap();
    assert_eq!(list_of(&holder), [adjustments(&set, &[3])]);
}

#[test]
fn other_values_and_permissions_are_noted() {
    let set = TempSet::create(3, 0o600).unwrap();
    let image = image(&set, &[0, 0, 1], |saved| (saved.mode, saved.values) = (0o644, vec![0, 8, 9]));
    let report = restore::preview_own(&[], &Wanted::of_image(&image, &image.lists()[0])).unwrap();
    let notes = report.notes.join("\n");
    assert!(notes.contains("are 0600 0 0, were 0644 0 0"), "{notes}");
    assert!(notes.contains("semaphore 1 is 0, was 8 when it was saved, and 1 more"), "{notes}");
    assert_eq!((report.changed.len(), report.calls), (1, 1));
}

#[test]
fn a_renamed_set_gets_the_adjustments() {
    let (old, new) = (TempSet::create(1, 0o600).unwrap(), TempSet::create(1, 0o600).unwrap());
    let image = image(&old, &[3], |_| ());
    let renamed = Wanted::of_image(&image, &image.lists()[0]).remap(&[(old.id(), new.id())]).unwrap();
    let holder = Holder::new(&[]);
    restore::into_process(&*source(), holder.pid(), &renamed).unwrap();
    assert_eq!(list_of(&holder), [adjustments(&new, &[3])]);
}

#[test]
fn a_list_that_has_changed_is_not_cleared() {
    let set = TempSet::create(1, 0o600).unwrap();
    let holder = Holder::new(&[(set.id(), vec![Op::new(0, 5).undo()])]);
    let tasks = vec![Task { pid: holder.pid(), tid: holder.pid(), comm: String::new() }];
    let ipc_namespace = IpcNamespace::own().unwrap().inode();
    let saved = UndoList { tasks, ipc_namespace, adjustments: vec![adjustments(&set, &[-4])] };
    assert!(matches!(restore::clear(&*source(), &saved), Err(Error::Changed(pid)) if pid == holder.pid()));
    assert_eq!(list_of(&holder), [adjustments(&set, &[-5])]);
}

#[test]
fn no_process_is_an_error() {
    let wanted = Wanted::default();
    let error = restore::into_process(&*source(), i32::MAX, &wanted).unwrap_err().to_string();
    assert!(error.contains("2147483647"), "{error}");
}

/// A process that waits for a larger value, and one that waits for zero, sleep through restores to and fro; then each gets what it
/// waited for.
#[test]
fn waiters_sleep_on() {
    let set = TempSet::create(2, 0o600).unwrap();
    set.set_values(&[1, 1]).unwrap();
    let id = set.id();
    let waiters =
        [vec![Op::new(0, -2)], vec![Op::new(1, 0)]].map(|ops| thread::spawn(move || SemSet::from_id(id).op(&ops)));
    let deadline = Instant::now() + Duration::from_secs(60);
    while set.waiters(0).unwrap() != (1, 0) || set.waiters(1).unwrap() != (0, 1) {
        assert!(Instant::now() < deadline, "nobody waits");
        thread::yield_now();
    }
    let (holder, source) = (Holder::new(&[]), source());
    let until = Instant::now() + Duration::from_secs(1);
    let mut rounds = 0;
    while Instant::now() < until || rounds < 10 {
        for semadj in [&[20000, -32767], &[-32768, 32767], &[0, 0]] {
            restore::into_process(&*source, holder.pid(), &wanted(&[(&set, semadj)])).unwrap();
        }
        rounds += 1;
        assert_eq!(set.values().unwrap(), [1, 1]);
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()), "woken in round {rounds}");
    }
    // Now the end of the holder does give.
    restore::into_process(&*source, holder.pid(), &wanted(&[(&set, &[1, -1])])).unwrap();
    holder.end();
    for waiter in waiters {
        waiter.join().unwrap().unwrap();
    }
    assert_eq!(set.values().unwrap(), [0, 0]);
}

#[test]
fn a_checkpoint_s_sets_must_have_their_values() {
    let set = TempSet::create(2, 0o600).unwrap();
    set.set_values(&[4, 0]).unwrap();
    let image = image(&set, &[1, 0], |_| ());
    let wanted = || Wanted::of_image(&image, &image.lists()[0]).with_same_values();
    assert!(restore::preview_own(&[], &wanted()).unwrap().notes.is_empty());
    set.set_values(&[4, 1]).unwrap();
    let error = restore::preview_own(&[], &wanted()).unwrap_err().to_string();
    assert!(error.contains(&format!("set {}: semaphore 1 is 1, was 0", set.id())), "{error}");
    let taken = restore::preview_own(&[], &Wanted::of_image(&image, &image.lists()[0])).unwrap();
    assert_eq!(taken.notes.len(), 1, "without that, it is worth a note");
}
