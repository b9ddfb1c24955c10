//! The seeds of the fuzzers, and the samples of images, as ordinary tests.

use std::fs;
use std::path::Path;

use semundo_fuzz::{image, sample, seq, text};

fn check_all(target: &str, check: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let seeds = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let checked = seeds.inspect(|seed| println!("{}", seed.display())).map(|seed| check(&fs::read(seed).unwrap()));
    assert!(checked.count() > 0);
}

#[test]
fn seeds_of_text() {
    check_all("text", text::check);
}

#[test]
fn seeds_of_images() {
    check_all("image", image::check);
}

#[test]
fn seeds_of_records() {
    check_all("seq", seq::check);
}

#[test]
fn samples_are_images() {
    for seed in 0..200 {
        let sample = sample::image(seed);
        assert!(semundo::image::Image::parse(&sample).is_ok());
        image::check(&sample);
    }
}
