//! The runs of the load benchmark: a base, and from there one thing at a time is varied.

/// How many readers the main scenarios have.
pub const READERS: [usize; 4] = [0, 1, 2, 4];

/// One run's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What it is called in the report.
    pub name: &'static str,
    /// Whether sets are made and removed and processes exit, besides taking and giving.
    pub churn: bool,
    /// Threads that do semops, each a process with a list of its own.
    pub writers: usize,
    /// Threads that list the writers' undo lists, one after the other, again and again.
    pub readers: usize,
    /// Sets of a writer, which is the length of its list.
    pub sets: usize,
    /// Bytes that a reader asks for at a time.
    pub read_size: usize,
}

const BASE: Scenario = Scenario { name: "churn", churn: true, writers: 1, readers: 1, sets: 1000, read_size: 4096 };

/// All runs that the engine is measured in.
pub fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    // A processor that had nothing to do on its other cores is faster for some tenths of a second. So what is alone comes last, and runs
    // without readers follow some with: else those of the first engine would have another pace than what they are compared with.
    for (name, churn) in [("churn", true), ("steady", false)] {
        all.extend(READERS.map(|readers| Scenario { name, churn, readers, ..BASE }));
    }
    all.extend([
        Scenario { name: "churn-writers-2", writers: 2, ..BASE },
        Scenario { name: "churn-writers-4", writers: 4, ..BASE },
        Scenario { name: "churn-sets-10", sets: 10, ..BASE },
        Scenario { name: "churn-sets-100", sets: 100, ..BASE },
        Scenario { name: "churn-sets-10000", sets: 10_000, ..BASE },
        Scenario { name: "churn-read-256", read_size: 256, ..BASE },
        Scenario { name: "churn-read-65536", read_size: 65_536, ..BASE },
        Scenario { name: "alone", churn: false, readers: 0, sets: 1, ..BASE },
    ]);
    all
}

/// The runs that the live kernel is measured in.
pub fn live() -> Vec<Scenario> {
    all().into_iter().filter(|one| ["alone", "steady", "churn"].contains(&one.name) && one.readers <= 2).collect()
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn a_name_and_a_number_of_readers_mean_one_scenario() {
        let all = all();
        for one in &all {
            let same = all.iter().filter(|other| (other.name, other.readers) == (one.name, one.readers));
            assert_eq!(same.count(), 1, "{one:?}");
        }
    }
}
