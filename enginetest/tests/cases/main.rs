//! Cases that others test, as tables, each run on the kernel and on the engine: the Linux Test Project's `semget`, `semop` and `semctl`,
//! and gVisor's semaphores; and the borders that neither of them goes to.
//!
//! Their cases of bad pointers and unknown commands have no counterpart: the engine's calls have neither.

mod borders;
mod gvisor;
mod ltp;
mod table;

use std::io::{self, Write};
use std::path::Path;

use enginetest::kernel::{Kernel, NotRoot};
use enginetest::{compare, engine};
use table::Case;

fn run(cases: Vec<Case>) {
    let kernel = Kernel::start(Path::new(env!("CARGO_BIN_EXE_enginetest"))).unwrap();
    let mut kernel = match kernel {
        Ok(kernel) => Some(kernel),
        Err(NotRoot) => {
            let text =
                "\nNOT TESTED: cases on the kernel, only on the engine: it takes root, who may make IPC namespaces\n";
            io::stderr().write_all(text.as_bytes()).unwrap();
            None
        }
    };
    for case in cases {
        let program = case.program();
        let trace = match &mut kernel {
            Some(kernel) => compare::run(&program, kernel)
                .unwrap_or_else(|error| panic!("{}: {error:#}", case.name))
                .unwrap_or_else(|difference| panic!("{}: the engine is not as the kernel\n{difference}", case.name)),
            None => engine::run(&program),
        };
        case.check(&trace.events);
    }
}

#[test]
fn linux_test_project_semget() {
    run(ltp::semget());
}

#[test]
fn linux_test_project_semop() {
    run(ltp::semop_cases());
}

#[test]
fn linux_test_project_semctl() {
    run(ltp::semctl_cases());
}

#[test]
fn gvisor() {
    run(gvisor::cases());
}

#[test]
fn borders() {
    run(borders::cases());
}
