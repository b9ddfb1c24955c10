//! Deferred reclamation: how fast a writer can replace, and how much memory that takes meanwhile.

use std::time::{Duration, Instant};

use super::wait::beside_readers;
use crate::engine::{Engine, Subject};
use crate::engines;
use crate::harness::{Measurement, interleave};

/// How many objects a run of `retire-peak` retires.
pub const PEAK_OF: u64 = 200_000;

/// How long a run of `retire` takes.
const AT_LEAST: Duration = Duration::from_millis(50);

/// How many objects are retired between two looks at the clock.
const BATCH: u64 = 512;

fn subjects() -> Vec<(Engine, Box<dyn Subject>)> {
    let able = engines::all().into_iter().filter(|engine| engine.skills.retire);
    able.map(|engine| (engine, (engine.start)())).collect()
}

/// Measures replacements a second by one writer, without a reader and with one.
///
/// The time of an engine's reclamation counts as far as the writer or its core pays for it; what is left when the run ends
/// is not waited for. `retire-peak` shows how much that can be.
pub(super) fn throughput(out: &mut dyn FnMut(Measurement)) {
    for readers in 0..=1 {
        let all = interleave(("retire", readers, "ops/s"), &mut subjects(), |_, subject| {
            let figure = beside_readers(&**subject, readers, || {
                let mut writer = subject.writer();
                let (start, mut done) = (Instant::now(), 0);
                while start.elapsed() < AT_LEAST {
                    writer.retire(BATCH);
                    done += BATCH;
                }
                done as f64 / start.elapsed().as_secs_f64()
            });
            subject.drain();
            Some(figure)
        });
        all.into_iter().for_each(&mut *out);
    }
}

/// Measures the most objects that wait for reclamation, without a reader and with one.
pub(super) fn peak(out: &mut dyn FnMut(Measurement)) {
    for readers in 0..=1 {
        let all = interleave(("retire-peak", readers, "objects"), &mut subjects(), |_, subject| {
            let peak = beside_readers(&**subject, readers, || subject.writer().retire_peak(PEAK_OF));
            subject.drain();
            Some(peak as f64)
        });
        all.into_iter().for_each(&mut *out);
    }
}
