//! Measures the group `seqfile` and prints a JSON line a figure: a table as `/proc/sysvipc/sem` is one, read in pieces.
//! Takes root, for an IPC namespace.
//!
//! Times are CPU times of the one thread, so that other tenants of the machine do not count; printers take turns within a
//! run. The kernel holds 32,000 sets at most: its figure a record stands for that of 100,000.

#[path = "../../../fuzz/src/allocated.rs"]
mod allocated;

use std::error::Error;
use std::hint::black_box;

use benches::clock;
use benches::harness::{Measurement, RUNS};
use benches::table::{OURS, PRINTERS, Printer, Row, Sets, read_all, system_call};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How many records a figure is over, at least: small tables are read again and again.
const RECORDS: usize = 100_000;

/// The most sets of an IPC namespace.
const MOST_SETS: usize = 32_000;

fn main() -> Result<()> {
    if let Some(core) = clock::cores().first() {
        clock::pin(*core);
    }
    let few = Sets::create(1000)?;
    let many = Sets::create(MOST_SETS)?;
    let rows = few.rows()?;
    let hundred_thousand: Vec<Row> = rows.iter().copied().cycle().take(100_000).collect();
    let call = call_cost(&few)?;
    for (case, rows, sets, piece) in [
        ("records-1000-4k", &rows, &few, 4 << 10),
        ("records-1000-64k", &rows, &few, 64 << 10),
        ("records-100000-4k", &hundred_thousand, &many, 4 << 10),
        ("records-100000-64k", &hundred_thousand, &many, 64 << 10),
        ("records-100000-whole", &hundred_thousand, &many, 16 << 20),
    ] {
        eprintln!("{case}");
        records(case, rows, sets, piece, call)?;
    }
    eprintln!("first-byte-100000");
    first_byte(&hundred_thousand)?;
    peak_memory("peak-memory-1000", &rows)?;
    peak_memory("peak-memory-100000", &hundred_thousand)
}

fn report(case: &'static str, engine: &'static str, unit: &'static str, mut runs: Vec<f64>) {
    runs.sort_by(f64::total_cmp);
    println!("{}", Measurement { group: "seqfile", case, engine, threads: 1, unit, runs }.json());
}

/// The CPU time of some work, in nanoseconds.
fn time<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let start = clock::thread_nanos();
    let done = work();
    ((clock::thread_nanos() - start) as f64, done)
}

/// What a system call on a proc file costs that prints nothing, in nanoseconds.
fn call_cost(sets: &Sets) -> Result<f64> {
    const CALLS: u32 = 100_000;
    let mut runs = Vec::new();
    for _ in 0..=RUNS {
        let (nanos, done) = time(|| (0..CALLS).try_for_each(|_| system_call(sets).map(|_| ())));
        done?;
        runs.push(nanos / f64::from(CALLS));
    }
    runs.remove(0);
    report("system-call", "kernel", "ns", runs.clone());
    runs.sort_by(f64::total_cmp);
    Ok(runs[RUNS / 2])
}

/// Reading all records, in pieces of one size.
fn records(case: &'static str, rows: &[Row], sets: &Sets, piece: usize, call: f64) -> Result<()> {
    let mut out = vec![0; piece];
    let mut runs = vec![Vec::new(); PRINTERS.len()];
    let (mut kernel, mut without_calls) = (Vec::new(), Vec::new());
    let in_kernel = sets.rows()?.len();
    for _ in 0..=RUNS {
        for (printer, runs) in PRINTERS.iter().zip(&mut runs) {
            let times = RECORDS.div_ceil(rows.len());
            let (nanos, done) = time(|| repeat(times, || Ok(read_all(&mut *(printer.open)(rows, piece), &mut out)?)));
            done?;
            runs.push(nanos / (times * rows.len()) as f64);
        }
        let times = MOST_SETS.div_ceil(in_kernel);
        let (nanos, calls) = time(|| repeat(times, || Ok(read_all(&mut sets.open()?, &mut out)?)));
        // As many again of `lseek`, one a reading.
        let calls = (calls? + times) as f64;
        let all = (times * in_kernel) as f64;
        kernel.push(nanos / all);
        without_calls.push((nanos - calls * call) / all);
    }
    for (engine, mut runs) in PRINTERS.iter().map(|printer| printer.name).zip(runs) {
        runs.remove(0);
        report(case, engine, "ns/record", runs);
    }
    for (engine, mut runs) in [("kernel", kernel), ("kernel-without-calls", without_calls)] {
        runs.remove(0);
        report(case, engine, "ns/record", runs);
    }
    Ok(())
}

/// Does the work so many times, and says how many reads it took.
fn repeat(times: usize, mut work: impl FnMut() -> Result<(usize, usize)>) -> Result<usize> {
    let mut all = 0;
    for _ in 0..times {
        let (bytes, reads) = work()?;
        black_box(bytes);
        all += reads;
    }
    Ok(all)
}

/// Opening a table and reading its first byte.
fn first_byte(rows: &[Row]) -> Result<()> {
    // The hand loop has no such thing: it serves large reads only.
    let printers: Vec<_> = PRINTERS.iter().filter(|printer| printer.name != "hand-loop").collect();
    let mut runs = vec![Vec::new(); printers.len()];
    for _ in 0..=RUNS {
        for (printer, runs) in printers.iter().zip(&mut runs) {
            let times = if printer.name == OURS.name { 10_000 } else { 3 };
            let (nanos, done) = time(|| repeat(times, || first(printer, rows)));
            done?;
            runs.push(nanos / times as f64);
        }
    }
    for (printer, mut runs) in printers.iter().zip(runs) {
        runs.remove(0);
        report("first-byte-100000", printer.name, "ns", runs);
    }
    Ok(())
}

fn first(printer: &Printer, rows: &[Row]) -> Result<(usize, usize)> {
    let mut byte = [0];
    Ok(((printer.open)(black_box(rows), 4 << 10).read(&mut byte)?, 1))
}

/// The most memory that reading all records in pieces of 4 KiB takes.
fn peak_memory(case: &'static str, rows: &[Row]) -> Result<()> {
    let mut out = vec![0; 4 << 10];
    for printer in PRINTERS {
        let mut runs = Vec::new();
        for _ in 0..RUNS {
            let (read, bytes) = allocated::peak(|| read_all(&mut *(printer.open)(rows, out.len()), &mut out));
            read?;
            runs.push(bytes as f64);
        }
        report(case, printer.name, "bytes", runs);
    }
    // A read of one byte less than the buffer holds takes a buffer, too.
    let (read, bytes) = allocated::peak(|| read_all(&mut *(OURS.open)(rows, out.len()), &mut out[..4095]));
    read?;
    report(case, "seqfile-core-buffered", "bytes", vec![bytes as f64]);
    Ok(())
}
