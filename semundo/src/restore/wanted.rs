//! What is to be restored.

use std::collections::BTreeMap;

use crate::image::{Image, SavedSet};
use crate::undo_list::{Adjustments, UndoList};

/// The adjustments that sets shall have, ascending by set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    sets: BTreeMap<i32, WantedSet>,
    /// Whether a set with another key than was saved is taken.
    any_key: bool,
    /// Whether a set with other values than were saved is refused.
    same_values: bool,
}

/// The adjustments that one set shall have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedSet {
    /// One adjustment a semaphore.
    pub semadj: Vec<i16>,
    /// What is known of the set that they were saved from.
    pub saved: Option<SavedSet>,
}

impl Wanted {
    /// These adjustments; an error where a set is named twice.
    pub fn new(sets: impl IntoIterator<Item = (i32, Vec<i16>)>) -> Result<Self, String> {
        let mut wanted = Self::default();
        for (semid, semadj) in sets {
            if wanted.sets.insert(semid, WantedSet { semadj, saved: None }).is_some() {
                return Err(format!("set {semid} is named twice"));
            }
        }
        Ok(wanted)
    }

    /// Those of a list of an image.
    pub fn of_image(image: &Image, list: &UndoList) -> Self {
        let set = |set: &Adjustments| {
            let saved = image.set(list.ipc_namespace, set.semid).cloned();
            (set.semid, WantedSet { semadj: set.semadj.clone(), saved })
        };
        Self { sets: list.adjustments.iter().map(set).collect(), ..Self::default() }
    }

    /// Those of a list, of whose sets nothing more is known.
    pub fn of_list(list: &UndoList) -> Self {
        let set = |set: &Adjustments| (set.semid, WantedSet { semadj: set.semadj.clone(), saved: None });
        Self { sets: list.adjustments.iter().map(set).collect(), ..Self::default() }
    }

    /// Zero in all these sets: what takes a list's adjustments out again.
    pub fn zero(adjustments: &[Adjustments]) -> Self {
        let set = |set: &Adjustments| (set.semid, WantedSet { semadj: vec![0; set.semadj.len()], saved: None });
        Self { sets: adjustments.iter().map(set).collect(), ..Self::default() }
    }

    /// Takes sets whose key is another than when they were saved.
    #[must_use]
    pub fn with_any_key(mut self) -> Self {
        self.any_key = true;
        self
    }

    /// Takes sets only whose values are what they were when they were saved: those of a checkpoint, which nobody has used since.
    #[must_use]
    pub fn with_same_values(mut self) -> Self {
        self.same_values = true;
        self
    }

    /// Renames sets, all at once; an error where an old one is not named here, or two would have one name.
    pub fn remap(self, names: &[(i32, i32)]) -> Result<Self, String> {
        let mut new_names: BTreeMap<i32, i32> = BTreeMap::new();
        for (old, new) in names {
            if !self.sets.contains_key(old) {
                let ids: Vec<_> = self.sets.keys().map(ToString::to_string).collect();
                return Err(format!("{old}={new}: the list has no set {old}, but {}", ids.join(", ")));
            }
            if new_names.insert(*old, *new).is_some() {
                return Err(format!("{old}={new}: set {old} already has another new id"));
            }
        }
        let mut sets = BTreeMap::new();
        for (old, set) in self.sets {
            let new = new_names.get(&old).copied().unwrap_or(old);
            if sets.insert(new, set).is_some() {
                return Err(format!("two sets of the list would have the id {new}"));
            }
        }
        Ok(Self { sets, ..self })
    }

    /// The sets, ascending by id.
    pub fn sets(&self) -> impl Iterator<Item = (i32, &WantedSet)> {
        self.sets.iter().map(|(semid, set)| (*semid, set))
    }

    pub(super) fn takes_any_key(&self) -> bool {
        self.any_key
    }

    pub(super) fn takes_same_values_only(&self) -> bool {
        self.same_values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Wanted {
        Wanted::new([(1, vec![1]), (2, vec![2]), (3, vec![3])]).unwrap()
    }

    #[test]
    fn sets_are_renamed_all_at_once() {
        let renamed = three().remap(&[(1, 2), (2, 1)]).unwrap();
        let sets: Vec<_> = renamed.sets().map(|(semid, set)| (semid, set.semadj[0])).collect();
        assert_eq!(sets, [(1, 2), (2, 1), (3, 3)]);
    }

    #[test]
    fn no_two_sets_have_one_name() {
        for (names, says) in [
            (&[(1, 2)][..], "two sets of the list would have the id 2"),
            (&[(3, 2)], "two sets of the list would have the id 2"),
            (&[(1, 8), (1, 9)], "1=9: set 1 already has another new id"),
            (&[(7, 8)], "7=8: the list has no set 7, but 1, 2, 3"),
        ] {
            assert_eq!(three().remap(names).unwrap_err(), says);
        }
        assert_eq!(Wanted::new([(1, vec![1]), (1, vec![2])]).unwrap_err(), "set 1 is named twice");
    }
}
