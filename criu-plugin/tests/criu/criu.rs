//! CRIU's command, with and without the plugin.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::programs::Program;
use crate::refused::Refused;
use crate::running::{Running, run};
use crate::work::Work;

/// Names the directory that holds the plugin and nothing else.
const PLUGINS: &str = "SEMUNDO_TEST_PLUGINS";

/// CRIU with or without the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugin {
    /// As it is.
    Without,
    /// With ours.
    With,
}

impl Plugin {
    /// The directory that CRIU is to take plugins from.
    pub fn directory(self) -> Option<PathBuf> {
        let ours = || env::var_os(PLUGINS).unwrap_or_else(|| panic!("{PLUGINS} is not set")).into();
        (self == Self::With).then(ours)
    }
}

/// Writes the program's images into the directory `images` of `work`.
pub fn dump(running: &Running, work: &Work, plugin: Plugin, options: &[&str]) -> Result<(), Refused> {
    dump_with(running, work, plugin.directory().as_deref(), options)
}

/// The same, with all plugins of a directory.
pub fn dump_with(running: &Running, work: &Work, plugins: Option<&Path>, options: &[&str]) -> Result<(), Refused> {
    dump_into("images", running, work, plugins, &[&["dump"], options].concat())
}

/// The same, into another directory and with all words told.
pub fn dump_into(
    images: &str,
    running: &Running,
    work: &Work,
    plugins: Option<&Path>,
    words: &[&str],
) -> Result<(), Refused> {
    let mut criu = Command::new("criu");
    criu.args(words).args(["--tree", &running.pid.to_string()]).args(running.program.options);
    criu.arg("--images-dir").arg(work.dir(images));
    with(&mut criu, plugins);
    finish(criu, work, "dump.log")
}

/// Restores a program from the directory `images` of `work`, whatever processes it had before.
pub fn restore(program: &'static Program, work: &Work, plugin: Plugin, options: &[&str]) -> Result<Running, Refused> {
    restore_with(program, work, plugin.directory().as_deref(), options)
}

/// The same, with all plugins of a directory.
pub fn restore_with(
    program: &'static Program,
    work: &Work,
    plugins: Option<&Path>,
    options: &[&str],
) -> Result<Running, Refused> {
    let mut criu = Command::new("criu");
    criu.args(["restore", "--restore-detached"]).args(options).args(program.options);
    criu.arg("--images-dir").arg(work.file("images"));
    with(&mut criu, plugins);
    let pid = work.file("pid");
    let _ = fs::remove_file(&pid);
    criu.arg("--pidfile").arg(&pid);
    finish(criu, work, "restore.log")?;
    Ok(Running::restored(program, fs::read_to_string(&pid).unwrap().parse().unwrap()))
}

/// Tells CRIU where plugins are. A root file system for these tests has none where CRIU looks by itself.
fn with(criu: &mut Command, plugins: Option<&Path>) {
    if let Some(plugins) = plugins {
        criu.arg("--libdir").arg(plugins);
    }
}

/// Runs it to its end.
fn finish(mut criu: Command, work: &Work, log: &str) -> Result<(), Refused> {
    criu.arg("--log-file").arg(work.file(log)).arg("-v4");
    let said = fs::File::create(work.file("criu-says")).unwrap();
    // It may leave processes behind that hold its outputs: a pipe would not end with it.
    criu.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
    let status = run(&mut criu).unwrap();
    if status.success() {
        return Ok(());
    }
    Err(Refused::new(work, log, &format!("{status}: {}", work.read("criu-says"))))
}
