//! The plots, as SVG: a line an engine over categories.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::rows::{Row, rows};
use crate::bench_report::Measurement;

/// Percentiles as they are shown, and the figures that they are.
pub const PERCENTILES: [(&str, &str); 4] = [("p50", "p50"), ("p99", "p99"), ("p99.9", "p99.9"), ("max", "max")];

const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(225, 225, 225);

/// Who is shown how: name in the report, name for people, colour, width of the line. Colours can be told apart by the colour-blind.
pub const ENGINES: [(&str, &str, RGBColor, u32); 8] = [
    ("membarrier", "RCU, membarrier", RGBColor(0, 90, 181), 4),
    ("qsbr", "RCU, qsbr", RGBColor(86, 180, 233), 2),
    ("epoch", "RCU, epoch", RGBColor(0, 158, 115), 2),
    ("arc-swap", "arc-swap, copy on write", RGBColor(204, 121, 167), 2),
    ("std-mutex", "std Mutex", RGBColor(213, 94, 0), 2),
    ("std-rwlock", "std RwLock", RGBColor(230, 159, 0), 2),
    ("parking-lot-rwlock", "parking_lot RwLock", RGBColor(150, 120, 0), 2),
    ("kernel", "the live kernel", RGBColor(0, 0, 0), 2),
];

/// One plot.
pub struct Plot<'a> {
    /// What it shows.
    pub title: &'a str,
    /// What the categories are.
    pub x: &'a str,
    /// The categories, from left to right.
    pub categories: Vec<String>,
    /// The unit of the values.
    pub unit: Unit,
    /// Whether equal ratios are equal distances.
    pub log: bool,
    /// For each engine its values, one a category.
    pub lines: Vec<(&'a str, Vec<Option<f64>>)>,
}

/// What values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Per second.
    Rate,
    /// Nanoseconds.
    Time,
    /// KiB.
    Memory,
}

/// The plot of the README: throughput of both sides over the number of readers.
pub fn main(all: &[Measurement]) -> Result<String> {
    let rows = rows(all);
    let plots = [
        over_readers(&rows, "churn", "semops", Unit::Rate, false, "Writer: semop calls a second"),
        over_readers(&rows, "churn", "entries", Unit::Rate, false, "Readers: entries listed a second"),
    ];
    svg(&plots)
}

/// A figure of a scenario over the number of readers.
pub fn over_readers<'a>(
    rows: &[Row<'a>],
    scenario: &str,
    figure: &str,
    unit: Unit,
    log: bool,
    title: &'a str,
) -> Plot<'a> {
    let mut readers: Vec<u32> =
        of(rows, scenario).filter(|row| row.get(figure).is_some()).map(|row| row.readers).collect();
    readers.sort_unstable();
    readers.dedup();
    let at = |engine: &str, readers: u32| {
        of(rows, scenario).find(|row| row.engine == engine && row.readers == readers).and_then(|row| row.get(figure))
    };
    let lines = engines(|engine| readers.iter().map(|readers| at(engine, *readers)).collect());
    let categories = readers.iter().map(u32::to_string).collect();
    Plot { title, x: "readers", categories, unit, log, lines }
}

/// The percentiles of a semop's time in a scenario with so many readers.
pub fn percentiles<'a>(rows: &[Row<'a>], scenario: &str, readers: u32, title: &'a str) -> Plot<'a> {
    let lines = engines(|engine| {
        let row = of(rows, scenario).find(|row| row.engine == engine && row.readers == readers);
        PERCENTILES.iter().map(|(_, figure)| row.and_then(|row| row.get(figure))).collect()
    });
    let categories = PERCENTILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    Plot { title, x: "percentile", categories, unit: Unit::Time, log: true, lines }
}

/// A figure over scenarios that differ in one number, given with it; all have one reader.
pub fn over_scenarios<'a>(
    rows: &[Row<'a>],
    (scenarios, x): (&[(&str, &str)], &'a str),
    figure: &str,
    (unit, log): (Unit, bool),
    title: &'a str,
) -> Plot<'a> {
    let lines = engines(|engine| {
        let at = |(scenario, _): &(&str, &str)| {
            of(rows, scenario).find(|row| row.engine == engine && row.readers == 1).and_then(|row| row.get(figure))
        };
        scenarios.iter().map(at).collect()
    });
    let categories = scenarios.iter().map(|(_, number)| (*number).to_owned()).collect();
    Plot { title, x, categories, unit, log, lines }
}

fn of<'r, 'a>(rows: &'r [Row<'a>], scenario: &'r str) -> impl Iterator<Item = &'r Row<'a>> {
    rows.iter().filter(move |row| row.scenario == scenario)
}

/// The engines that have a value at all.
fn engines<'a>(values: impl Fn(&str) -> Vec<Option<f64>>) -> Vec<(&'a str, Vec<Option<f64>>)> {
    let all = ENGINES.iter().map(|(engine, ..)| (*engine, values(engine)));
    all.filter(|(_, values)| values.iter().any(Option::is_some)).collect()
}

/// Draws plots side by side, with one legend below.
pub fn svg(plots: &[Plot]) -> Result<String> {
    const SIZE: (u32, u32) = (480, 320);
    const LEGEND: i32 = 52;
    let mut text = String::new();
    let size = (SIZE.0 * plots.len() as u32, SIZE.1 + LEGEND as u32);
    {
        let root = SVGBackend::with_string(&mut text, size).into_drawing_area();
        root.fill(&WHITE).map_err(drawing)?;
        let (upper, lower) = root.split_vertically(SIZE.1 as i32);
        for (plot, area) in plots.iter().zip(upper.split_evenly((1, plots.len()))) {
            draw(plot, &area)?;
        }
        let shown = |engine: &str| plots.iter().any(|plot| plot.lines.iter().any(|(name, _)| *name == engine));
        legend(&lower, shown)?;
        root.present().map_err(drawing)?;
    }
    Ok(text)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn draw(plot: &Plot, area: &Area) -> Result<()> {
    let values = || plot.lines.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    let most = values().fold(1.0, f64::max);
    let scaled = |value: f64| if plot.log { value.max(1.0).log10() } else { value };
    let (from, to) = if plot.log {
        (values().fold(most, f64::min).max(1.0).log10().floor(), most.log10().ceil())
    } else {
        (0.0, most * 1.08)
    };
    let last = plot.categories.len().saturating_sub(1) as f64;
    let mut chart = ChartBuilder::on(area)
        .caption(plot.title, ("sans-serif", 17).into_font().color(&INK))
        .margin(10)
        .x_label_area_size(42)
        .y_label_area_size(62)
        .build_cartesian_2d(-0.25..last + 0.25, from..to)
        .map_err(drawing)?;
    let ticks = if plot.log { (to - from) as usize + 1 } else { 6 };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_labels(0)
        .y_labels(ticks)
        .y_label_formatter(&|value| plot.unit.show(if plot.log { 10_f64.powf(*value) } else { *value }))
        .label_style(("sans-serif", 13).into_font().color(&INK))
        .draw()
        .map_err(drawing)?;
    // The categories are labelled by hand, since an axis has no names for its numbers.
    let style = |size: u32| ("sans-serif", size).into_font().color(&INK).pos(Pos::new(HPos::Center, VPos::Top));
    let floor = chart.backend_coord(&(0.0, from)).1 + 8;
    let origin = area.get_pixel_range();
    let (left, top) = (origin.0.start, origin.1.start);
    for (at, category) in plot.categories.iter().enumerate() {
        let x = chart.backend_coord(&(at as f64, from)).0;
        area.draw(&Text::new(category.clone(), (x - left, floor - top), style(13))).map_err(drawing)?;
    }
    let middle = chart.backend_coord(&(last / 2.0, from)).0;
    area.draw(&Text::new(plot.x.to_owned(), (middle - left, floor - top + 18), style(13))).map_err(drawing)?;
    // Ours come last, and so on top.
    for (engine, values) in plot.lines.iter().rev() {
        let (_, _, colour, width) = look(engine);
        let points: Vec<_> =
            values.iter().enumerate().filter_map(|(at, value)| Some((at as f64, scaled((*value)?)))).collect();
        chart.draw_series(LineSeries::new(points.iter().copied(), colour.stroke_width(width))).map_err(drawing)?;
        let dots = points.iter().map(|point| Circle::new(*point, width + 2, colour.filled()));
        chart.draw_series(dots).map_err(drawing)?;
    }
    Ok(())
}

fn legend(area: &Area, shown: impl Fn(&str) -> bool) -> Result<()> {
    const LINE: i32 = 22;
    let width = area.dim_in_pixel().0 as i32;
    let columns = (width / 200).max(1);
    let entries = ENGINES.iter().filter(|(engine, ..)| shown(engine));
    for (at, (_, name, colour, stroke)) in entries.enumerate() {
        let (x, y) = (20 + at as i32 % columns * (width - 30) / columns, 12 + at as i32 / columns * LINE);
        area.draw(&PathElement::new([(x, y), (x + 24, y)], colour.stroke_width(*stroke))).map_err(drawing)?;
        area.draw(&Circle::new((x + 12, y), stroke + 2, colour.filled())).map_err(drawing)?;
        let style = ("sans-serif", 13).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw(&Text::new((*name).to_owned(), (x + 31, y), style)).map_err(drawing)?;
    }
    Ok(())
}

/// How an engine is shown.
pub fn look(engine: &str) -> (&str, &str, RGBColor, u32) {
    ENGINES.iter().find(|(name, ..)| *name == engine).copied().unwrap_or((engine, engine, INK, 1))
}

impl Unit {
    /// A value in the largest unit that it has one of.
    pub fn show(self, value: f64) -> String {
        let (units, step): (&[&str], f64) = match self {
            Self::Rate => (&["", " k", " M", " G"], 1000.0),
            Self::Time => (&[" ns", " µs", " ms", " s"], 1000.0),
            Self::Memory => (&[" KiB", " MiB", " GiB"], 1024.0),
        };
        let (mut value, mut unit) = (value, 0);
        while value >= step * 0.9999 && unit + 1 < units.len() {
            value /= step;
            unit += 1;
        }
        let rounded = (value * 10.0).round() / 10.0;
        let number = if rounded >= 100.0 { format!("{rounded:.0}") } else { rounded.to_string() };
        number + units[unit]
    }
}

fn drawing(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("drawing a plot: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(case: &str, engine: &str, threads: u32, median: f64) -> Measurement {
        let (case, engine) = (case.to_owned(), engine.to_owned());
        let (group, unit) = ("load".to_owned(), "1/s".to_owned());
        Measurement { group, case, engine, threads, unit, median, min: median, max: median, runs: 1 }
    }

    #[test]
    fn values_have_the_unit_that_suits_them() {
        assert_eq!(Unit::Rate.show(12_500_000.0), "12.5 M");
        assert_eq!(Unit::Rate.show(0.0), "0");
        assert_eq!(Unit::Time.show(100_000.0), "100 µs");
        assert_eq!(Unit::Time.show(999.96), "1 µs");
        assert_eq!(Unit::Memory.show(1536.0), "1.5 MiB");
    }

    #[test]
    fn a_plot_has_every_engine_that_was_measured_and_no_other() {
        let all = [
            figure("churn:semops", "membarrier", 0, 8e6),
            figure("churn:semops", "membarrier", 1, 7e6),
            figure("churn:entries", "membarrier", 1, 5e6),
            figure("churn:semops", "std-mutex", 1, 2e6),
            figure("steady:semops", "kernel", 1, 2e6),
        ];
        let text = main(&all).unwrap();
        assert!(text.starts_with("<svg"));
        assert!(text.contains("RCU, membarrier") && text.contains("std Mutex"));
        assert!(!text.contains("the live kernel") && !text.contains("RCU, qsbr"));
        let plot = over_readers(&rows(&all), "churn", "semops", Unit::Rate, false, "t");
        assert_eq!(plot.categories, ["0", "1"]);
        let expected = [("membarrier", vec![Some(8e6), Some(7e6)]), ("std-mutex", vec![None, Some(2e6)])];
        assert_eq!(plot.lines, expected);
    }

    #[test]
    fn nothing_measured_is_an_empty_plot() {
        assert!(main(&[]).unwrap().starts_with("<svg"));
    }
}
