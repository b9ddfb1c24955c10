//! Fuzzes the engine: random programs, on it and on the kernel, for as long as is wanted. `cargo xtask fuzz-engine` is the way to it.

use std::env;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::Parser;
use enginetest::kernel;
use enginetest::search::{Ended, Plan, Seen, search};

/// Run random programs on the engine and on the kernel, and compare after each call
#[derive(Parser)]
struct Args {
    /// For how many minutes
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// What programs are made from; another one each time where it is not given
    #[arg(long)]
    seed: Option<u64>,
    /// The number of the first program, to repeat one
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// How many programs at most
    #[arg(long)]
    programs: Option<u64>,
}

fn main() -> Result<ExitCode> {
    if let Some(served) = kernel::serve_if_told() {
        return served.map(|()| ExitCode::SUCCESS);
    }
    let args = Args::parse();
    let random =
        || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64 % 1_000_000_007);
    let seed = args.seed.unwrap_or_else(random);
    println!("seed {seed}");
    let time = Duration::try_from_secs_f64(args.minutes * 60.0)?;
    let start = Instant::now();
    let count = args.programs.unwrap_or(u64::MAX);
    let plan = Plan { seed, first: args.first, count, deadline: start.checked_add(time) };
    let told = Mutex::new(start);
    let progress = |seen: Seen| {
        let mut told = told.lock().expect("nobody panics with it");
        if told.elapsed() >= Duration::from_secs(1) {
            *told = Instant::now();
            println!("{:6.0} s  {} programs, {} calls", start.elapsed().as_secs_f64(), seen.programs, seen.calls);
        }
    };
    match search(&env::current_exe()?, plan, progress)? {
        Ended::Same { seen, no_undo } => {
            if let Some(why) = no_undo {
                println!("NOT TESTED: undo lists themselves, only what they do at the end of processes: {why}");
            }
            let Seen { programs, calls, slept, woken, undo, failed } = seen;
            println!(
                "{programs} programs, {calls} calls ({failed} failed, {slept} slept, {woken} woken by others, {undo} with something to undo): \
                 the engine is as the kernel"
            );
            Ok(ExitCode::SUCCESS)
        }
        Ended::Different(found) => {
            println!("program {} differs; shortened:\n{:#?}\n{}", found.number, found.program, found.difference);
            println!("again: cargo xtask fuzz-engine --seed {seed} --first {} --programs 1", found.number);
            Ok(ExitCode::FAILURE)
        }
        Ended::NotRoot => {
            println!("NOT TESTED: it takes root, who may make IPC namespaces");
            Ok(ExitCode::FAILURE)
        }
    }
}
