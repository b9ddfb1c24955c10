//! Checkpoints by container engines, which use CRIU's RPC mode: runc and crun of the suite.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use serde_json::json;

use crate::criu::Plugin;
use crate::detours::compare;
use crate::end::End;
use crate::needs;
use crate::programs::Program;
use crate::refused::Refused;
use crate::rpc::LIBS_DIR;
use crate::running::{Running, all_have_ended, run};
use crate::test;
use crate::work::Work;
use crate::{PROGRAM, detours};

/// All tests of this file.
pub fn tests() -> Vec<Trial> {
    let mut all = Vec::new();
    if needs::fulfilled("runc", || runs("runc")) {
        all.push(test("runc::one", || compare("one", |program, plugin| detour("runc", program, plugin))));
        all.push(test("runc::several", || compare("several", |program, plugin| detour("runc", program, plugin))));
        all.push(test("runc::asleep", || compare("asleep", |program, plugin| detour("runc", program, plugin))));
        all.push(test("runc::refused", || refused("runc")));
    }
    if needs::fulfilled("crun", || runs("crun")) {
        all.push(test("crun::one", || compare("one", |program, plugin| detour("crun", program, plugin))));
        all.push(test("crun::several", || compare("several", |program, plugin| detour("crun", program, plugin))));
        all.push(test("crun::refused", || refused("crun")));
    }
    all
}

/// Whether an engine starts a container on this machine.
fn runs(engine: &'static str) -> Result<(), String> {
    if Command::new(engine).arg("--version").stdout(Stdio::null()).status().is_err() {
        return Err(format!("this root file system has no {engine}"));
    }
    let container = Container::new(engine, Program::named("nothing"));
    let result = container.call(Plugin::Without, &["run", "--detach", "--bundle", &container.bundle()]);
    container.remove();
    result.map_err(|refused| format!("it starts no container here: {}", refused.said.trim()))
}

/// Through a checkpoint, which ends the container, and a restore.
fn detour(engine: &'static str, program: &'static Program, plugin: Plugin) -> Result<Vec<End>, Refused> {
    let container = Container::new(engine, program);
    container.start()?;
    container.call(plugin, &["checkpoint", "--image-path", &container.images()])?;
    all_have_ended();
    let restored = container.running("restore", plugin, &["--image-path", &container.images()])?;
    if plugin == Plugin::With {
        (program.resumed)(&restored);
    }
    let end = restored.end(&container.inside);
    container.remove();
    Ok(vec![end])
}

/// What the plugin refuses the engine reports, and the container goes on.
fn refused(engine: &'static str) {
    let program = Program::named("sharing");
    let container = Container::new(engine, program);
    let running = container.start().unwrap_or_else(|refused| panic!("{refused}"));
    let refused = container.call(Plugin::With, &["checkpoint", "--image-path", &container.images()]);
    let refused = refused.expect_err("what cannot be kept is refused");
    assert!(refused.says("share"), "no word of it: {refused}");
    assert_eq!(running.end(&container.inside), detours::oracle(program));
    container.remove();
}

/// A container whose only program is one of ours.
struct Container {
    engine: &'static str,
    program: &'static Program,
    work: Work,
    /// The program's working directory, as it is seen from outside.
    inside: Work,
}

impl Container {
    fn new(engine: &'static str, program: &'static Program) -> Self {
        let work = Work::new();
        let root = work.dir("bundle/root");
        for dir in ["dev", "proc", "sys"] {
            fs::create_dir(root.join(dir)).unwrap();
        }
        fs::copy(env::current_exe().unwrap(), root.join("program")).unwrap();
        fs::set_permissions(root.join("program"), fs::Permissions::from_mode(0o755)).unwrap();
        let inside = Work::below(&root);
        let directory = inside.path().strip_prefix(&root).unwrap();
        let rights = ["CAP_KILL", "CAP_SYS_ADMIN"];
        let rights = json!({"bounding": rights, "effective": rights, "permitted": rights});
        let namespaces = ["pid", "ipc", "mount", "uts"].map(|kind| json!({"type": kind}));
        let config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "terminal": false,
                "user": {"uid": 0, "gid": 0},
                "args": ["/program", PROGRAM, program.name],
                "env": ["PATH=/"],
                "cwd": PathBuf::from("/").join(directory),
                "capabilities": rights,
            },
            "root": {"path": "root", "readonly": false},
            "hostname": "container",
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"namespaces": namespaces, "cgroupsPath": format!("/{}", name(&work))},
        });
        fs::write(work.file("bundle/config.json"), config.to_string()).unwrap();
        Self { engine, program, work, inside }
    }

    fn bundle(&self) -> String {
        self.work.file("bundle").display().to_string()
    }

    fn images(&self) -> String {
        self.work.dir("images").display().to_string()
    }

    /// Starts it, and waits until it is where it is to be checkpointed.
    fn start(&self) -> Result<Running, Refused> {
        let running = self.running("run", Plugin::Without, &[])?;
        running.settles(&self.inside);
        Ok(running)
    }

    /// Makes it run, detached.
    fn running(&self, how: &str, plugin: Plugin, options: &[&str]) -> Result<Running, Refused> {
        let pid = self.work.file("pid").display().to_string();
        let _ = fs::remove_file(&pid);
        self.call(plugin, &[&[how, "--detach", "--bundle", &self.bundle(), "--pid-file", &pid], options].concat())?;
        Ok(Running::restored(self.program, fs::read_to_string(pid).unwrap().trim().parse().unwrap()))
    }

    /// Has the engine do something with it.
    fn call(&self, plugin: Plugin, words: &[&str]) -> Result<(), Refused> {
        let said = self.work.file("engine-says");
        let _ = fs::remove_file(&said);
        let mut engine = Command::new(self.engine);
        engine.arg("--root").arg(self.work.dir("state")).arg("--log").arg(said).args(words);
        if words[0] != "run" && words[0] != "delete" {
            engine.args(["--work-path", &self.work.dir("log").display().to_string()]);
        }
        // What they are given becomes the container's.
        engine.arg(name(&self.work)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(plugins) = plugin.directory() {
            engine.env(LIBS_DIR, plugins);
        }
        let status = run(&mut engine).map_err(|error| Refused::new(&self.work, "log", &error.to_string()))?;
        if status.success() {
            return Ok(());
        }
        let log = if words[0] == "restore" { "log/restore.log" } else { "log/dump.log" };
        Err(Refused::new(&self.work, log, &format!("{status}: {}", self.work.read("engine-says"))))
    }

    fn remove(&self) {
        let _ = self.call(Plugin::Without, &["delete", "--force"]);
        all_have_ended();
    }
}

/// What a container is called: its directory's name, which no other has.
fn name(work: &Work) -> String {
    work.path().file_name().unwrap().to_str().unwrap().to_owned()
}
