//! The command as a shell runs it, where the module is not loaded.

use std::path::Path;
use std::process::{Command, Output, Stdio};

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
    for arguments in [&[][..], &["list"], &["show", "x"], &["show", "0"], &["completions", "cmd"]] {
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
    assert!(page.contains(".TH semundo 1") && page.contains("SEM_UNDO"), "{page}");
}

#[test]
fn without_the_module_it_says_so() {
    if Path::new(semundo::proc::TABLE).exists() {
        return;
    }
    for arguments in [&["ls"][..], &["ls", "--json"], &["show"], &["show", "1"]] {
        let output = semundo(arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(message.starts_with("semundo: /proc/") && message.contains("modprobe semundo"), "{message}");
        assert!(output.stdout.is_empty());
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
