//! The file system: a directory a process, with one file in it, which `seqfile-core` prints.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use fuser::{
    FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, Request,
};
use nix::unistd::{getegid, geteuid};
use semundo::processes;
use semundo::source::{self, Select, Source};
use semundo::undo_list::{self, Adjustments};
use semundo_core::text;
use seqfile_core::{Errno, Section, SeqBuf, SeqFile, SeqOperations, Show};

/// The one name in a process's directory.
const NAME: &str = "semundo";

/// Processes come and go: nothing is kept by the kernel.
const TTL: Duration = Duration::ZERO;

/// What an inode number stands for. It is the process's for as long as the process is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Root,
    Process(i32),
    List(i32),
}

impl Node {
    fn number(self) -> INodeNo {
        match self {
            Self::Root => INodeNo::ROOT,
            Self::Process(pid) => INodeNo(pid as u64 * 2),
            Self::List(pid) => INodeNo(pid as u64 * 2 + 1),
        }
    }

    fn of(number: INodeNo) -> Option<Self> {
        let pid = i32::try_from(number.0 / 2).ok()?;
        match (pid, number.0 % 2) {
            (0, 1) => Some(Self::Root),
            (0, _) => None,
            (pid, 0) => Some(Self::Process(pid)),
            (pid, _) => Some(Self::List(pid)),
        }
    }

    /// The same, if it is still there.
    fn alive(self) -> Option<Self> {
        match self {
            Self::Root => Some(self),
            Self::Process(pid) | Self::List(pid) => {
                Path::new(&format!("/proc/{pid}/task/{pid}")).exists().then_some(self)
            }
        }
    }

    /// What has this name in it.
    fn child(self, name: &OsStr) -> Option<Self> {
        let name = name.to_str()?;
        let child = match self {
            // As it is printed: no sign, no leading zeros.
            Self::Root => Self::Process(name.parse().ok().filter(|pid: &i32| *pid > 0 && pid.to_string() == name)?),
            Self::Process(pid) if name == NAME => Self::List(pid),
            Self::Process(_) | Self::List(_) => return None,
        };
        child.alive()
    }

    fn kind(self) -> FileType {
        match self {
            Self::Root | Self::Process(_) => FileType::Directory,
            Self::List(_) => FileType::RegularFile,
        }
    }

    /// As of a proc file: its size is not known before it is read.
    fn attributes(self) -> FileAttr {
        let now = SystemTime::now();
        FileAttr {
            ino: self.number(),
            size: 0,
            blocks: 0,
            atime: now,
            mtime: now,
            ctime: now,
            crtime: now,
            kind: self.kind(),
            perm: if self.kind() == FileType::Directory { 0o500 } else { 0o400 },
            nlink: if self.kind() == FileType::Directory { 2 } else { 1 },
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

/// The undo list of a process, read when a reader begins at its beginning.
struct List {
    source: &'static dyn Source,
    pid: i32,
    sets: Vec<Adjustments>,
}

struct Sets<'a> {
    sets: &'a [Adjustments],
    pos: u64,
}

impl SeqOperations for List {
    type Section<'a> = Sets<'a>;

    fn start(&mut self, pos: u64) -> Result<Sets<'_>, Errno> {
        if pos == 0 {
            let lists = self.source.read(&Select::Pids(vec![self.pid])).map_err(|error| match error {
                source::Error::NoProcess(_) => Errno::ESRCH,
                other => {
                    eprintln!("semundofs: process {}: {other}", self.pid);
                    Errno::EIO
                }
            })?;
            self.sets =
                undo_list::of_process(&lists, self.pid).map(|list| list.adjustments.clone()).unwrap_or_default();
        }
        Ok(Sets { sets: &self.sets, pos })
    }
}

impl Section for Sets<'_> {
    fn pos(&self) -> u64 {
        self.pos
    }

    fn is_end(&self) -> bool {
        self.pos >= self.sets.len() as u64
    }

    fn show(&mut self, out: &mut SeqBuf<'_>) -> Result<Show, Errno> {
        let set = &self.sets[self.pos as usize];
        text::put_line(set.semid, &set.semadj, out);
        Ok(Show::Record)
    }

    fn next(&mut self) -> Result<(), Errno> {
        self.pos += 1;
        Ok(())
    }
}

/// An open file, whose reads take turns.
type Open = Arc<Mutex<SeqFile<List>>>;

/// `PID/semundo` for every process.
pub struct Semundofs {
    source: &'static dyn Source,
    open: Mutex<BTreeMap<u64, Open>>,
    next_handle: AtomicU64,
}

impl Semundofs {
    /// Serves what this source tells.
    pub fn new(source: &'static dyn Source) -> Self {
        Self { source, open: Mutex::default(), next_handle: AtomicU64::new(1) }
    }

    fn open_files(&self) -> MutexGuard<'_, BTreeMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a directory shows: itself, its parent and its children.
fn entries(of: Node) -> Vec<(Node, String)> {
    let children = match of {
        Node::Root => processes::all().into_iter().map(|pid| (Node::Process(pid), pid.to_string())).collect(),
        Node::Process(pid) => vec![(Node::List(pid), NAME.to_owned())],
        Node::List(_) => Vec::new(),
    };
    [(of, ".".to_owned()), (Node::Root, "..".to_owned())].into_iter().chain(children).collect()
}

impl Filesystem for Semundofs {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match Node::of(parent).and_then(|parent| parent.child(name)) {
            Some(node) => reply.entry(&TTL, &node.attributes(), Generation(0)),
            None => reply.error(fuser::Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match Node::of(number).and_then(Node::alive) {
            Some(node) => reply.attr(&TTL, &node.attributes()),
            None => reply.error(fuser::Errno::ENOENT),
        }
    }

    fn readdir(&self, _: &Request, number: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let Some(node) = Node::of(number).and_then(Node::alive) else {
            return reply.error(fuser::Errno::ENOENT);
        };
        if node.kind() != FileType::Directory {
            return reply.error(fuser::Errno::ENOTDIR);
        }
        // An offset is that of the next entry. It is the process's own number, since others come and go: `.` and `..` are before all.
        let offset_of = |index: usize, node: Node| match node {
            Node::Process(pid) if index > 1 => pid as u64 + 2,
            _ => index as u64 + 1,
        };
        for (index, (entry, name)) in entries(node).into_iter().enumerate() {
            let behind = offset_of(index, entry);
            if behind > offset && reply.add(entry.number(), behind, entry.kind(), name) {
                break;
            }
        }
        reply.ok();
    }

    fn open(&self, _: &Request, number: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let Some(Node::List(pid)) = Node::of(number).and_then(Node::alive) else {
            return reply.error(fuser::Errno::ENOENT);
        };
        let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
        let file = SeqFile::new(List { source: self.source, pid, sets: Vec::new() });
        self.open_files().insert(handle, Arc::new(Mutex::new(file)));
        // Reads come as they are made, and may be short: the size of 0 means nothing.
        reply.opened(FileHandle(handle), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(file) = self.open_files().get(&handle.0).cloned() else {
            return reply.error(fuser::Errno::EBADF);
        };
        let mut bytes = vec![0; size as usize];
        let read = file.lock().unwrap_or_else(PoisonError::into_inner).read_at(&mut bytes, offset);
        match read {
            Ok(n) => reply.data(&bytes[..n]),
            Err(errno) => reply.error(fuser::Errno::from_i32(errno.get())),
        }
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.open_files().remove(&handle.0);
        reply.ok();
    }
}
