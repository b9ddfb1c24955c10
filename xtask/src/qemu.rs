//! One boot of a stock kernel in QEMU, without hardware virtualisation.
//!
//! Four serial ports: the kernel's console goes to a file, the command's standard output and
//! standard error to ours, and its exit status to another file.

use std::fs;
use std::io::{self, Read, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::command;
use crate::progress::line;

/// A machine to boot.
pub struct Machine<'a> {
    /// The kernel's image.
    pub image: &'a Path,
    /// The root file system.
    pub initramfs: &'a Path,
    /// Memory in MiB.
    pub memory: u32,
    /// How many processors it has.
    pub processors: u32,
    /// More words for the kernel's command line.
    pub kernel_arguments: &'a str,
    /// Where the kernel's log goes.
    pub kernel_log: &'a Path,
    /// Where the exit status goes.
    pub status: PathBuf,
    /// How long it may run; None is for ever.
    pub timeout: Option<Duration>,
    /// Whether our terminal becomes the command's.
    pub interactive: bool,
}

/// What happens to each piece of one of the command's outputs.
pub type Sink = Box<dyn FnMut(&[u8]) -> io::Result<()> + Send>;

/// Where the command's outputs go.
pub struct Outputs {
    /// Its standard output.
    pub stdout: Sink,
    /// Its standard error, and QEMU's own complaints.
    pub stderr: Sink,
}

impl Outputs {
    /// To our own, as they come.
    pub fn ours() -> Self {
        Self {
            stdout: Box::new(|bytes| {
                let mut out = io::stdout().lock();
                out.write_all(bytes)?;
                out.flush()
            }),
            stderr: Box::new(|bytes| io::stderr().lock().write_all(bytes)),
        }
    }
}

/// How often a machine is booted whose kernel dies before it has started anything of ours.
const BOOTS: u32 = 3;

/// Boots, runs to the end, and returns the command's exit status.
///
/// QEMU emulates code that is patched while it runs not quite right (seen in 7.2): in one boot of some dozens the kernel meets a
/// breakpoint of its own that is gone by then ("Oops: int3", where it switches a static key early on). That says nothing of what is to be run.
pub fn run(machine: &Machine, mut outputs: Outputs) -> Result<u8> {
    for _ in 1..BOOTS {
        let ended = boot(machine, &mut outputs);
        if ended.is_ok() || !died_early(machine.kernel_log) {
            return ended;
        }
        line("the kernel died before it started anything: booting once more");
    }
    boot(machine, &mut outputs)
}

/// Whether the kernel panicked before it ran `/init`.
fn died_early(kernel_log: &Path) -> bool {
    panicked(kernel_log) && !log_of(kernel_log).contains("Run /init as init process")
}

fn boot(machine: &Machine, outputs: &mut Outputs) -> Result<u8> {
    let mut qemu = command_line(machine);
    let stdin = io::stdin();
    let terminal = machine.interactive.then(|| tcgetattr(&stdin).ok()).flatten();
    let mut child = command::die_with_us(&mut qemu).spawn().context("cannot run qemu-system-x86_64")?;
    let nowhere = || -> Sink { Box::new(|_| Ok(())) };
    let (stdout, stderr) = (mem::replace(&mut outputs.stdout, nowhere()), mem::replace(&mut outputs.stderr, nowhere()));
    let copies =
        (child.stdout.take().map(|from| copy(from, stdout)), child.stderr.take().map(|from| copy(from, stderr)));
    let ended = wait(&mut child, machine.timeout);
    if let Some(terminal) = terminal {
        // QEMU puts the terminal back itself, but not when it is killed.
        let _ = tcsetattr(&stdin, OptionalActions::Now, &terminal);
    }
    // The outputs come back for another boot.
    if let Some(stdout) = copies.0.and_then(|copy| copy.join().ok()) {
        outputs.stdout = stdout;
    }
    if let Some(stderr) = copies.1.and_then(|copy| copy.join().ok()) {
        outputs.stderr = stderr;
    }
    ended?;
    let status = fs::read_to_string(&machine.status).unwrap_or_default();
    if machine.interactive && status.is_empty() && !panicked(machine.kernel_log) {
        // Left with Ctrl-A X.
        return Ok(0);
    }
    exit_status(&status)
}

fn command_line(machine: &Machine) -> Command {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    // QEMU's emulated cmpxchg16b (seen in 7.2) leaves wrong flags behind, up to bit 31. An interrupt right after it saves them, and
    // the return from the interrupt faults: a kernel panic in one boot of some dozens. Without it the kernel takes another way.
    qemu.args(["-accel", "tcg,thread=multi", "-cpu", "max,-cx16"]);
    qemu.arg("-smp").arg(machine.processors.to_string());
    qemu.arg("-m").arg(machine.memory.to_string());
    qemu.arg("-kernel").arg(machine.image);
    qemu.arg("-initrd").arg(machine.initramfs);
    qemu.arg("-append").arg(format!("console=ttyS0 panic=-1 oops=panic {}", machine.kernel_arguments));
    let file = |id: &str, path: &Path| format!("file,id={id},path={}", escape(path));
    qemu.args(["-chardev", &file("log", machine.kernel_log)]);
    if machine.interactive {
        qemu.args(["-chardev", "stdio,id=out,signal=off,mux=on"]);
        qemu.args(["-mon", "chardev=out,mode=readline"]);
        qemu.args(["-chardev", "null,id=err"]);
    } else {
        qemu.args(["-chardev", "stdio,id=out,signal=off"]);
        qemu.args(["-chardev", &file("err", Path::new("/dev/stderr"))]);
        qemu.stdin(Stdio::null());
        qemu.stdout(Stdio::piped());
        qemu.stderr(Stdio::piped());
    }
    qemu.args(["-chardev", &file("status", &machine.status)]);
    for port in ["log", "out", "err", "status"] {
        qemu.args(["-serial", &format!("chardev:{port}")]);
    }
    qemu
}

/// QEMU's options are separated by commas; a comma in a value is doubled.
fn escape(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn copy(mut from: impl Read + Send + 'static, mut to: Sink) -> JoinHandle<Sink> {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        let mut open = true;
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            // A reader of ours that went away must not block the machine.
            open = open && to(&buffer[..n]).is_ok();
        }
        to
    })
}

fn wait(child: &mut Child, timeout: Option<Duration>) -> Result<()> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("qemu-system-x86_64: {status}");
            }
            return Ok(());
        }
        if let Some(timeout) = timeout
            && began.elapsed() > timeout
        {
            child.kill()?;
            child.wait()?;
            bail!("the VM did not end within {} s and was stopped (--timeout)", timeout.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn panicked(kernel_log: &Path) -> bool {
    log_of(kernel_log).contains("Kernel panic")
}

fn log_of(kernel_log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(kernel_log).unwrap_or_default()).into_owned()
}

/// Reads what `/init` wrote as its last word.
fn exit_status(word: &str) -> Result<u8> {
    match word.trim() {
        "" => bail!("the VM died without an exit status"),
        "module-refused" => bail!("the kernel refused to load semundo.ko"),
        word => word
            .strip_prefix("exit ")
            .and_then(|status| status.parse().ok())
            .with_context(|| format!("the VM's exit status is garbled: {word:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache;

    #[test]
    fn only_a_whole_exit_status_counts() {
        assert_eq!(exit_status("exit 0\n").unwrap(), 0);
        assert_eq!(exit_status("exit 137\n").unwrap(), 137);
        for bad in ["", "exit", "exit \n", "exit 256\n", "module-refused\n"] {
            assert!(exit_status(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_a_panic_before_init_is_early() {
        let log = cache::make_dir(&cache::root().join("target/xtask-tests")).unwrap().join("kernel.log");
        let (panic, init) =
            ("Kernel panic - not syncing: Fatal exception in interrupt\n", "Run /init as init process\n");
        for (text, early) in [("", false), (init, false), (panic, true), (&format!("{init}{panic}"), false)] {
            fs::write(&log, text).unwrap();
            assert_eq!(died_early(&log), early, "{text:?}");
        }
    }

    #[test]
    fn commas_in_paths_do_not_end_an_option() {
        assert_eq!(escape(Path::new("/a,b/c")), "/a,,b/c");
    }
}
