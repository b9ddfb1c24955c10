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

/// A ratio that has an upper bound.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bar {
    /// What is compared.
    pub bar: String,
    /// The measured ratio.
    pub value: f64,
    /// What it may be at most.
    pub bound: f64,
    /// Whether it is.
    pub met: bool,
}

/// Takes the measurements out of a benchmark's output: the lines that are such JSON objects.
pub fn measurements(output: &str) -> serde_json::Result<Vec<Measurement>> {
    let lines = output.lines().filter(|line| line.starts_with("{\"group\""));
    lines.map(serde_json::from_str).collect()
}

/// The ratio of two engines' medians of one case, where both were measured.
pub fn ratio(all: &[Measurement], case: &str, ours: &str, peer: &str) -> Option<f64> {
    let median = |engine: &str| {
        let found = all.iter().find(|m| m.case == case && m.engine == engine);
        found.map(|m| m.median)
    };
    let value = median(ours)? / median(peer)?;
    value.is_finite().then_some(value)
}

/// The bar that one case's ratio makes.
pub fn at_most(all: &[Measurement], case: &str, ours: &str, peer: &str, bound: f64) -> Option<Bar> {
    let value = ratio(all, case, ours, peer)?;
    let group = &all.iter().find(|m| m.case == case)?.group;
    Some(Bar { bar: format!("{group} {case}: {ours} / {peer}"), value, bound, met: value <= bound })
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
            format!("{:.3}", b.value),
            format!("<= {:.2}", b.bound),
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
        let all = measurements(&(line("c", "a", 2.0) + &line("c", "b", 4.0))).unwrap();
        let bar = at_most(&all, "c", "a", "b", 0.5).unwrap();
        assert_eq!((bar.value, bar.met), (0.5, true));
        assert_eq!(bar.bar, "g c: a / b");
        assert!(!at_most(&all, "c", "b", "a", 1.0).unwrap().met);
        assert_eq!(at_most(&all, "other", "a", "b", 1.0), None);
    }

    #[test]
    fn a_division_by_nothing_is_no_bar() {
        let all = measurements(&(line("c", "a", 2.0) + &line("c", "b", 0.0))).unwrap();
        assert_eq!(ratio(&all, "c", "a", "b"), None);
    }
}
