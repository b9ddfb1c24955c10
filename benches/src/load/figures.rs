//! What a run is reported as, and the medians of many.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::run::Listed;
use super::scenario::Scenario;
use super::writer::Tally;
use crate::harness::Measurement;

/// One figure of a run: what, in which unit, and how much.
type Figure = (&'static str, &'static str, f64);

/// The figures of one run. What there was too little time for is not among them.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<Figure>);

impl Figures {
    /// Of what the threads did.
    pub fn of(tallies: &[Tally], listed: &[Listed]) -> Self {
        let rate = |count: u64, time: Duration| count as f64 / time.as_secs_f64();
        let mut latency = Histogram::<u64>::new_from(&Tally::default().latency);
        tallies.iter().for_each(|tally| latency.add(&tally.latency).expect("they have the same bounds"));
        let semops: u64 = tallies.iter().map(|tally| tally.semops).sum();
        let cpu: Duration = tallies.iter().map(|tally| tally.cpu).sum();
        let timed: u64 = tallies.iter().map(|tally| tally.timed).sum();
        let preempted: u64 = tallies.iter().map(|tally| tally.preempted).sum();
        let percentile = |percentile| latency.value_at_percentile(percentile) as f64;
        let mut figures = Vec::new();
        if tallies.iter().all(|tally| tally.semops > 0) {
            figures.extend([
                ("semops", "1/s", tallies.iter().map(|tally| rate(tally.semops, tally.wall)).sum()),
                ("semops-cpu", "1/s of CPU", rate(semops, cpu)),
                ("semop-cpu-time", "ns", cpu.as_nanos() as f64 / semops as f64),
            ]);
        }
        if !latency.is_empty() {
            figures.extend([
                ("p50", "ns", percentile(50.0)),
                ("p99", "ns", percentile(99.0)),
                ("p99.9", "ns", percentile(99.9)),
                ("max", "ns", latency.max() as f64),
            ]);
        }
        figures.push(("preempted", "% of batches", 100.0 * preempted as f64 / timed.max(1) as f64));
        if !listed.is_empty() {
            figures.push(("entries", "1/s", listed.iter().map(|one| rate(one.entries, one.wall)).sum()));
            figures.push(("reader-sleeps", "1/s", listed.iter().map(|one| rate(one.sleeps, one.wall)).sum()));
        }
        Self(figures)
    }

    /// And the bytes that were held at most.
    #[must_use]
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.0.push(("memory", "KiB", bytes as f64 / 1024.0));
        self
    }

    /// And how often readers waited for a lock.
    #[must_use]
    pub fn with_waits(mut self, waits: u64) -> Self {
        self.0.push(("reader-waits", "times", waits as f64));
        self
    }
}

/// The runs of one engine in one scenario.
#[derive(Debug)]
pub struct Series {
    scenario: Scenario,
    engine: &'static str,
    runs: Vec<Figures>,
}

impl Series {
    /// None yet.
    pub fn new(scenario: Scenario, engine: &'static str) -> Self {
        Self { scenario, engine, runs: Vec::new() }
    }

    /// The shape of the runs.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// One more run.
    pub fn add(&mut self, run: Figures) {
        self.runs.push(run);
    }

    /// Prints a JSON line a figure, its case being `SCENARIO:FIGURE`.
    pub fn print(&self) {
        let mut by_figure: BTreeMap<(&str, &'static str), Vec<f64>> = BTreeMap::new();
        for (figure, unit, value) in self.runs.iter().flat_map(|run| run.0.iter().copied()) {
            by_figure.entry((figure, unit)).or_default().push(value);
        }
        for ((figure, unit), mut runs) in by_figure {
            runs.sort_by(f64::total_cmp);
            // Leaked: a program that prints its figures is about to end.
            let case = format!("{}:{figure}", self.scenario.name).leak();
            let threads = self.scenario.readers;
            println!("{}", Measurement { group: "load", case, engine: self.engine, threads, unit, runs }.json());
        }
    }
}

/// For who waits: what is measured.
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} readers: {}", self.scenario.name, self.scenario.readers, self.engine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(figures: &Figures, name: &str) -> Option<f64> {
        figures.0.iter().find(|(figure, ..)| *figure == name).map(|(.., value)| *value)
    }

    #[test]
    fn rates_of_threads_add_up_and_times_go_together() {
        let tally = |semops, wall, cpu, nanos| {
            let (wall, cpu) = (Duration::from_secs(wall), Duration::from_secs(cpu));
            let mut tally = Tally { semops, wall, cpu, timed: 4, preempted: 1, ..Tally::default() };
            tally.latency.record(nanos).unwrap();
            tally
        };
        let listed = Listed { entries: 90, wall: Duration::from_secs(3), sleeps: 6 };
        let figures = Figures::of(&[tally(100, 2, 1, 50), tally(300, 3, 1, 200)], &[listed, listed]);
        let expected = [
            ("semops", 150.0),
            ("semops-cpu", 200.0),
            ("semop-cpu-time", 5e6),
            ("p50", 50.0),
            ("max", 200.0),
            ("preempted", 25.0),
            ("entries", 60.0),
            ("reader-sleeps", 4.0),
        ];
        for (name, expected) in expected {
            assert_eq!(value(&figures, name), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_there_was_no_time_for_has_no_figure() {
        let figures = Figures::of(&[Tally { timed: 2, preempted: 2, ..Tally::default() }], &[]);
        for name in ["semops", "semops-cpu", "semop-cpu-time", "p50", "max", "entries"] {
            assert_eq!(value(&figures, name), None, "{name}");
        }
        assert_eq!(value(&figures, "preempted"), Some(100.0));
    }
}
