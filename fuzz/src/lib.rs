//! What must hold for any bytes that the parsers are given, and for the reader of any records by any calls: each module has a `check` that panics where it does not.
//!
//! `cargo xtask test fuzz` compiles the fuzzers of `fuzz_targets` with a stable compiler and runs them for half a minute; with cargo-fuzz
//! and a nightly toolchain it is `cargo fuzz run --features libfuzzer image fuzz/corpus/image fuzz/seeds/image`. The seeds, to
//! which an input that was found to fail is added, are checked by an ordinary `cargo test`, too.

pub mod allocated;
pub mod image;
pub mod sample;
pub mod seq;
pub mod text;
