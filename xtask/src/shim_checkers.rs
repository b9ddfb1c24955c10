//! The step that runs static checkers on the module's C shim: sparse, gcc's analyzer and the kernel's semantic patches.
//!
//! A file with a bug for each of them lies beside the shim: who does not find it sleeps.

use std::fs;

use anyhow::{Context, Result};

use crate::cache::{self, RunDir};
use crate::chroot::Bind;
use crate::in_tree;
use crate::installed::Installed;
use crate::sources;
use crate::suite::Suite;
use crate::test_steps::{Log, Ran};

const SCRIPT: &str = include_str!("shim_checkers.sh");

const BUGS: &str = include_str!("shim_bugs.c");

/// A checker.
struct Checker {
    /// The file of what it says.
    name: &'static str,
    /// What it says of its bug.
    awake: &'static str,
    /// What it says of the shim, and `kmod/README.md` explains.
    explained: &'static [&'static str],
}

const CHECKERS: &[Checker] = &[
    Checker {
        name: "sparse",
        awake: "dereference of noderef expression",
        explained: &["context imbalance in 'semundo_own_lock'", "context imbalance in 'semundo_set_lock'"],
    },
    Checker { name: "analyzer", awake: "[-Wanalyzer-double-free]", explained: &[] },
    Checker { name: "coccicheck", awake: "reference preceded by free", explained: &[] },
];

/// Runs them.
pub fn run(log: &mut Log) -> Result<Ran> {
    let run = RunDir::new()?;
    let [layer, out, build] = ["layer", "out", "build"].map(|name| cache::make_dir(&run.file(name)));
    let (layer, out, build) = (layer?, out?, build?);
    sources::sync(&build)?;
    fs::write(build.join("kmod/shim/bugs.c"), BUGS).context("cannot write the bugs")?;
    {
        let _lock = cache::lock(Suite::Trixie)?;
        let system = Installed::prepare()?;
        let archive = in_tree::source(Suite::Trixie)?;
        let source = archive.parent().context("a source without a directory")?;
        let bind = |host, inside, writable| Bind { host, inside, writable };
        let binds = [bind(&build, "/build", true), bind(&out, "/out", true), bind(source, "/source", false)];
        if !log.run(&mut system.command(&layer, &binds, &["sh", "-c", SCRIPT]))? {
            return Ok(Ran::Done(false));
        }
    }
    let mut wrong = Vec::new();
    for checker in CHECKERS {
        let path = out.join(checker.name);
        let said = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        wrong.extend(checker.judge(&said));
    }
    wrong.iter().try_for_each(|line| log.line(line))?;
    Ok(Ran::Done(wrong.is_empty()))
}

impl Checker {
    /// What is wrong with what it says.
    fn judge(&self, said: &str) -> Vec<String> {
        let (bugs, shim): (Vec<_>, Vec<_>) = findings(said).partition(|line| line.contains("/shim/bugs.c:"));
        let mut wrong = Vec::new();
        if !bugs.iter().any(|line| line.contains(self.awake)) {
            wrong.push(format!("{} does not find its bug: it must say {:?}", self.name, self.awake));
        }
        for line in &shim {
            if !self.explained.iter().any(|explained| line.contains(explained)) {
                wrong.push(format!("{}: {line}", self.name));
            }
        }
        for explained in self.explained {
            if !shim.iter().any(|line| line.contains(explained)) {
                wrong.push(format!("{} does not say {explained:?} any more: explain it no more", self.name));
            }
        }
        wrong
    }
}

/// Its lines about a place in the shim: `PATH:LINE:COLUMN: WHAT`, with notes left out, which tell more of the line before them.
fn findings(said: &str) -> impl Iterator<Item = &str> {
    said.lines().filter(|line| {
        let place = line.split_whitespace().next().unwrap_or_default();
        let mut parts = place.split(':').skip(1);
        place.starts_with("/build/kmod/shim/")
            && parts.next().is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
            && !line.contains(": note: ")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUG: &str = "/build/kmod/shim/bugs.c:9:2: warning: a bug\n";

    fn judge(said: &str) -> usize {
        let checker = Checker { name: "checker", awake: "a bug", explained: &["'f'"] };
        checker.judge(said).len()
    }

    #[test]
    fn findings_are_told_from_the_rest() {
        let said = "  CC [M]  /build/kmod/shim/main.o\n\
                    /build/kmod/shim/main.c: note: in included file:\n\
                    /build/kmod/shim/main.c:1:2: warning: x\n\
                    /build/kmod/shim/main.c:1:2: note: more of it\n\
                    /build/kmod/shim/compat.h:25:18: error: y\n\
                    /build/kmod/shim/main.c:3:1-5: WARNING z\n\
                    /usr/src/linux/a.h:1:2: warning: theirs\n";
        let found: Vec<_> = findings(said).map(|line| line.split(' ').next_back()).collect();
        assert_eq!(found, [Some("x"), Some("y"), Some("z")]);
    }

    #[test]
    fn a_checker_finds_its_bug_what_is_explained_and_nothing_else() {
        let explained = "/build/kmod/shim/a.c:1:2: warning: in 'f'\n";
        assert_eq!(judge(&format!("{BUG}{explained}")), 0);
        assert_eq!(judge(explained), 1);
        assert_eq!(judge(BUG), 1);
        assert_eq!(judge(&format!("{BUG}{explained}/build/kmod/shim/a.c:1:2: warning: in 'g'\n")), 1);
    }
}
