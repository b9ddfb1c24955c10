//! What the kernel escapes in `/proc/self/mountinfo`: `seq_path` the mount point, `seq_escape` the device.

use std::{ffi::CString, fs, io, os::unix::ffi::OsStrExt, ptr};

use seqfile_core::SeqBuf;

use crate::stage;

/// A name with all that is escaped, somewhere, and some that is not.
const NAME: &str = "a b\tc\nd\\e#f\\040\u{7f}é\"'";

#[test]
fn mountinfo() {
    if !stage::plays("escapes") {
        return stage::in_new_namespace(libc::CLONE_NEWNS, "escapes::mountinfo", "escapes");
    }
    let top = std::env::temp_dir().join(format!("seqfile-core-mount-{}", std::process::id()));
    let path = top.join(NAME);
    fs::create_dir_all(&path).unwrap();
    let shared_no_more = mount(b"none", b"/", c"", libc::MS_REC | libc::MS_PRIVATE);
    let mounted =
        shared_no_more.and_then(|()| mount(NAME.as_bytes(), path.as_os_str().as_bytes(), c"tmpfs", libc::MS_RDONLY));
    let table = fs::read("/proc/self/mountinfo");
    // The namespace takes the mount with it.
    let unmounted = unmount(path.as_os_str().as_bytes());
    fs::remove_dir_all(&top).unwrap();
    mounted.and(unmounted).unwrap();

    let mut bytes = [0; 4096];
    let mut out = SeqBuf::new(&mut bytes);
    out.put_char(b' ');
    out.put_path(path.as_os_str().as_bytes());
    out.put_char(b' ');
    let device_at = out.count();
    out.put_str(" - tmpfs ");
    out.put_escaped(NAME.as_bytes(), b" \t\n\\#");
    out.put_char(b' ');
    let (mount_point, device) = out.as_bytes().split_at(device_at);
    let table = table.unwrap();
    let line = seqfile_core::lines::lines(&table).find(|line| seqfile_core::lines::find(line, mount_point).is_some());
    let line = line.unwrap_or_else(|| panic!("no {} in\n{}", mount_point.escape_ascii(), table.escape_ascii()));
    assert!(seqfile_core::lines::find(line, device).is_some(), "{} in {}", device.escape_ascii(), line.escape_ascii());
}

fn mount(source: &[u8], target: &[u8], kind: &std::ffi::CStr, flags: libc::c_ulong) -> io::Result<()> {
    let [source, target] = [source, target].map(|name| CString::new(name).unwrap());
    // SAFETY: all are strings that outlive the call; there is no data.
    let done = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, ptr::null()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn unmount(target: &[u8]) -> io::Result<()> {
    let target = CString::new(target).unwrap();
    // SAFETY: a string that outlives the call.
    let done = unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
