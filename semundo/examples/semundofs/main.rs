//! Serves `PID/semundo` for every process, as a kernel with the patch series has it below `/proc`: the undo list, as text.
//!
//! ```text
//! # cargo run -p semundo --features fuse --example semundofs -- /mnt &
//! # cat /mnt/841/semundo
//! 3 2 0
//! # umount /mnt
//! ```
//!
//! It ends when it is unmounted. Who mounted it may read it, and nobody else.

mod fs;

use std::env;
use std::error::Error;

use fuser::{Config, MountOption};
use semundo::source;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [directory] = &arguments[..] else {
        return Err("usage: semundofs DIRECTORY".into());
    };
    // It serves as long as there is a program.
    let source = Box::leak(source::open()?);
    let mut config = Config::default();
    config.mount_options =
        vec![MountOption::RO, MountOption::FSName("semundo".to_owned()), MountOption::NoSuid, MountOption::NoDev];
    let mounted = fuser::mount(fs::Semundofs::new(source), directory, &config);
    Ok(mounted.map_err(|error| format!("cannot mount at {}: {error}", directory.display()))?)
}
