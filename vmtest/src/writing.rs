//! Ways to write the own file, and what a list must be afterwards.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;

use anyhow::{Context, Result, ensure};

use crate::expect::same_text;
use crate::files;
use crate::reading;

/// The caller's own file, open for writing.
pub fn open() -> Result<File> {
    OpenOptions::new().read(true).write(true).open(files::own()).context(files::own())
}

/// One write call to a file; the errno where it failed. A write is taken whole.
pub fn write_to(file: &mut File, text: &[u8]) -> Option<i32> {
    match file.write(text) {
        Ok(written) if written == text.len() => None,
        Ok(_) => Some(0),
        Err(error) => error.raw_os_error(),
    }
}

/// One write call to a file that is opened for it; the errno where it failed.
pub fn write(text: &[u8]) -> Result<Option<i32>> {
    Ok(write_to(&mut open()?, text))
}

/// What one write of `text` must answer, and what the list must be afterwards.
pub fn write_is(text: &[u8], want: Option<i32>, list: &List) -> Result<()> {
    let answer = write(text)?;
    let shown = || String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
    ensure!(answer == want, "a write of {:?} answers {answer:?} instead of {want:?}", shown());
    list.is_own().with_context(|| format!("after a write of {:?}", shown()))
}

/// One process's undo list: adjustments by set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List(BTreeMap<i32, Vec<i16>>);

impl List {
    /// The caller's own list as it reads.
    pub fn own() -> Result<List> {
        let mut list = List::default();
        for line in reading::text(files::own())?.lines() {
            let (semid, semadj) = line.split_once(' ').context("a line of one number")?;
            list.set(semid.parse()?, semadj.split(' ').map(str::parse).collect::<Result<_, _>>()?);
        }
        Ok(list)
    }

    /// A set ends with these adjustments.
    pub fn set(&mut self, semid: i32, semadj: Vec<i16>) {
        self.0.insert(semid, semadj);
    }

    /// A set was removed.
    pub fn forget(&mut self, semid: i32) {
        self.0.remove(&semid);
    }

    /// The sets that `other` has end as they are there.
    pub fn update(&mut self, other: &List) {
        self.0.extend(other.0.clone());
    }

    /// The adjustments of a set.
    pub fn of(&self, semid: i32) -> Option<&[i16]> {
        self.0.get(&semid).map(Vec::as_slice)
    }

    /// The sets, ascending.
    pub fn sets(&self) -> impl Iterator<Item = (i32, &[i16])> {
        self.0.iter().map(|(semid, semadj)| (*semid, semadj.as_slice()))
    }

    /// The text that makes a list this one: all sets, also those with nothing to undo.
    pub fn text(&self) -> Vec<u8> {
        self.0.iter().map(|(semid, semadj)| line(*semid, semadj)).collect::<String>().into_bytes()
    }

    /// The caller's own list reads as this one.
    pub fn is_own(&self) -> Result<()> {
        let shown = self.0.iter().filter(|(_, semadj)| semadj.iter().any(|&adj| adj != 0));
        let want: String = shown.map(|(semid, semadj)| line(*semid, semadj)).collect();
        same_text(&reading::whole(files::own(), 65536)?, want.as_bytes())
    }
}

/// A line of the text form.
pub fn line(semid: i32, semadj: &[i16]) -> String {
    let adjustments: String = semadj.iter().map(|adj| format!(" {adj}")).collect();
    format!("{semid}{adjustments}\n")
}
