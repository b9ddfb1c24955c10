//! The cases of the group `rcu` as Criterion benchmarks, for who wants to dig: one thread, and the time as Criterion takes it.

use std::time::{Duration, Instant};

use benches::cases::{PEAK_OF, beside_writer};
use benches::engine::{SECTIONS, WALKS};
use benches::engines;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn read(criterion: &mut Criterion) {
    let mut sections = criterion.benchmark_group("empty-section");
    sections.throughput(Throughput::Elements(SECTIONS));
    for engine in engines::all() {
        let subject = (engine.start)();
        let mut reader = subject.reader();
        sections.bench_function(engine.name, |bencher| bencher.iter(|| reader.sections(SECTIONS)));
    }
    sections.finish();
    let mut walks = criterion.benchmark_group("walk-100");
    walks.throughput(Throughput::Elements(WALKS));
    for engine in engines::all() {
        let subject = (engine.start)();
        let mut reader = subject.reader();
        walks.bench_function(engine.name, |bencher| bencher.iter(|| reader.walks(WALKS)));
    }
    walks.finish();
    let mut walks = criterion.benchmark_group("walk-100-writer");
    walks.throughput(Throughput::Elements(WALKS));
    for engine in engines::all() {
        let subject = (engine.start)();
        let mut reader = subject.reader();
        let bench = || {
            walks.bench_function(engine.name, |bencher| bencher.iter(|| reader.walks(WALKS)));
        };
        let ((), reached) = beside_writer(&*subject, None, bench);
        eprintln!("{}: the writer reached {:.0} % of its rate", engine.name, reached * 100.0);
    }
}

fn update(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("synchronize");
    for engine in engines::all().into_iter().filter(|engine| engine.skills.synchronize) {
        let subject = (engine.start)();
        group.bench_function(engine.name, |bencher| bencher.iter(|| subject.synchronize()));
    }
    group.finish();
    let mut group = criterion.benchmark_group("retire");
    for engine in engines::all().into_iter().filter(|engine| engine.skills.retire) {
        let subject = (engine.start)();
        group.bench_function(engine.name, |bencher| {
            bencher.iter_custom(|count| {
                let mut writer = subject.writer();
                let start = Instant::now();
                writer.retire(count);
                let elapsed = start.elapsed();
                drop(writer);
                subject.drain();
                elapsed
            });
        });
    }
    group.finish();
    let mut group = criterion.benchmark_group("retire-peak");
    for engine in engines::all().into_iter().filter(|engine| engine.skills.retire) {
        let subject = (engine.start)();
        let mut peak = 0;
        group.bench_function(engine.name, |bencher| {
            bencher.iter(|| peak = peak.max(subject.writer().retire_peak(PEAK_OF)));
        });
        eprintln!("{}: at most {peak} objects waited", engine.name);
        subject.drain();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = read, update
}
criterion_main!(benches);
