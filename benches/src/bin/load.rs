//! Measures the group `load` and prints a JSON line a figure; what could not be measured is told by lines that say so.
//!
//! `load [ROUNDS MILLISECONDS [SCENARIO...]]`: how often each scenario is run, how long a run is, and which scenarios.

use std::env;
use std::error::Error;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use benches::load::figures::Series;
use benches::load::live::{self, Live};
use benches::load::run::Subject;
use benches::load::scenario::Scenario;
use benches::load::{engine, run, scenario};
use indicatif::{ProgressBar, ProgressStyle};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Many and short: a machine that others use changes its pace every few seconds, and who is compared is to have the same.
const ROUNDS: u32 = 25;
const RUN: Duration = Duration::from_millis(50);

/// Who is measured.
enum Subjects<'a> {
    Engine(fn() -> Box<dyn Subject>),
    Kernel(&'a Live),
    /// What could not be measured.
    Nobody,
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let ended = match &arguments[..] {
        [first, rest @ ..] if first == live::WRITER => live::writer(rest),
        [] => measure(ROUNDS, RUN, &[]),
        [rounds, millis, scenarios @ ..] => match (rounds.parse(), millis.parse()) {
            (Ok(rounds), Ok(millis)) => measure(rounds, Duration::from_millis(millis), scenarios),
            _ => Err(format!("not two numbers: {rounds} {millis}").into()),
        },
        _ => Err("load [ROUNDS MILLISECONDS [SCENARIO...]]".into()),
    };
    ended.map_or_else(
        |error| {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

fn measure(rounds: u32, duration: Duration, scenarios: &[String]) -> Result<()> {
    let known = scenario::all();
    if let Some(name) = scenarios.iter().find(|name| known.iter().all(|one| one.name != **name)) {
        return Err(format!("there is no scenario {name:?}").into());
    }
    let wanted = |one: &Scenario| scenarios.is_empty() || scenarios.iter().any(|name| name == one.name);
    let live = Live::enter();
    let mut series = Vec::new();
    // Runs that differ in their readers alone follow each other, since they are what is compared most closely.
    let wanted_ones: Vec<_> = known.into_iter().filter(wanted).collect();
    for same in wanted_ones.chunk_by(|one, other| one.name == other.name) {
        for engine in engine::ALL {
            series.extend(same.iter().map(|one| (Series::new(*one, engine.name), Subjects::Engine(engine.start))));
        }
    }
    match &live {
        Ok(live) => {
            let (possible, others): (Vec<_>, Vec<_>) = scenario::live()
                .into_iter()
                .filter(wanted)
                .partition(|one| one.readers == 0 || live.unreadable().is_none());
            series.extend(possible.into_iter().map(|one| (Series::new(one, "kernel"), Subjects::Kernel(live))));
            if let (Some(reason), false) = (live.unreadable(), others.is_empty()) {
                not_measured(&format!("readers of the live kernel: {reason}"));
            }
        }
        Err(reason) => not_measured(&format!("the live kernel: {reason}")),
    }
    let progress = Progress::new(u64::from(rounds) * series.len() as u64);
    for round in 1..=rounds {
        progress.round(round, rounds);
        for (series, contender) in &mut series {
            progress.run(series);
            match contender {
                Subjects::Engine(start) => series.add(run::run(*start, series.scenario(), duration)),
                Subjects::Kernel(live) => match live.run(series.scenario(), duration) {
                    Ok(figures) => series.add(figures),
                    // The engine's figures are worth having all the same.
                    Err(error) => {
                        not_measured(&format!("{series}: {error}"));
                        *contender = Subjects::Nobody;
                    }
                },
                Subjects::Nobody => {}
            }
        }
    }
    drop(progress);
    series.iter().for_each(|(series, _)| series.print());
    Ok(())
}

/// Says so to who waits, and to who reads the figures.
fn not_measured(what: &str) {
    println!("NOT MEASURED: {what}");
    eprintln!("NOT MEASURED: {what}");
}

/// A bar on a terminal; a line a round anywhere else.
struct Progress {
    bar: Option<ProgressBar>,
    start: Instant,
}

impl Progress {
    fn new(runs: u64) -> Self {
        let template = "{elapsed:>4} [{bar:40}] {percent:>3} %, {eta} left  {wide_msg:.dim}";
        let style = ProgressStyle::with_template(template).expect("the template is right").progress_chars("=> ");
        let bar = stderr().is_terminal().then(|| ProgressBar::new(runs).with_style(style));
        Self { bar, start: Instant::now() }
    }

    fn round(&self, round: u32, rounds: u32) {
        if self.bar.is_none() {
            eprintln!("{:4} s: round {round} of {rounds}", self.start.elapsed().as_secs());
        }
    }

    fn run(&self, series: &Series) {
        if let Some(bar) = &self.bar {
            bar.set_message(series.to_string());
            bar.inc(1);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match &self.bar {
            Some(bar) => bar.finish_and_clear(),
            None => eprintln!("{:4} s: done", self.start.elapsed().as_secs()),
        }
    }
}
