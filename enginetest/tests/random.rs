//! Twenty thousand random programs: the engine is as the kernel. The same ones each time; `cargo xtask fuzz-engine` makes others.

use std::io::{self, Write};
use std::path::Path;

use enginetest::search::{Ended, Plan, search};

const PROGRAMS: u64 = 20_000;

#[test]
fn the_engine_is_as_the_kernel() {
    let plan = Plan { seed: 20_260_101, first: 0, count: PROGRAMS, deadline: None };
    match search(Path::new(env!("CARGO_BIN_EXE_enginetest")), plan, |_| {}).unwrap() {
        Ended::Same { seen, no_undo } => {
            say(&format!("{seen:?}"));
            if let Some(why) = &no_undo {
                say(&format!("NOT TESTED: undo lists themselves, only what they do at the end of processes: {why}"));
            }
            // A generator whose programs do nothing would find no difference either.
            assert_eq!(seen.programs, PROGRAMS);
            assert!(seen.calls > 10 * PROGRAMS && seen.failed < seen.calls / 2, "{seen:?}");
            assert!(seen.slept > PROGRAMS && seen.woken > PROGRAMS / 4, "{seen:?}");
            assert!(no_undo.is_some() || seen.undo > 2 * PROGRAMS, "{seen:?}");
        }
        Ended::Different(found) => {
            panic!("program {} differs; shortened:\n{:#?}\n{}", found.number, found.program, found.difference);
        }
        Ended::NotRoot => say("NOT TESTED: the engine against the kernel: it takes root, who may make IPC namespaces"),
    }
}

/// Past the test harness, which keeps what passing tests print.
fn say(text: &str) {
    io::stderr().write_all(format!("\n{text}\n").as_bytes()).unwrap();
}
