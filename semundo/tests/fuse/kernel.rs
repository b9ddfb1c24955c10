//! A mock of the kernel's side of `/dev/fuse`, over a socket: it sends the requests of `include/uapi/linux/fuse.h`, one at a time,
//! and takes the replies apart.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use fuser::{Config, Filesystem, Session, SessionACL};

const LOOKUP: u32 = 1;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const INIT: u32 = 26;
const READDIR: u32 = 28;
const DESTROY: u32 = 38;

/// `FUSE_ROOT_ID`.
pub const ROOT: u64 = 1;

/// A session with a file system.
pub struct Kernel {
    socket: UnixStream,
    session: JoinHandle<std::io::Result<()>>,
    unique: u64,
}

/// An entry of a directory: inode number, what a reader goes on from, and name.
pub type Entry = (u64, u64, String);

impl Kernel {
    /// Starts a session.
    pub fn serve(filesystem: impl Filesystem) -> Self {
        let (socket, other) = UnixStream::pair().unwrap();
        let session = thread::spawn(move || {
            Session::from_fd(filesystem, other.into(), SessionACL::All, Config::default())?.run()
        });
        let mut kernel = Self { socket, session, unique: 0 };
        // Version 7.31, with 64 KiB ahead and no capabilities.
        let init: Vec<u8> = [7, 31, 65_536, 0].into_iter().flat_map(u32::to_le_bytes).collect();
        let reply = kernel.call(INIT, 0, &init).unwrap();
        assert_eq!(u32_at(&reply, 0), 7);
        kernel
    }

    /// Ends the session, which ends well.
    pub fn end(mut self) {
        self.call(DESTROY, 0, &[]).unwrap();
        self.session.join().unwrap().unwrap();
    }

    /// The inode number of a name, and its mode.
    pub fn lookup(&mut self, parent: u64, name: &str) -> Result<(u64, u32), i32> {
        let entry = self.call(LOOKUP, parent, &[name.as_bytes(), b"\0"].concat())?;
        // struct fuse_entry_out: the attributes begin at 40, their mode is behind six times and three fractions.
        Ok((u64_at(&entry, 0), u32_at(&entry, 40 + 60)))
    }

    pub fn mode(&mut self, node: u64) -> Result<u32, i32> {
        let attributes = self.call(GETATTR, node, &[0; 16])?;
        Ok(u32_at(&attributes, 16 + 60))
    }

    /// A handle, and whether reads go by the page cache.
    pub fn open(&mut self, node: u64) -> Result<(u64, bool), i32> {
        let opened = self.call(OPEN, node, &[0; 8])?;
        Ok((u64_at(&opened, 0), u32_at(&opened, 8) & 1 == 0))
    }

    pub fn read(&mut self, node: u64, handle: u64, offset: u64, size: u32) -> Result<Vec<u8>, i32> {
        self.call(READ, node, &read_in(handle, offset, size))
    }

    pub fn release(&mut self, node: u64, handle: u64) -> Result<(), i32> {
        self.call(RELEASE, node, &[&handle.to_le_bytes()[..], &[0; 16]].concat()).map(drop)
    }

    /// Some entries behind an offset, as many as so many bytes hold.
    pub fn read_dir(&mut self, node: u64, offset: u64, size: u32) -> Result<Vec<Entry>, i32> {
        let bytes = self.call(READDIR, node, &read_in(0, offset, size))?;
        assert!(bytes.len() <= size as usize);
        let (mut rest, mut entries) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            // struct fuse_dirent, padded to 8 bytes.
            let len = u32_at(rest, 16) as usize;
            let name = String::from_utf8(rest[24..24 + len].to_vec()).unwrap();
            entries.push((u64_at(rest, 0), u64_at(rest, 8), name));
            rest = &rest[(24 + len).next_multiple_of(8)..];
        }
        Ok(entries)
    }

    /// Sends a request and takes its reply: what follows the header, or the error number.
    fn call(&mut self, opcode: u32, node: u64, body: &[u8]) -> Result<Vec<u8>, i32> {
        self.unique += 2;
        let mut request = Vec::new();
        request.extend((40 + body.len() as u32).to_le_bytes());
        request.extend(opcode.to_le_bytes());
        request.extend(self.unique.to_le_bytes());
        request.extend(node.to_le_bytes());
        // Of root, by process 1; no extension.
        request.extend([0, 0, 1, 0].into_iter().flat_map(u32::to_le_bytes));
        request.extend(body);
        // The other side reads whole requests: there is one at a time, sent at once.
        self.socket.write_all(&request).unwrap();

        let mut header = [0; 16];
        self.socket.read_exact(&mut header).unwrap();
        assert_eq!(u64_at(&header, 8), self.unique, "a reply to another request");
        let mut reply = vec![0; u32_at(&header, 0) as usize - 16];
        self.socket.read_exact(&mut reply).unwrap();
        match u32_at(&header, 4) as i32 {
            0 => Ok(reply),
            error => Err(-error),
        }
    }
}

/// `struct fuse_read_in`.
fn read_in(handle: u64, offset: u64, size: u32) -> Vec<u8> {
    let mut body = [handle.to_le_bytes(), offset.to_le_bytes()].concat();
    body.extend(size.to_le_bytes());
    body.extend([0; 20]);
    body
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}
