//! The demo's story, told to nobody.

use anyhow::{Result, bail};

use super::{Test, test};
use crate::demo;

pub const TESTS: &[Test] = &[test("story: the demo", 60, demo_holds)];

fn demo_holds() -> Result<()> {
    let mut told = Vec::new();
    if !demo::run(&mut told)? {
        bail!("it told:\n{}", String::from_utf8_lossy(&told));
    }
    Ok(())
}
