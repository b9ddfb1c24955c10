//! A checkpoint or a restore that failed, and why.

use std::fmt;

use crate::work::Work;

/// How much of CRIU's log a failure shows.
const SHOWN_LINES: usize = 60;

/// CRIU did not do as it was told.
#[derive(Debug)]
pub struct Refused {
    /// Its log, which says why.
    pub log: String,
    /// What it said to its user.
    pub said: String,
}

impl Refused {
    /// What a log of `work` tells, and what was said.
    pub fn new(work: &Work, log: &str, said: &str) -> Self {
        Self { log: work.read(log), said: said.to_owned() }
    }

    /// Whether the plugin says so in CRIU's log, which is where it says what the user is to know.
    pub fn says(&self, why: &str) -> bool {
        self.log.split_once("Error (semundo)").is_some_and(|(_, ours)| ours.contains(why))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let lines: Vec<_> = self.log.lines().collect();
        let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        write!(f, "{}\n{}", last.join("\n"), self.said)
    }
}
