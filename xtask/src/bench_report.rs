//! What a benchmark reports: measurements, the bars they must meet, and both as tables.

use serde::{Deserialize, Serialize};

use crate::table;

/// One measured case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The benchmark group.
    pub group: String,
    /// What was measured.
    pub case: String,
    /// Who did it: ours or a peer.
    pub engine: String,
    /// With how many threads.
    pub threads: u32,
    /// The unit of the three figures.
    pub unit: String,
    /// The median of the runs.
    pub median: f64,
    /// The least of the runs.
    pub min: f64,
    /// The most of the runs.
    pub max: f64,
    /// How many runs.
    pub runs: u32,
}

/// Which side of a bound is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Sense {
    /// The value may be at most the bound.
    #[serde(rename = "<=")]
    AtMost,
    /// The value must be at least the bound.
    #[serde(rename = ">=")]
    AtLeast,
}

/// A value that has a bound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bar {
    /// What is compared.
    pub bar: String,
    /// The measured value, most often a ratio; none where a side of it was not measured.
    pub value: Option<f64>,
    /// Which side of the bound it must be on.
    pub sense: Sense,
    /// The bound.
    pub bound: f64,
    /// Whether it is.
    pub met: bool,
}

impl Bar {
    /// A bar for a value. What was not measured is not met.
    pub fn new(bar: String, value: Option<f64>, sense: Sense, bound: f64) -> Self {
        let value = value.filter(|value| value.is_finite());
        let met = value.is_some_and(|value| match sense {
            Sense::AtMost => value <= bound,
            Sense::AtLeast => value >= bound,
        });
        Self { bar, value, sense, bound, met }
    }
}

/// A figure's key: case, engine, threads.
pub type Key<'a> = (&'a str, &'a str, u32);

/// Takes the measurements out of a benchmark's output: the lines that are such JSON objects.
pub fn measurements(output: &str) -> serde_json::Result<Vec<Measurement>> {
    let lines = output.lines().filter(|line| line.starts_with("{\"group\""));
    lines.map(serde_json::from_str).collect()
}

/// The measurement of a key, if there is one.
pub fn find<'a>(all: &'a [Measurement], (case, engine, threads): Key) -> Option<&'a Measurement> {
    all.iter().find(|m| m.case == case && m.engine == engine && m.threads == threads)
}

/// The bar that the ratio of two medians makes.
pub fn ratio(all: &[Measurement], ours: Key, peer: Key, sense: Sense, bound: f64) -> Bar {
    let value = find(all, ours).zip(find(all, peer)).map(|(ours, peer)| ours.median / peer.median);
    let against = if ours.0 == peer.0 { peer.1.to_owned() } else { format!("{} {}", peer.1, peer.0) };
    Bar::new(format!("{} {}: {} / {against}", ours.0, ours.2, ours.1), value, sense, bound)
}

/// The measurements as a table.
pub fn measurement_table(all: &[Measurement]) -> String {
    let header = ["group", "case", "engine", "threads", "unit", "median", "min", "max", "runs"];
    let rows = all.iter().map(|m| {
        vec![
            m.group.clone(),
            m.case.clone(),
            m.engine.clone(),
            m.threads.to_string(),
            m.unit.clone(),
            format!("{:.1}", m.median),
            format!("{:.1}", m.min),
            format!("{:.1}", m.max),
            m.runs.to_string(),
        ]
    });
    table::layout(&header, &rows.collect::<Vec<_>>())
}

/// The bars as a table.
pub fn bar_table(bars: &[Bar]) -> String {
    let rows = bars.iter().map(|b| {
        vec![
            b.bar.clone(),
            b.value.map_or("not measured".to_owned(), |value| format!("{value:.3}")),
            format!("{} {:.3}", if b.sense == Sense::AtMost { "<=" } else { ">=" }, b.bound),
            if b.met { "yes" } else { "NO" }.to_owned(),
        ]
    });
    table::layout(&["bar", "value", "bound", "met"], &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(case: &str, engine: &str, median: f64) -> String {
        format!(
            "{{\"group\":\"g\",\"case\":\"{case}\",\"engine\":\"{engine}\",\"threads\":1,\
             \"unit\":\"us\",\"median\":{median},\"min\":1,\"max\":9.5,\"runs\":9}}\n"
        )
    }

    #[test]
    fn measurements_are_found_among_other_text() {
        let output = format!("warm up\n{}{{\"x\":1}}\n{}", line("c", "a", 2.0), line("c", "b", 4.0));
        let all = measurements(&output).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].median, all[0].min, all[0].runs), (2.0, 1.0, 9));
        assert!(measurements("{\"group\":\"cut off").is_err());
    }

    #[test]
    fn a_bar_is_met_up_to_its_bound() {
        let all = measurements(&(line("c", "a", 2.0) + &line("c", "b", 4.0) + &line("d", "b", 8.0))).unwrap();
        let bar = ratio(&all, ("c", "a", 1), ("c", "b", 1), Sense::AtMost, 0.5);
        assert_eq!((bar.value, bar.met), (Some(0.5), true));
        assert_eq!(bar.bar, "c 1: a / b");
        assert_eq!(ratio(&all, ("c", "a", 1), ("d", "b", 1), Sense::AtMost, 0.5).bar, "c 1: a / b d");
        assert!(!ratio(&all, ("c", "b", 1), ("c", "a", 1), Sense::AtMost, 1.0).met);
        assert!(ratio(&all, ("c", "b", 1), ("c", "a", 1), Sense::AtLeast, 2.0).met);
        assert!(!ratio(&all, ("c", "a", 1), ("c", "b", 1), Sense::AtLeast, 0.6).met);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let all = measurements(&(line("c", "a", 2.0) + &line("c", "b", 0.0))).unwrap();
        for peer in [("c", "b", 1), ("c", "a", 2), ("other", "a", 1)] {
            let bar = ratio(&all, ("c", "a", 1), peer, Sense::AtMost, 1.0);
            assert_eq!((bar.value, bar.met), (None, false));
        }
        assert!(bar_table(&[Bar::new("x".to_owned(), None, Sense::AtLeast, 1.0)]).contains("not measured"));
    }
}
