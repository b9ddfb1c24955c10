//! Checkpoints with another plugin beside ours, whose answer keeps CRIU from asking those that come after it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::criu::{self, Plugin};
use crate::detours::oracle;
use crate::needs;
use crate::programs::Program;
use crate::running::Running;
use crate::test;
use crate::work::Work;

/// Names the other plugin (`examples/answers_first.rs`).
const OTHER_PLUGIN: &str = "SEMUNDO_TEST_OTHER_PLUGIN";

/// How often a directory is made until it lists its files in the order that is wanted.
const TRIES: u32 = 200;

/// Which of the two a directory lists first; CRIU loads them in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Ours,
    Other,
}

/// All tests of this file.
pub fn tests() -> Vec<Trial> {
    let all = [("another_is_loaded_first", First::Other), ("another_is_loaded_later", First::Ours)];
    all.map(|(name, first)| test(format!("beside::{name}"), move || detour(Program::named("several"), first))).into()
}

/// A dump and a restore keep the lists, and the other plugin is asked, too.
fn detour(program: &'static Program, first: First) {
    let wanted = oracle(program);
    let work = Work::new();
    let plugins = both(&work, first);
    let running = Running::start(program, &work);
    let lists = running.undo_lists();
    criu::dump_with(&running, &work, Some(&plugins), &[]).unwrap_or_else(|refused| panic!("{refused}"));
    running.was_killed();
    if needs::checkpoint_hook().is_ok() {
        both_were_asked(&work, "dump.log", 11);
    }
    let restored = criu::restore_with(program, &work, Some(&plugins), &[]);
    let restored = restored.unwrap_or_else(|refused| panic!("{refused}"));
    both_were_asked(&work, "restore.log", 9);
    assert_eq!(restored.undo_lists(), lists);
    assert_eq!(restored.end(&work), wanted);
}

/// A directory with both plugins. How it lists them is the file system's affair: it may go by age or by a hash of the names.
fn both(work: &Work, first: First) -> PathBuf {
    let ours = Plugin::With.directory().expect("it has one").join("semundo_plugin.so");
    let other = PathBuf::from(env::var_os(OTHER_PLUGIN).unwrap_or_else(|| panic!("{OTHER_PLUGIN} is not set")));
    for number in 0..TRIES {
        let dir = work.dir(&format!("plugins-{number}"));
        let mut files = [(&ours, "semundo_plugin.so".to_owned()), (&other, format!("other-{number}.so"))];
        if number % 2 == 1 {
            files.reverse();
        }
        for (from, name) in files {
            fs::copy(from, dir.join(name)).unwrap();
        }
        if listed_first(&dir) == first {
            return dir;
        }
    }
    panic!("no directory of {TRIES} lists {first:?} first");
}

fn listed_first(dir: &Path) -> First {
    let name = fs::read_dir(dir).unwrap().next().unwrap().unwrap().file_name();
    if name == "semundo_plugin.so" { First::Ours } else { First::Other }
}

/// Whether CRIU's log tells that it called this hook of both.
fn both_were_asked(work: &Work, log: &str, hook: usize) {
    let log = work.read(log);
    let call = format!("' hook {hook} -> ");
    for plugin in ["semundo_plugin", ".so"] {
        assert!(log.contains(&format!("{plugin}{call}")), "{plugin} was not asked:\n{log}");
    }
}
