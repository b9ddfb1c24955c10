//! The command as a shell runs it, as root, where the module is not loaded.

mod support;

use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use semundo::ipc_namespace::IpcNamespace;
use semundo::processes;
use semundo::sysv::{Op, TempSet};
use support::Holder;

fn semundo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_semundo")).args(arguments).output().unwrap()
}

#[test]
fn version_and_help() {
    let version = semundo(&["--version"]);
    assert_eq!(String::from_utf8(version.stdout).unwrap(), format!("semundo {}\n", env!("CARGO_PKG_VERSION")));
    let help = semundo(&["--help"]);
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("SEM_UNDO"));
}

#[test]
fn wrong_use_is_status_2() {
    for arguments in [
        &[][..],
        &["list"],
        &["show", "x"],
        &["show", "0"],
        &["completions", "cmd"],
        &["save"],
        &["save", "1", "--tree", "1"],
        &["save", "1", "--clear"],
        &["restore", "x"],
        &["restore", "x", "--pid", "1", "--", "true"],
        &["restore", "x", "--remap", "1", "--", "true"],
        &["show", "--thread", "1"],
        &["ls", "--all", "1"],
    ] {
        assert_eq!(semundo(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn completions_for_every_shell_and_a_manual_page() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = semundo(&["completions", shell]);
        assert!(output.status.success() && output.stdout.windows(7).any(|part| part == b"semundo"), "{shell}");
    }
    let page = String::from_utf8(semundo(&["man"]).stdout).unwrap();
    assert!(page.contains(".TH semundo 1") && page.contains("SEM_UNDO") && page.contains("Exit status: 0"), "{page}");
    let page = String::from_utf8(semundo(&["man", "restore"]).stdout).unwrap();
    assert!(page.contains(".TH semundo-restore 1") && page.contains("remap"), "{page}");
    assert_eq!(semundo(&["man", "nothing"]).status.code(), Some(1));
}

#[test]
fn a_source_that_is_not_there_is_status_1() {
    for source in ["in-tree", "module"] {
        for arguments in [&["ls"][..], &["ls", "--json"], &["show"], &["show", "1"], &["save", "1"]] {
            let output = semundo(&[&["--source", source], arguments].concat());
            let message = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{arguments:?}");
            assert!(message.starts_with("semundo: ") && message.contains("/proc/"), "{message}");
            assert!(output.stdout.is_empty());
        }
    }
}

/// A command of which everything is asserted: status, output, messages.
fn expect(arguments: &[&str], status: i32, stdout: &str, stderr: &str) {
    let output = semundo(arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let told = (output.status.code(), text(output.stdout), text(output.stderr));
    assert_eq!(told, (Some(status), stdout.to_owned(), stderr.to_owned()), "{arguments:?}");
}

#[test]
fn a_list_is_shown() {
    let set = TempSet::create(3, 0o600).unwrap();
    set.set_values(&[9, 32767, 0]).unwrap();
    let ops = vec![Op::new(0, -4).undo(), Op::new(1, -1), Op::new(1, -2).undo(), Op::new(1, 3)];
    let (holder, other) = (Holder::new(&[(set.id(), ops)]), Holder::new(&[(set.id(), vec![Op::new(0, -1).undo()])]));
    let (pid, id, other) = (holder.pid().to_string(), set.id().to_string(), other.pid().to_string());
    expect(&["show", &pid], 0, &format!("{id} 4 2 0\n"), "");
    expect(&["show", "--thread", &pid, &pid], 0, &format!("{id} 4 2 0\n"), "");
    expect(&["show", "--json", &pid], 0, &format!("[\n  {{\"semid\":{id},\"semadj\":[4,2,0]}}\n]\n"), "");

    let rows = String::from_utf8(semundo(&["ls", &pid]).stdout).unwrap();
    let rows: Vec<Vec<&str>> = rows.lines().map(|line| line.split_whitespace().collect()).collect();
    let comm = &*processes::comm(holder.pid()).unwrap();
    assert_eq!(
        rows,
        [
            ["PID", "COMMAND", "SEMID", "KEY", "SEM", "ADJ", "NOW", "AFTER", "OTHERS"],
            [&pid, comm, &id, "0x00000000", "0", "+4", "4", "8", &other],
            [&pid, comm, &id, "0x00000000", "1", "+2", "32767", "32767", "-"],
        ]
    );
    let json: serde_json::Value = serde_json::from_slice(&semundo(&["ls", "--json"]).stdout).unwrap();
    let ours: Vec<_> = json.as_array().unwrap().iter().filter(|row| row["semid"] == set.id()).collect();
    assert_eq!(ours.len(), 3);
    assert_eq!(ours[0]["ipc_namespace"], IpcNamespace::own().unwrap().inode());
}

#[test]
fn no_such_process_is_an_error() {
    let none = i32::MAX.to_string();
    for arguments in [&["ls", &none][..], &["show", &none], &["save", &none], &["save", "--ipc-ns", &none]] {
        expect(arguments, 1, "", "semundo: process 2147483647: there is none\n");
    }
    let own = std::process::id().to_string();
    expect(&["show", &own, "--thread", "1"], 1, "", &format!("semundo: process {own} has no thread 1\n"));
}

#[test]
fn saved_and_restored() {
    let set = TempSet::create(2, 0o600).unwrap();
    let holder = Holder::new(&[(set.id(), vec![Op::new(1, 3).undo()])]);
    let (pid, id) = (holder.pid().to_string(), set.id());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("image");
    let file = file.to_str().unwrap();

    expect(&["save", &pid, "-o", file], 0, "", "semundo: saved: 1 undo list, 1 semaphore set\n");
    let image = std::fs::read(file).unwrap();
    let printed = semundo(&["save", &pid]);
    assert_eq!((printed.status.code(), printed.stdout), (Some(0), image.clone()));

    let show = env!("CARGO_BIN_EXE_semundo");
    let did = |did: &str, by: &str| format!("semundo: {did} adjustments of 1 semaphore set by {by}\n");
    expect(&["restore", file, "-n", "--", show], 0, "", &did("would restore the command's", "1 call"));
    expect(
        &["restore", file, "--", show, "show"],
        0,
        &format!("{id} 0 -3\n"),
        &did("restored the command's", "1 call"),
    );
    // Its end took what was there; what the holder gave is gone.
    assert_eq!(set.values().unwrap(), [0, 0]);

    set.op(&[Op::new(1, 3)]).unwrap();
    let other = Holder::new(&[]);
    let into = other.pid().to_string();
    let whose = format!("process {into}'s");
    expect(&["restore", file, "-n", "--pid", &into], 0, "", &did(&format!("would restore {whose}"), "1 call"));
    expect(&["show", &into], 0, "", "");
    expect(&["restore", file, "--pid", &into], 0, "", &did(&format!("restored {whose}"), "1 call"));
    expect(&["show", &into], 0, &format!("{id} 0 -3\n"), "");
    expect(&["restore", file, "--pid", &into, "-q"], 0, "", "");

    // Taken out of the one, and put back by what was saved.
    expect(
        &["save", &into, "-o", file, "--clear"],
        0,
        "",
        "semundo: saved and cleared: 1 undo list, 1 semaphore set\n",
    );
    expect(&["show", &into], 0, "", "");
    expect(&["restore", file, "--pid", &into, "-q"], 0, "", "");
    expect(&["show", &into], 0, &format!("{id} 0 -3\n"), "");

    // The file is replaced, or else as it was.
    expect(&["save", "2147483647", "-o", file], 1, "", "semundo: process 2147483647: there is none\n");
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["image"]);
}

#[test]
fn a_command_that_cannot_be_executed_leaves_nothing() {
    let set = TempSet::create(1, 0o600).unwrap();
    let holder = Holder::new(&[(set.id(), vec![Op::new(0, 3).undo()])]);
    let file = tempfile::NamedTempFile::new().unwrap();
    let file = file.path().to_str().unwrap();
    assert!(semundo(&["save", &holder.pid().to_string(), "-o", file]).status.success());
    let output = semundo(&["restore", file, "-q", "--", "/no/such/program"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(message, "semundo: /no/such/program: No such file or directory (os error 2); nothing is changed\n");
    assert_eq!(set.values().unwrap(), [3]);
}

#[test]
fn which_list_must_be_clear() {
    let set = TempSet::create(1, 0o600).unwrap();
    let give = || vec![(set.id(), vec![Op::new(0, 3).undo()])];
    let (one, two) = (Holder::new(&give()), Holder::new(&give()));
    let (one, two) = (one.pid().to_string(), two.pid().to_string());
    let file = tempfile::NamedTempFile::new().unwrap();
    let file = file.path().to_str().unwrap();
    let show = env!("CARGO_BIN_EXE_semundo");
    assert!(semundo(&["save", &one, &two, "-o", file]).status.success());
    let output = semundo(&["restore", file, "--", show, "show"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && message.contains(&format!("--list {one} (")), "{message}");
    expect(&["restore", file, "-q", "--list", &two, "--", show, "show"], 0, &format!("{} -3\n", set.id()), "");
    let output = semundo(&["restore", file, "-q", "--list", "1", "--", show]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && message.contains("no list of 1 was saved"), "{message}");
}

#[test]
fn what_is_no_image_is_named_with_its_place() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    for (bytes, says) in [
        (&b""[..], "EOF"),
        (b"{\"format\": \"semundo image\",\n\"version\": 1,\n\"sets\": [}", "line 3 column 10"),
        (b"{\"format\": \"semundo image\", \"version\": 9}", "version 9"),
        (b"\xff\x00\x7fELF", "line 1 column 1"),
    ] {
        std::fs::write(path, bytes).unwrap();
        let output = semundo(&["restore", path, "--", "true"]);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(message.starts_with(&format!("semundo: {path}: ")) && message.contains(says), "{message}");
    }
    let output = semundo(&["restore", "/no/such/file", "--", "true"]);
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("semundo: /no/such/file: No such file"));
}

#[test]
fn check_tries_every_way() {
    let output = semundo(&["check", "--json"]);
    let ways: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut works: Vec<_> =
        ways.as_array().unwrap().iter().map(|way| (way["way"].as_str().unwrap(), way["works"] == true)).collect();
    // Whether there is a CRIU here is not for this test to say.
    assert_eq!(works.pop().map(|(way, _)| way), Some("checkpoints by criu"));
    assert_eq!(
        works,
        [
            ("read by in-tree", false),
            ("read by module", false),
            ("read by bpf", true),
            ("kernel module", false),
            ("restore -- COMMAND", true),
            ("restore --pid PID", true),
        ],
        "{ways}"
    );
    assert!(output.status.success());
    let text = String::from_utf8(semundo(&["check"]).stdout).unwrap();
    assert!(text.starts_with("no  read by in-tree: the kernel has no /proc/PID/semundo"), "{text}");
    assert!(text.contains("\nno  kernel module: not loaded"), "{text}");
    assert!(text.ends_with("Undo lists can be seen, saved and restored here.\n"), "{text}");
}

/// A CRIU that only tells what it is, in a directory with a plugin or without.
fn check_criu(version: &str, plugin: Option<&str>) -> (bool, String) {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let criu = directory.path().join("criu");
    std::fs::write(&criu, format!("#!/bin/sh\necho 'Version: {version}'\n")).unwrap();
    std::fs::set_permissions(&criu, std::fs::Permissions::from_mode(0o755)).unwrap();
    if let Some(text) = plugin {
        std::fs::write(directory.path().join("semundo_plugin.so"), text).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_semundo"));
    command.args(["check", "--json"]).env("CRIU_LIBS_DIR", directory.path()).env("PATH", directory.path());
    let ways: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let last = ways.as_array().unwrap().last().unwrap();
    (last["works"] == true, last["why"].as_str().unwrap().to_owned())
}

#[test]
fn check_says_what_is_missing_for_checkpoints() {
    let (works, why) = check_criu("3.15", None);
    assert!(!works && why.contains("criu 3.15 is too old"), "{why}");
    let (works, why) = check_criu("4.1.1", None);
    assert!(!works && why.contains("criu 4.1.1 loses undo lists: install the plugin"), "{why}");
    let (works, why) = check_criu("4.1.1", Some("no library"));
    assert!(!works && why.contains("semundo_plugin.so: it is no shared object"), "{why}");
}

#[test]
fn without_privilege_it_says_which_is_missing() {
    let nobody = 65534;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_semundo"));
        let output = command.args(arguments).uid(nobody).gid(nobody).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for arguments in [&["ls"][..], &["show"], &["save", "1"]] {
        let (status, message) = run(arguments);
        assert_eq!(status, Some(1));
        assert!(message.contains("CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN"), "{message}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_semundo"));
    let child = command.args(["completions", "bash"]).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
