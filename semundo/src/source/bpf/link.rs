//! The iterator's link, by `bpf(2)` itself: aya's cannot be limited to the threads of one process. And the program of a pin, which aya
//! has for other kinds only.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `enum bpf_cmd` and `enum bpf_attach_type` of `linux/bpf.h`.
const BPF_OBJ_GET: libc::c_int = 7;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_ITER_CREATE: libc::c_int = 33;
const BPF_TRACE_ITER: u32 = 28;

/// `union bpf_iter_link_info`, its member `task`.
#[repr(C)]
struct TaskInfo {
    tid: u32,
    pid: u32,
    pid_fd: u32,
    padding: u32,
}

/// The part of `union bpf_attr` that creates a link to an iterator.
#[repr(C)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    iter_info: u64,
    iter_info_len: u32,
    padding: u32,
}

/// The part that creates an iterator.
#[repr(C)]
struct IterCreate {
    link_fd: u32,
    flags: u32,
}

/// The part that opens a pin.
#[repr(C)]
struct ObjectGet {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// What is pinned at a path.
pub(super) fn get(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attr = ObjectGet { pathname: path.as_ptr().expose_provenance() as u64, bpf_fd: 0, file_flags: 0 };
    // SAFETY: `attr` has the command's form, and `pathname` points to `path`, which lives until after the call.
    unsafe { bpf(BPF_OBJ_GET, &attr) }
}

/// A program that is ready to iterate.
pub(super) struct Link(OwnedFd);

impl Link {
    /// Over all tasks, or over the threads of one process. Kernels before 6.1 cannot limit it: they refuse, or go over all.
    pub(super) fn new(program: BorrowedFd<'_>, pid: Option<i32>) -> io::Result<Self> {
        let task = TaskInfo { tid: 0, pid: pid.unwrap_or(0).cast_unsigned(), pid_fd: 0, padding: 0 };
        let (iter_info, iter_info_len) = match pid {
            Some(_) => ((&raw const task).expose_provenance() as u64, size_of::<TaskInfo>() as u32),
            None => (0, 0),
        };
        let attr = LinkCreate {
            prog_fd: program.as_raw_fd().cast_unsigned(),
            target_fd: 0,
            attach_type: BPF_TRACE_ITER,
            flags: 0,
            iter_info,
            iter_info_len,
            padding: 0,
        };
        // SAFETY: `attr` has the command's form, and `iter_info` is null or points to `task`, which lives until after the call.
        unsafe { bpf(BPF_LINK_CREATE, &attr) }.map(Self)
    }

    /// A file, reading which runs the program.
    pub(super) fn iterate(&self) -> io::Result<File> {
        let attr = IterCreate { link_fd: self.0.as_raw_fd().cast_unsigned(), flags: 0 };
        // SAFETY: `attr` has the command's form, and no pointer.
        unsafe { bpf(BPF_ITER_CREATE, &attr) }.map(File::from)
    }
}

/// Calls `bpf(2)` with a command that answers a new descriptor.
///
/// # Safety
///
/// `attr` is what the command takes; pointers in it are good for it.
unsafe fn bpf<T>(command: libc::c_int, attr: &T) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads `size_of::<T>()` bytes of `attr`, and what is in them is the caller's promise.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attr, size_of::<T>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: these commands answer a descriptor that is new, and so nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}
