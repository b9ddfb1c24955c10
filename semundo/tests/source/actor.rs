//! A process that does what a test says: the test program itself, run again, and told by pipes.

mod children;
mod command;
mod perform;

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use semundo::ipc_namespace::IpcNamespace;
use semundo::{Adjustments, processes};
use serde::de::DeserializeOwned;

pub use command::{Command, Hold};

/// The process. It is killed where it goes out of scope.
pub struct Actor {
    child: Child,
    commands: Option<ChildStdin>,
    replies: BufReader<ChildStdout>,
    pid: i32,
}

impl Actor {
    /// A process of one thread, in an IPC namespace of its own.
    pub fn start() -> Self {
        let mut actor = Self::spawn();
        actor.tell(Command::NewIpcNamespace);
        actor
    }

    /// Another one in the same IPC namespace.
    pub fn start_beside(&self) -> Self {
        let mut actor = Self::spawn();
        actor.tell(Command::JoinIpcNamespace(self.pid));
        actor
    }

    /// One in the IPC namespace of the test.
    pub fn spawn() -> Self {
        let mut again = std::process::Command::new(env::current_exe().unwrap());
        again.env(perform::MARK, "").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = again.spawn().unwrap();
        let (commands, replies) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let pid = child.id() as i32;
        let mut actor = Self { child, commands, replies, pid };
        actor.reply::<()>().unwrap();
        actor
    }

    /// Its number in the test's pid namespace.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The inode number of its IPC namespace.
    pub fn ipc_namespace(&self) -> u64 {
        IpcNamespace::of(self.pid).unwrap().inode()
    }

    /// Has a command done, and gives its result, or the text of its error.
    pub fn ask<T: DeserializeOwned>(&mut self, command: Command) -> Result<T, String> {
        let mut line = serde_json::to_vec(&command).unwrap();
        line.push(b'\n');
        self.commands.as_mut().unwrap().write_all(&line).unwrap();
        self.reply()
    }

    /// Has a command done that cannot fail.
    pub fn get<T: DeserializeOwned>(&mut self, command: Command) -> T {
        self.ask(command).unwrap()
    }

    /// Has a command done that cannot fail and has no result.
    pub fn tell(&mut self, command: Command) {
        self.get(command)
    }

    /// Makes sets, and gives their identifiers.
    pub fn create(&mut self, count: usize, nsems: usize) -> Vec<i32> {
        self.get(Command::Create { count, nsems })
    }

    /// Makes its adjustments higher, which were zero, and gives what a source is to tell of them.
    pub fn hold(&mut self, nsems: usize, holds: Vec<Hold>) -> Vec<Adjustments> {
        let told = holds.iter().map(|hold| hold.told(nsems)).collect();
        self.tell(Command::Hold(holds));
        told
    }

    /// Goes on as a child of the process, made by `clone(2)` with these flags.
    pub fn go_on_as_child(&mut self, flags: i32) {
        self.tell(Command::GoOnAsChild(flags));
        self.pid = processes::tree(self.pid).into_iter().find(|pid| *pid != self.pid).unwrap();
    }

    /// Exits and is waited for.
    pub fn exit(mut self) {
        drop(self.commands.take());
        assert!(self.child.wait().unwrap().success());
    }

    fn reply<T: DeserializeOwned>(&mut self) -> Result<T, String> {
        let mut line = String::new();
        self.replies.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the actor has died");
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
