//! What a process's undo list must be, computed from what the process did.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Result, bail};
use semundo::sysv::{Op, SemSet};

/// Adjustments by set, in the order of the proc file.
#[derive(Clone, Default)]
pub struct Undo(BTreeMap<i32, Vec<i16>>);

impl Undo {
    /// Makes the calling process's adjustment of one semaphore `wanted` higher, where the semaphore is 0 and stays 0.
    ///
    /// `width` is the number of the set's semaphores.
    pub fn adjust(&mut self, set: SemSet, width: usize, index: u16, wanted: i16) -> Result<()> {
        let (plain, undo) = (Op::new(index, wanted), Op::new(index, -wanted).undo());
        // What is taken must have been given before: which of the two gives depends on the sign.
        set.op(&if wanted > 0 { [plain, undo] } else { [undo, plain] })?;
        self.0.entry(set.id()).or_insert_with(|| vec![0; width])[usize::from(index)] += wanted;
        Ok(())
    }

    /// Forgets a set that was removed.
    pub fn forget(&mut self, set: SemSet) {
        self.0.remove(&set.id());
    }

    /// The adjustments of a set, where there are any.
    pub fn of(&self, semid: i32) -> Option<&[i16]> {
        self.0.get(&semid).map(Vec::as_slice)
    }

    /// The sets with something to undo, ascending.
    pub fn sets(&self) -> impl Iterator<Item = (i32, &[i16])> {
        self.0
            .iter()
            .map(|(&semid, semadj)| (semid, semadj.as_slice()))
            .filter(|(_, semadj)| semadj.iter().any(|&adj| adj != 0))
    }

    /// The text of `/proc/semundo`.
    pub fn own_text(&self) -> String {
        let mut text = String::new();
        for (semid, semadj) in self.sets() {
            write!(text, "{semid}").unwrap();
            push_semadj(&mut text, semadj);
        }
        text
    }

    /// The rows of `/proc/sysvipc/semundo` where one process with one list is all there is, without the header.
    pub fn rows_text(&self, pid: i32, list: i32) -> String {
        let mut text = String::new();
        for (semid, semadj) in self.sets() {
            write!(text, "{semid:>10} {pid:>10} {list:>10}").unwrap();
            push_semadj(&mut text, semadj);
        }
        text
    }
}

/// The first line of `/proc/sysvipc/semundo`.
pub const HEADER: &str = "     semid        pid       list semadj\n";

fn push_semadj(text: &mut String, semadj: &[i16]) {
    for adjustment in semadj {
        write!(text, " {adjustment}").unwrap();
    }
    text.push('\n');
}

/// An error that shows where two texts part.
pub fn same_text(got: &[u8], want: &[u8]) -> Result<()> {
    if got == want {
        return Ok(());
    }
    let at = got.iter().zip(want).take_while(|(got, want)| got == want).count();
    let near = |text: &[u8]| {
        let part = &text[at.saturating_sub(20)..text.len().min(at + 60)];
        String::from_utf8_lossy(part).into_owned()
    };
    bail!("{} bytes instead of {}, and at byte {at} {:?} instead of {:?}", got.len(), want.len(), near(got), near(want))
}
