//! Before anything is done: do the sets fit?

use super::apply::Change;
use super::{Error, Wanted};
use crate::image::SavedSet;
use crate::undo_list::Adjustments;

/// What has to be changed, and what is worth a note. All that is wrong is told at once.
pub(super) fn check<'a>(now: &[Adjustments], wanted: &'a Wanted) -> Result<(Vec<Change<'a>>, Vec<String>), Error> {
    let (mut changes, mut wrong, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for (semid, want) in wanted.sets() {
        let set = match SavedSet::read(0, semid) {
            Ok(set) => set,
            Err(error) => {
                wrong.push(format!("set {semid}: {}", explain(&error)));
                continue;
            }
        };
        if set.nsems != want.semadj.len() {
            wrong.push(format!(
                "set {semid}: has {} semaphores, {} adjustments are to be restored",
                set.nsems,
                want.semadj.len()
            ));
            continue;
        }
        if let Some(saved) = &want.saved {
            if saved.key != set.key && !wanted.takes_any_key() {
                let (was, is) = (saved.key, set.key);
                wrong.push(format!("set {semid}: its key is {is:#010x}, that of the saved set was {was:#010x} (another set? --force takes it)"));
                continue;
            }
            if wanted.takes_same_values_only() && saved.values != set.values {
                wrong
                    .push(differences(semid, &SavedSet { values: saved.values.clone(), ..set.clone() }, &set).concat());
                continue;
            }
            notes.extend(differences(semid, saved, &set));
        }
        let found = now.binary_search_by_key(&semid, |adjustments| adjustments.semid);
        let before = found.map_or_else(|_| vec![0; set.nsems], |index| now[index].semadj.clone());
        if before.len() != set.nsems {
            wrong.push(format!("set {semid}: {} adjustments of {} semaphores are there", before.len(), set.nsems));
            continue;
        }
        changes.push(Change::new(semid, before, &want.semadj, set.values));
    }
    if wrong.is_empty() { Ok((changes, notes)) } else { Err(Error::Check(wrong)) }
}

/// What of a set is not as it was, though that hinders nothing.
fn differences(semid: i32, saved: &SavedSet, set: &SavedSet) -> Vec<String> {
    let mut notes = Vec::new();
    if (saved.mode, saved.uid, saved.gid) != (set.mode, set.uid, set.gid) {
        notes.push(format!(
            "set {semid}: mode, owner and group are {:04o} {} {}, were {:04o} {} {}",
            set.mode, set.uid, set.gid, saved.mode, saved.uid, saved.gid
        ));
    }
    let values = saved.values.iter().zip(&set.values).enumerate();
    let mut others = values.filter(|(_, (was, is))| was != is);
    if let Some((semaphore, (was, is))) = others.next() {
        let more = match others.count() {
            0 => String::new(),
            more => format!(", and {more} more have changed"),
        };
        notes.push(format!("set {semid}: semaphore {semaphore} is {is}, was {was} when it was saved{more}"));
    }
    notes
}

fn explain(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::EIDRM) => "there is no such set in this IPC namespace".to_owned(),
        Some(libc::EACCES) => "no permission to read it (its values must be known)".to_owned(),
        _ => error.to_string(),
    }
}
