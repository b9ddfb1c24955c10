//! Where a source cannot be had: what it says would help.

use std::path::Path;

use semundo::proc;

use crate::actor::{Actor, Command, Hold};

/// What a source says to one that has only some capabilities.
fn with_capabilities(names: &[&str]) -> Result<String, String> {
    let mut actor = Actor::spawn();
    actor.tell(Command::KeepCapabilities(names.iter().map(ToString::to_string).collect()));
    actor.ask(Command::Open(Some("bpf".to_owned())))
}

#[test]
fn the_missing_capabilities_are_named() {
    let refused = |names: &[&str]| with_capabilities(names).unwrap_err();
    let message = refused(&[]);
    assert!(message.contains("lacks CAP_BPF and CAP_PERFMON: run it as root"), "{message}");
    let message = refused(&["CAP_BPF", "CAP_NET_ADMIN"]);
    assert!(message.contains("lacks CAP_PERFMON:"), "{message}");
    let message = refused(&["CAP_PERFMON"]);
    assert!(message.contains("lacks CAP_BPF:"), "{message}");
}

#[test]
fn another_user_than_root_is_told() {
    let mut actor = Actor::spawn();
    actor.tell(Command::BecomeNobody);
    let message = actor.ask::<()>(Command::Read).unwrap_err();
    assert!(message.contains("lacks CAP_BPF and CAP_PERFMON"), "{message}");
    if !Path::new(proc::TABLE).exists() && !Path::new("/proc/self/semundo").exists() {
        let message = actor.ask::<()>(Command::Open(None)).unwrap_err();
        let named = ["in-tree: ", "CONFIG_PROC_SEMUNDO", "module: ", "modprobe semundo", "bpf: ", "CAP_BPF"];
        assert!(named.iter().all(|part| message.contains(part)), "{message}");
    }
}

#[test]
fn the_two_capabilities_are_enough() {
    let mut holder = Actor::start();
    let semid = holder.create(1, 1)[0];
    let told = holder.hold(1, vec![Hold { semid, by: vec![(0, 1)] }]);
    let mut reader = Actor::spawn();
    reader.tell(Command::KeepCapabilities(vec!["CAP_BPF".to_owned(), "CAP_PERFMON".to_owned()]));
    let lists: Vec<semundo::UndoList> = reader.get(Command::Read);
    let list = lists.iter().find(|list| list.pids() == [holder.pid()]).unwrap();
    assert_eq!(list.adjustments, told);
}

#[test]
fn the_root_of_a_user_namespace_is_told() {
    let mut actor = Actor::spawn();
    actor.go_on_as_child(libc::CLONE_NEWUSER);
    let message = actor.ask::<()>(Command::Read).unwrap_err();
    assert!(message.contains("initial user namespace"), "{message}");
}

#[test]
fn a_kernel_without_the_files_is_told() {
    let mut actor = Actor::spawn();
    for (name, file, help) in
        [("in-tree", "/proc/self/semundo", "CONFIG_PROC_SEMUNDO"), ("module", proc::TABLE, "modprobe semundo")]
    {
        match actor.ask::<String>(Command::Open(Some(name.to_owned()))) {
            Ok(opened) => assert!(opened == name && Path::new(file).exists()),
            Err(message) => assert!(message.contains(help) && !Path::new(file).exists(), "{message}"),
        }
    }
}
