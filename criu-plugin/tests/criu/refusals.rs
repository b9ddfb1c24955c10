//! What cannot be kept is not lost silently: the dump or the restore fails, says why, and changes nothing.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use nix::sched::{CloneFlags, setns};
use semundo::sysv::SemSet;

use crate::criu::{self, Plugin};
use crate::detours::oracle;
use crate::end::End;
use crate::programs::Program;
use crate::refused::Refused;
use crate::running::{Running, all_have_ended};
use crate::test;
use crate::work::Work;

/// All tests of this file.
pub fn tests() -> Vec<Trial> {
    vec![
        test("refused::host_namespace", host_namespace),
        test("refused::namespace_of_others", namespace_of_others),
        test("refused::shared_list", shared_list),
        test("refused::flipped_byte", flipped_byte),
        test("refused::cut_image", cut_image),
        test("refused::no_image", no_image),
        test("refused::other_sets", other_sets),
        test("nothing_to_undo", nothing_to_undo),
        test("refused::no_plugin", no_plugin),
        test("nothing_to_undo_any_more", nothing_to_undo_any_more),
    ]
}

/// A dump that must fail, for this reason, and leave the program as it is.
fn dump_fails(running: &Running, work: &Work, why: &str) {
    let refused = criu::dump(running, work, Plugin::With, &[]).expect_err("what cannot be kept is refused");
    assert!(refused.says(why), "no word of {why:?}: {refused}");
    assert_eq!(work.names("images", "semundo"), [""; 0], "a failed dump leaves no image");
    (running.program.resumed)(running);
}

/// A process in CRIU's own IPC namespace: the kill after the dump would apply what a restore then keeps.
fn host_namespace() {
    let work = Work::new();
    let running = Running::start(Program::named("host-namespace"), &work);
    dump_fails(&running, &work, "the IPC namespace that CRIU itself is in");
    let sets = sets();
    let values = || sets.iter().map(|set| set.values().unwrap()).collect::<Vec<_>>();
    let before = values();
    running.end(&work);
    let after = values();
    sets.iter().for_each(|set| set.remove().unwrap());
    assert_eq!((before, after), (vec![vec![3, 5, 8], vec![1]], vec![vec![5, 5, 5], vec![2]]));
}

/// The sets of our own namespace.
fn sets() -> Vec<SemSet> {
    let table = fs::read_to_string("/proc/sysvipc/sem").unwrap();
    let ids = table.lines().skip(1).map(|line| line.split_whitespace().nth(1).unwrap().parse().unwrap());
    ids.map(SemSet::from_id).collect()
}

/// A process in the namespace that is not checkpointed: the namespace outlives the kill.
fn namespace_of_others() {
    let program = Program::named("one");
    let work = Work::new();
    let running = Running::start(program, &work);
    let namespace = fs::File::open(format!("/proc/{}/ns/ipc", running.pid)).unwrap();
    let mut other = Command::new("busybox");
    other.args(["sleep", "3600"]).stdin(Stdio::null());
    // SAFETY: one system call, and nothing is allocated.
    unsafe { other.pre_exec(move || Ok(setns(&namespace, CloneFlags::CLONE_NEWIPC)?)) };
    let mut other = other.spawn().unwrap();
    dump_fails(&running, &work, &format!("in which process {} (", other.id()));
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(running.end(&work), oracle(program));
}

/// A list that two processes share, which CRIU does not make again.
fn shared_list() {
    let program = Program::named("sharing");
    let work = Work::new();
    let running = Running::start(program, &work);
    dump_fails(&running, &work, "share");
    assert_eq!(running.end(&work), oracle(program));
}

/// A program's images, and the end that it should come to.
struct Dumped {
    work: Work,
    program: &'static Program,
    wanted: End,
}

impl Dumped {
    fn new(name: &str) -> Self {
        let (program, work) = (Program::named(name), Work::new());
        let wanted = oracle(program);
        let running = Running::start(program, &work);
        criu::dump(&running, &work, Plugin::With, &[]).unwrap_or_else(|refused| panic!("{refused}"));
        running.was_killed();
        assert!(!work.names("images", "semundo-").is_empty(), "the plugin wrote no image");
        Self { work, program, wanted }
    }

    /// A restore that must fail, after which nothing runs.
    fn fails(&self, what: &str) -> Refused {
        let restored = criu::restore(self.program, &self.work, Plugin::With, &[]);
        let Err(refused) = restored else { panic!("restored: {what}") };
        all_have_ended();
        refused
    }

    /// The restore of the images as they are now.
    fn works(&self) {
        let restored = criu::restore(self.program, &self.work, Plugin::With, &[]);
        let restored = restored.unwrap_or_else(|refused| panic!("{refused}"));
        assert_eq!(restored.end(&self.work), self.wanted);
    }
}

/// Any byte of an image that is not as it was written.
fn flipped_byte() {
    let dumped = Dumped::new("several");
    for name in dumped.work.names("images", "semundo-") {
        let path = dumped.work.dir("images").join(&name);
        let whole = fs::read(&path).unwrap();
        for quarter in 0..=4 {
            let at = (whole.len() - 1) * quarter / 4;
            let mut image = whole.clone();
            image[at] ^= 0x01;
            fs::write(&path, image).unwrap();
            let refused = dumped.fails(&format!("byte {at} of {name} is flipped"));
            assert!(refused.says(&name), "no word of {name}: {refused}");
        }
        fs::write(&path, whole).unwrap();
    }
    dumped.works();
}

/// An image that ends too early.
fn cut_image() {
    let dumped = Dumped::new("one");
    let name = dumped.work.names("images", "semundo-").pop().unwrap();
    let path = dumped.work.dir("images").join(&name);
    let whole = fs::read(&path).unwrap();
    for length in [0, whole.len() / 2, whole.len() - 2] {
        fs::write(&path, &whole[..length]).unwrap();
        let refused = dumped.fails(&format!("{name} has only {length} bytes"));
        assert!(refused.says(&name), "no word of {name}: {refused}");
    }
    fs::write(&path, whole).unwrap();
    dumped.works();
}

/// An image that is missing.
fn no_image() {
    let dumped = Dumped::new("several");
    for name in dumped.work.names("images", "semundo-") {
        let path = dumped.work.dir("images").join(&name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let refused = dumped.fails(&format!("{name} is missing"));
        assert!(refused.log.contains(&*name), "no word of {name}: {refused}");
        fs::write(&path, whole).unwrap();
    }
    dumped.works();
}

/// Semaphore sets that are not those of the dump: one is gone, and one is of another size.
fn other_sets() {
    let dumped = Dumped::new("one");
    let other = Work::new();
    let running = Running::start(Program::named("other-set"), &other);
    criu::dump(&running, &other, Plugin::Without, &[]).unwrap_or_else(|refused| panic!("{refused}"));
    running.was_killed();
    let [ours, theirs] = [&dumped.work, &other].map(|work| {
        let name = work.names("images", "ipcns-sem-").pop().expect("CRIU writes the sets");
        work.dir("images").join(name)
    });
    let whole = fs::read(&ours).unwrap();
    fs::copy(theirs, &ours).unwrap();
    let refused = dumped.fails("the sets are not those of the dump");
    assert!(refused.says("set"), "no word of the set: {refused}");
    fs::write(&ours, whole).unwrap();
    dumped.works();
}

/// What was checkpointed with the plugin is not restored without it.
fn no_plugin() {
    let dumped = Dumped::new("one");
    let none = dumped.work.dir("no-plugins");
    let refused = criu::restore_with(dumped.program, &dumped.work, Some(&none), &[]).err().expect("it is refused");
    all_have_ended();
    assert!(refused.log.contains("semundo"), "no word of the plugin: {refused}");
    dumped.works();
}

/// A checkpoint of a program with no undo list is what it is without the plugin.
fn nothing_to_undo() {
    let program = Program::named("nothing");
    let work = Work::new();
    let running = Running::start(program, &work);
    criu::dump(&running, &work, Plugin::With, &[]).unwrap_or_else(|refused| panic!("{refused}"));
    running.was_killed();
    assert_eq!(work.names("images", "semundo"), [""; 0]);
    let none = work.dir("no-plugins");
    let restored = criu::restore_with(program, &work, Some(&none), &[]);
    let restored = restored.unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(restored.end(&work), oracle(program));
}

/// An image of an earlier dump does not stay in the directory of a later one.
fn nothing_to_undo_any_more() {
    let program = Program::named("one");
    let work = Work::new();
    let running = Running::start(program, &work);
    let dump = || criu::dump(&running, &work, Plugin::With, &["--leave-running"]);
    dump().unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(work.names("images", "semundo-").len(), 1);
    // SETVAL and SETALL take all adjustments of a set away.
    let sets = [(0, vec![3, 5, 8]), (1, vec![1])];
    running.in_namespace(|| sets.iter().for_each(|(id, values)| SemSet::from_id(*id).set_values(values).unwrap()));
    dump().unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(work.names("images", "semundo-"), [""; 0]);
    let values = |end: End| end.values;
    assert_eq!(values(running.end(&work)), [vec![3, 5, 8], vec![1]]);
    let restored = criu::restore(program, &work, Plugin::With, &[]).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(values(restored.end(&work)), [vec![3, 5, 8], vec![1]]);
}
