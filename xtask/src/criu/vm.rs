//! The same tests in a virtual machine, on a suite's stock kernel: for a CRIU that wants another kernel than the host's, and for what
//! the host may not do.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::{TESTS, modules, tell_what_is_not_tested, with_tests};
use crate::apt;
use crate::cache::{self, RunDir};
use crate::chroot::Chroot;
use crate::command;
use crate::initramfs::{self, Contents, Job};
use crate::kernel;
use crate::qemu::{self, Machine, Outputs, Sink};
use crate::suite::Suite;
use crate::test_steps::{Log, Ran};

/// What runs in the machine.
const GUEST: &str = include_str!("guest.sh");

/// Runs the tests. With `all`, nothing may be left out.
pub fn run(log: &mut Log, suite: Suite, all: bool) -> Result<Ran> {
    apt::ensure(&["xz-utils"])?;
    let run = RunDir::new()?;
    let root = with_tests(suite, &run)?;
    let initramfs = run.file("initramfs");
    let (image, modules) = kernel_of(suite, &run)?;
    let environment = if all { &["busybox", "env", "SEMUNDO_TEST_ALL=1"][..] } else { &[] };
    let words = [&["unshare", "-m", "sh", "-c", GUEST, "sh"], environment, TESTS].concat();
    let contents = Contents {
        programs: Vec::new(),
        trees: vec![(root.0, "criu".to_owned()), (modules, "modules".to_owned())],
        job: Job::Command(words.into_iter().map(str::to_owned).collect()),
    };
    initramfs::write(&initramfs, &contents)?;
    let kernel_log = run.file("kernel.log");
    let machine = Machine {
        image: &image,
        initramfs: &initramfs,
        memory: 2048,
        // CRIU writes code into other processes: QEMU does not always see that where two processors run.
        processors: 1,
        kernel_arguments: "semundo.load=0",
        kernel_log: &kernel_log,
        status: run.file("status"),
        timeout: Some(Duration::from_secs(3600)),
        interactive: false,
    };
    let said = Arc::new(Mutex::new(Vec::new()));
    let outputs = Outputs { stdout: kept(log.sink()?, said.clone()), stderr: log.sink()? };
    let status = qemu::run(&machine, outputs)
        .map_err(|error| anyhow!("{error:#}\nThe kernel's last lines:\n{}", command::tail(&kernel_log)))?;
    tell_what_is_not_tested(&String::from_utf8_lossy(&said.lock().expect("no writer panics")), suite, "its own kernel");
    Ok(Ran::Done(status == 0))
}

/// Also keeps what is written to a sink.
fn kept(mut sink: Sink, said: Arc<Mutex<Vec<u8>>>) -> Sink {
    Box::new(move |bytes| {
        said.lock().expect("no reader panics").extend_from_slice(bytes);
        sink(bytes)
    })
}

/// A suite's kernel, and a directory with the modules that CRIU asks for.
fn kernel_of(suite: Suite, run: &RunDir) -> Result<(PathBuf, PathBuf)> {
    let _lock = cache::lock(suite)?;
    let chroot = Chroot::prepare(suite)?;
    let modules = cache::make_dir(&run.file("modules"))?;
    modules::extract(chroot.root(), &modules)?;
    Ok((kernel::image(&chroot)?, modules))
}
