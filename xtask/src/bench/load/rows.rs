//! The figures of the group as rows: one for each scenario, number of readers and engine.

use crate::bench_report::Measurement;
use crate::table;

/// All that was measured of one engine in one scenario with so many readers.
#[derive(Debug)]
pub struct Row<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// How many readers it had.
    pub readers: u32,
    /// Who did it.
    pub engine: &'a str,
    figures: Vec<(&'a str, f64)>,
}

impl Row<'_> {
    /// The median of a figure, where it was measured.
    pub fn get(&self, figure: &str) -> Option<f64> {
        self.figures.iter().find(|(name, _)| *name == figure).map(|(_, median)| *median)
    }
}

/// The rows, in the order in which they were measured.
pub fn rows(all: &[Measurement]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row> = Vec::new();
    for m in all {
        let Some((scenario, figure)) = m.case.split_once(':') else { continue };
        let same = |row: &&mut Row| (row.scenario, row.readers, row.engine) == (scenario, m.threads, &*m.engine);
        match rows.iter_mut().find(same) {
            Some(row) => row.figures.push((figure, m.median)),
            None => {
                rows.push(Row { scenario, readers: m.threads, engine: &m.engine, figures: vec![(figure, m.median)] })
            }
        }
    }
    rows
}

/// The columns of figures: heading, figure, digits after the point, and what it is divided by.
pub const COLUMNS: &[(&str, &str, usize, f64)] = &[
    ("semops M/s", "semops", 2, 1e6),
    ("per CPU s", "semops-cpu", 2, 1e6),
    ("p50 ns", "p50", 0, 1.0),
    ("p99 ns", "p99", 0, 1.0),
    ("p99.9 ns", "p99.9", 0, 1.0),
    ("max us", "max", 0, 1e3),
    ("entries M/s", "entries", 2, 1e6),
    ("waits", "reader-waits", 0, 1.0),
    ("sleeps/s", "reader-sleeps", 0, 1.0),
    ("KiB", "memory", 0, 1.0),
    ("preempted %", "preempted", 1, 1.0),
];

/// The cells of a row.
pub fn cells(row: &Row) -> Vec<String> {
    let mut cells = vec![row.scenario.to_owned(), row.readers.to_string(), row.engine.to_owned()];
    cells.extend(COLUMNS.iter().map(|(_, figure, digits, unit)| {
        row.get(figure).map_or("-".to_owned(), |value| format!("{:.digits$}", value / unit))
    }));
    cells
}

/// The headings of the cells.
pub fn header() -> Vec<&'static str> {
    ["scenario", "readers", "engine"].into_iter().chain(COLUMNS.iter().map(|column| column.0)).collect()
}

/// The rows for a terminal.
pub fn table(rows: &[Row]) -> String {
    table::layout(&header(), &rows.iter().map(cells).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_one_run_share_a_row() {
        let figure = |case: &str, threads, median| Measurement {
            group: "load".to_owned(),
            case: case.to_owned(),
            engine: "e".to_owned(),
            threads,
            unit: "1/s".to_owned(),
            median,
            min: 0.0,
            max: 0.0,
            runs: 1,
        };
        let all = [figure("s:semops", 1, 2.5e6), figure("s:p99", 1, 70.0), figure("s:p99", 2, 80.0)];
        let rows = rows(&all);
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].get("p99"), rows[1].get("p99"), rows[1].get("semops")), (Some(70.0), Some(80.0), None));
        assert_eq!(cells(&rows[0])[..4], ["s", "1", "e", "2.50"]);
        assert_eq!(cells(&rows[1])[3], "-");
        assert_eq!(cells(&rows[0]).len(), header().len());
    }
}
