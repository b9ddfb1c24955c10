//! `cargo xtask`: the one command a contributor types.
//!
//! Builds the kernel module against Debian's stock kernels, boots them in QEMU, and runs the
//! demonstration, the tests and the benchmarks. Every subcommand gets what it needs by itself.

mod apt;
mod bench;
mod bench_report;
mod bpf;
mod cache;
mod chroot;
mod command;
mod criu;
mod demo;
mod dkms;
mod fuzz;
mod fuzz_engine;
mod guest;
mod in_tree;
mod initramfs;
mod installed;
mod kernel;
mod programs;
mod progress;
mod proof;
mod proof_nightly;
mod qemu;
mod shim_checkers;
mod sources;
mod suite;
mod summary;
mod table;
mod test;
mod test_steps;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build, boot, test and measure semundo.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    after_help = "Downloads and builds are kept below target/xtask, or below $SEMUNDO_CACHE; \
                  delete that directory to start afresh (it also fetches newer kernels)."
)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Show an undo list coming out of a stock Debian kernel, and check every value
    Demo(demo::Args),
    /// Run every check: format, lints, documents, host tests, module builds, tests in the VM
    Test(test::Args),
    /// Run benchmark groups and write target/bench/report.json and bars.json
    Bench(bench::Args),
    /// Boot a stock kernel with the module loaded, or a patched one, and run a command, or a shell
    Vm(vm::Args),
    /// Run random programs on the semaphore engine and on the running kernel, and compare after each call
    FuzzEngine(fuzz_engine::Args),
    /// Compile the BPF program of the command
    Bpf,
    /// Build the module for a suite's stock kernel, or the patched kernel, and print its path
    Kernel(kernel::Args),
}

fn main() -> ExitCode {
    progress::start_clock();
    let ended = match Cli::parse().command {
        Task::Demo(args) => demo::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Vm(args) => vm::run(&args),
        Task::Bpf => bpf::run(),
        Task::FuzzEngine(args) => fuzz_engine::run(&args),
        Task::Kernel(args) => kernel::run(&args),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("cargo xtask: {error:#}");
        ExitCode::FAILURE
    })
}
