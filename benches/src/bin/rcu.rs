//! Measures the group `rcu` and prints a JSON line a figure; progress goes to standard error.
//!
//! `rcu [CASE...]` measures the named cases only.

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use benches::cases;

fn main() -> ExitCode {
    let wanted: Vec<_> = env::args().skip(1).collect();
    if let [first, case, engine, threads] = &wanted[..]
        && first == cases::RUN_ONE
    {
        let threads = threads.parse().expect("a number of threads");
        cases::run_one(case, engine, threads).inspect(|figure| println!("{figure}"));
        return ExitCode::SUCCESS;
    }
    let known = |name: &String| cases::ALL.iter().any(|case| case.name == name);
    if let Some(name) = wanted.iter().find(|name| !known(name)) {
        eprintln!("there is no case {name:?}; there are: {}", cases::ALL.map(|case| case.name).join(", "));
        return ExitCode::from(2);
    }
    if cfg!(not(feature = "liburcu")) {
        eprintln!("NOT MEASURED: the liburcu engines: this was built without the feature `liburcu`");
    }
    let start = Instant::now();
    for case in cases::ALL.iter().filter(|case| wanted.is_empty() || wanted.iter().any(|name| name == case.name)) {
        eprintln!("{:4} s: {}", start.elapsed().as_secs(), case.name);
        (case.measure)(&mut |measurement| println!("{}", measurement.json()));
    }
    eprintln!("{:4} s: done", start.elapsed().as_secs());
    ExitCode::SUCCESS
}
