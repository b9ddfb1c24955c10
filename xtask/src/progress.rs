//! Long steps with their elapsed time: a spinner on a terminal, plain lines anywhere else.
//!
//! It speaks on standard error, so that a command's own output stays clean.

use std::io::{IsTerminal, stderr};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

static STARTED: OnceLock<Instant> = OnceLock::new();

/// All spinners, so that a step within a step has a line of its own.
static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Sets the instant that all printed times count from.
pub fn start_clock() {
    STARTED.get_or_init(Instant::now);
}

/// The time since the program started, as `[  12 s]`.
pub fn stamp() -> String {
    let started = STARTED.get_or_init(Instant::now);
    format!("[{:4} s]", started.elapsed().as_secs())
}

/// Prints one stamped line.
pub fn line(text: &str) {
    SPINNERS.suspend(|| eprintln!("{} {text}", stamp()));
}

/// Prints one line of a command's own output, above any spinner.
pub fn say(text: &str) {
    SPINNERS.suspend(|| println!("{text}"));
}

/// A step in progress; it ends when dropped.
pub struct Step {
    what: String,
    began: Instant,
    spinner: Option<ProgressBar>,
    announced: bool,
}

impl Step {
    /// Announces a step; where it was quick, a terminal forgets it again.
    pub fn new(what: &str) -> Self {
        let mut step = Self::silent(what);
        step.announced = true;
        if step.spinner.is_none() {
            line(what);
        }
        step
    }

    /// A step that shows itself only while it runs and only on a terminal.
    pub fn silent(what: &str) -> Self {
        Self {
            what: what.to_owned(),
            began: Instant::now(),
            spinner: stderr().is_terminal().then(|| spinner(what)),
            announced: false,
        }
    }

    /// Shows what the step is at, on a terminal.
    pub fn note(&self, text: &str) {
        if let Some(spinner) = &self.spinner {
            let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
            spinner.set_message(text);
        }
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let Some(spinner) = &self.spinner else { return };
        spinner.finish_and_clear();
        let took = self.elapsed();
        if self.announced && took > Duration::from_secs(2) {
            line(&format!("{} ({:.0} s)", self.what, took.as_secs_f64()));
        }
    }
}

fn spinner(what: &str) -> ProgressBar {
    let template = "{spinner} {elapsed:>4} {prefix}  {wide_msg:.dim}";
    let style = ProgressStyle::with_template(template).expect("the template is right");
    let spinner = SPINNERS.add(ProgressBar::new_spinner().with_style(style));
    spinner.set_prefix(what.to_owned());
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}
