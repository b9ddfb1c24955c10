//! Runs: engines take turns within a run, and a figure is the median of its runs.

use crate::engine::Engine;

/// The runs that count.
pub const RUNS: usize = 11;

/// The runs before them.
const WARM_UP: usize = 1;

/// How often a run that went wrong is made up for.
const SPARE: usize = 11;

/// One line of the report.
#[derive(Debug)]
pub struct Measurement {
    /// The benchmark group.
    pub group: &'static str,
    /// What was measured.
    pub case: &'static str,
    /// Who did it.
    pub engine: &'static str,
    /// With how many threads; for `synchronize` and `retire`, with how many readers.
    pub threads: usize,
    /// The unit of the figures.
    pub unit: &'static str,
    /// Of the runs, in ascending order.
    pub runs: Vec<f64>,
}

impl Measurement {
    /// The line, as JSON.
    pub fn json(&self) -> String {
        let Self { group, case, engine, threads, unit, runs } = self;
        let at = |at: usize| (runs[at] * 1000.0).round() / 1000.0;
        let (median, min, max) = (at(runs.len() / 2), at(0), at(runs.len() - 1));
        format!(
            r#"{{"group":"{group}","case":"{case}","engine":"{engine}","threads":{threads},"unit":"{unit}","median":{median},"min":{min},"max":{max},"runs":{}}}"#,
            runs.len()
        )
    }
}

/// Measures each engine [`RUNS`] times by `run`, in turns: whatever the machine does meanwhile, it does to all.
///
/// A run that answers `None` does not count and is made up for a few times; an engine that still has too few runs gets
/// no figure, and an error line says so.
pub fn interleave<T>(
    (case, threads, unit): (&'static str, usize, &'static str),
    subjects: &mut [(Engine, T)],
    mut run: impl FnMut(&Engine, &mut T) -> Option<f64>,
) -> Vec<Measurement> {
    let mut runs = vec![Vec::new(); subjects.len()];
    for round in 0..WARM_UP + RUNS + SPARE {
        for ((engine, subject), runs) in subjects.iter_mut().zip(&mut runs) {
            if runs.len() < RUNS
                && let Some(figure) = run(engine, subject)
                && round >= WARM_UP
            {
                runs.push(figure);
            }
        }
    }
    let all = subjects.iter().zip(runs).filter_map(|((engine, _), mut runs)| {
        if runs.len() < RUNS {
            eprintln!("NOT MEASURED: {case} of {} with {threads}: {} good runs of {RUNS}", engine.name, runs.len());
            return None;
        }
        runs.sort_by(f64::total_cmp);
        Some(Measurement { group: "rcu", case, engine: engine.name, threads, unit, runs })
    });
    all.collect()
}
