//! What the test files share: a sequence that misbehaves on demand and writes down how it is
//! driven, and the kernel's side of the thunks.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod cseq;
pub mod source;

use proptest::prelude::*;

/// The most records of a sequence, and the most calls made on it. Miri is a thousand times slower.
pub const STEPS: usize = if cfg!(miri) { 6 } else { 60 };

/// Few cases under Miri, and no files written.
pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { cases / 128 } else { cases },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
