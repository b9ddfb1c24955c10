//! `cargo xtask bpf`: compiles the command's BPF program, whose object is committed so that users need no clang.
//!
//! The compiler is that of one suite's chroot, so that every machine makes the same bytes.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::cache;
use crate::chroot::{Bind, Chroot};
use crate::command;
use crate::suite::Suite;

/// The suite whose clang compiles.
const SUITE: Suite = Suite::Trixie;

/// Without debug information the object keeps its BTF. The prefix map keeps paths out of that.
const BUILD: &str = "cd /bpf && clang -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -ffile-prefix-map=/bpf=. \
                     -I/usr/include/x86_64-linux-gnu -c undo.bpf.c -o /out/undo.bpf.o && llvm-strip -g /out/undo.bpf.o && clang --version";

/// Compiles and writes the object.
pub fn run() -> Result<ExitCode> {
    let object = object();
    fs::write(&object, build()?).with_context(|| format!("cannot write {}", object.display()))?;
    println!("{}", object.display());
    Ok(ExitCode::SUCCESS)
}

/// Whether the committed object is what its source compiles to.
pub fn is_current() -> Result<bool> {
    let object = object();
    let committed = fs::read(&object).with_context(|| format!("cannot read {}", object.display()))?;
    Ok(committed == build()?)
}

fn object() -> PathBuf {
    source_dir().join("undo.bpf.o")
}

fn source_dir() -> PathBuf {
    cache::root().join("semundo/src/bpf")
}

fn build() -> Result<Vec<u8>> {
    let _lock = cache::lock(SUITE)?;
    let chroot = Chroot::prepare(SUITE)?;
    let (source, out) = (source_dir(), cache::make_dir(&cache::of(SUITE)?.join("bpf"))?);
    let bind = |host, inside, writable| Bind { host, inside, writable };
    let binds = [bind(&source, "/bpf", false), bind(&out, "/out", true)];
    let log = out.with_extension("log");
    command::run("compile the BPF program", &mut chroot.command(&binds, &["sh", "-c", BUILD])?, &log)?;
    fs::read(out.join("undo.bpf.o")).context("clang made no object")
}
