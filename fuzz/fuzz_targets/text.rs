//! The fuzzer of the text form's parser.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    semundo_fuzz::text::check(text);
});
