//! The fuzzer of the reader of records.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    semundo_fuzz::seq::check(bytes);
});
