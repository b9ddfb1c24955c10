//! The fuzzer of the parser of images. Now and then it goes on from a valid image, or changes one by its lines and numbers.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use semundo_fuzz::{image, sample};

fuzz_target!(|bytes: &[u8]| {
    image::check(bytes);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let made = match seed % 64 {
        0 => sample::image(seed),
        1..32 => sample::change(&data[..size], seed),
        _ => return fuzzer_mutate(data, size, max_size),
    };
    if made.len() > max_size {
        return fuzzer_mutate(data, size, max_size);
    }
    data[..made.len()].copy_from_slice(&made);
    made.len()
});
