//! CRIU as container engines use it: `criu swrk`, asked over a socket.
//!
//! The messages are protocol buffers of CRIU's `rpc.proto`; of those few fields only.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, setsockopt, socketpair};
use nix::sys::time::TimeVal;

use crate::criu::Plugin;
use crate::detours::compare;
use crate::end::End;
use crate::programs::Program;
use crate::refused::Refused;
use crate::running::{PATIENCE, Running, all_have_ended};
use crate::test;
use crate::work::Work;

/// Names the directory of plugins to a CRIU that has no command line.
pub const LIBS_DIR: &str = "CRIU_LIBS_DIR";

/// `criu_req_type`.
const DUMP: u64 = 1;
const RESTORE: u64 = 2;

/// Fields of `criu_opts`.
const IMAGES_DIR_FD: u32 = 1;
const PID: u32 = 2;
const LOG_LEVEL: u32 = 9;
const LOG_FILE: u32 = 10;

/// All tests of this file.
pub fn tests() -> Vec<Trial> {
    let all = ["one", "several", "asleep"].map(|name| test(format!("rpc::{name}"), || compare(name, detour)));
    all.into_iter().chain([test("rpc::refused", refused)]).collect()
}

fn detour(program: &'static Program, plugin: Plugin) -> Result<Vec<End>, Refused> {
    let work = Work::new();
    let running = Running::start(program, &work);
    ask(DUMP, Some(running.pid), &work, plugin)?;
    running.was_killed();
    let pid = ask(RESTORE, None, &work, plugin)?.expect("a restore tells the process");
    let restored = Running::restored(program, pid);
    if plugin == Plugin::With {
        (program.resumed)(&restored);
    }
    Ok(vec![restored.end(&work)])
}

/// A dump that the plugin makes fail is an answer like any other.
fn refused() {
    let (program, work) = (Program::named("sharing"), Work::new());
    let running = Running::start(program, &work);
    let refused = ask(DUMP, Some(running.pid), &work, Plugin::With).expect_err("what cannot be kept is refused");
    assert!(refused.says("share"), "no word of it: {refused}");
    assert_eq!(running.end(&work), crate::detours::oracle(program));
    all_have_ended();
}

/// Has one request done; the process that a restore has made.
fn ask(what: u64, pid: Option<i32>, work: &Work, plugin: Plugin) -> Result<Option<i32>, Refused> {
    let images = File::open(work.dir("images")).unwrap();
    let log = if what == DUMP { "dump.log" } else { "restore.log" };
    let mut options = Message::default();
    options.number(IMAGES_DIR_FD, images.as_raw_fd() as u64);
    if let Some(pid) = pid {
        options.number(PID, pid as u64);
    }
    options.number(LOG_LEVEL, 4).bytes(LOG_FILE, log.as_bytes());
    let mut request = Message::default();
    request.number(1, what).bytes(2, &options.0);

    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC).unwrap();
    let said = File::create(work.file("criu-says")).unwrap();
    let mut criu = Command::new("criu");
    criu.args(["swrk", "3"]).stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said);
    if let Some(plugins) = plugin.directory() {
        criu.env(LIBS_DIR, plugins);
    }
    give_as_3(&mut criu, theirs);
    let mut criu = criu.spawn().unwrap();
    // One that does not answer must not be waited for without end.
    setsockopt(&ours, ReceiveTimeout, &TimeVal::new(PATIENCE.as_secs() as i64, 0)).unwrap();
    send(ours.as_raw_fd(), &request.0, MsgFlags::empty()).unwrap();
    let mut answer = vec![0; 4096];
    let length = recv(ours.as_raw_fd(), &mut answer, MsgFlags::empty()).unwrap();
    drop(ours);
    criu.wait().unwrap();
    let answer = Message(answer[..length].to_vec());
    if answer.find(2) == Some(Field::Number(1)) {
        let Some(Field::Bytes(restored)) = answer.find(4) else { return Ok(None) };
        let Some(Field::Number(pid)) = Message(restored).find(1) else { return Ok(None) };
        return Ok(Some(pid as i32));
    }
    Err(Refused::new(work, &format!("images/{log}"), &format!("the answer {answer:?}")))
}

/// Gives a program a descriptor as its number 3.
fn give_as_3(command: &mut Command, descriptor: OwnedFd) {
    // SAFETY: the closure makes system calls and allocates nothing; 3 is nobody's after a fork but the one that is given.
    unsafe {
        command.pre_exec(move || {
            let result = if descriptor.as_raw_fd() == 3 {
                libc::fcntl(3, libc::F_SETFD, 0)
            } else {
                libc::dup2(descriptor.as_raw_fd(), 3)
            };
            if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
        })
    };
}

/// A protocol buffer of numbers and byte strings.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

/// A field's value.
#[derive(Debug, PartialEq, Eq)]
enum Field {
    Number(u64),
    Bytes(Vec<u8>),
}

impl Message {
    fn number(&mut self, field: u32, value: u64) -> &mut Self {
        self.varint(u64::from(field) << 3);
        self.varint(value);
        self
    }

    fn bytes(&mut self, field: u32, value: &[u8]) -> &mut Self {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// The first field of this number.
    fn find(&self, number: u32) -> Option<Field> {
        let mut rest = &self.0[..];
        while !rest.is_empty() {
            let key = take_varint(&mut rest);
            let value = take_varint(&mut rest);
            let field = match key & 7 {
                0 => Field::Number(value),
                2 => {
                    let (bytes, after) = rest.split_at(value as usize);
                    rest = after;
                    Field::Bytes(bytes.to_vec())
                }
                kind => panic!("a field of kind {kind}, which CRIU's answers do not have"),
            };
            if key >> 3 == u64::from(number) {
                return Some(field);
            }
        }
        None
    }
}

fn take_varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, after) = rest.split_first().expect("a whole number");
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}
