//! What CRIU has for plugins: functions of the process that loaded this one, which are looked for by name, as not all CRIUs have all.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::fs;
use std::mem;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// `enum __criu_log_levels`.
const LOG_ERROR: c_uint = 1;
const LOG_INFO: c_uint = 3;

/// `enum script_actions`: the first of them.
const ACT_PRE_DUMP: c_int = 0;

/// Where CRIU writes its log if nothing else was said.
const STDERR: c_int = 2;

/// Whether it calls `CHECKPOINT_DEVICES`: since 4.0, which is told by functions that came with it (`criu/seize.c`, `criu/filesystems.c`).
pub(crate) fn has_checkpoint_hook() -> bool {
    symbol(c"checkpoint_devices").is_some() || symbol(c"cr_fsopen").is_some()
}

/// The image directory, as a path for this process.
pub(crate) fn image_dir() -> Result<PathBuf> {
    let found = symbol(c"criu_get_image_dir").context("this CRIU has no criu_get_image_dir()")?;
    // SAFETY: CRIU's function of this name has this type (criu-plugin.h).
    let get: extern "C" fn() -> c_int = unsafe { mem::transmute(found) };
    match get() {
        fd if fd < 0 => bail!("CRIU has no image directory open"),
        fd => Ok(PathBuf::from(format!("/proc/self/fd/{fd}"))),
    }
}

/// Makes a restore fail where no plugin asks for this name. CRIU before 4.1 cannot.
pub(crate) fn add_to_inventory(name: &str) -> Result<()> {
    let Some(found) = symbol(c"add_inventory_plugin") else { return Ok(()) };
    // SAFETY: CRIU's function of this name has this type (criu/include/image.h).
    let add: extern "C" fn(*const c_char) -> c_int = unsafe { mem::transmute(found) };
    match add(CString::new(name)?.as_ptr()) {
        0 => Ok(()),
        _ => bail!("CRIU could not add {name} to its inventory"),
    }
}

/// Asks for this name; whether the dump had added it. `None` where CRIU or the dump knows no names.
pub(crate) fn take_from_inventory(name: &str) -> Option<bool> {
    let found = symbol(c"check_and_remove_inventory_plugin")?;
    let name = CString::new(name).ok()?;
    // SAFETY: CRIU's function of this name has this type (criu/include/image.h).
    let take: extern "C" fn(*const c_char, usize) -> bool = unsafe { mem::transmute(found) };
    Some(take(name.as_ptr(), name.count_bytes()))
}

/// Makes a dump fail that CRIU takes for a success by now, so that its tasks go on: CRIU before 4.0, which calls `exit` before the
/// scripts that may still stop it (`criu/cr-dump.c: cr_dump_finish`). And nobody can restore it.
pub(crate) fn fail_dump() {
    if let Ok(directory) = image_dir() {
        // It is there, or nothing can be restored anyway.
        let _ = fs::remove_file(directory.join("inventory.img"));
    }
    if asks_scripts_of_the_caller() {
        // Whose answer to the question of the next script does then not come.
        sockets().for_each(|socket| {
            // SAFETY: takes numbers only.
            unsafe { libc::shutdown(socket, libc::SHUT_RD) };
        });
    } else if let Some(found) = symbol(c"add_script") {
        // SAFETY: CRIU's function of this name has this type (criu/include/action-scripts.h); it copies the text.
        let add: extern "C" fn(*mut c_char) -> c_int = unsafe { mem::transmute(found) };
        add(c"/bin/false".as_ptr().cast_mut());
    }
}

/// Whether the process that called CRIU is asked by a message where there could be a script (`criu/action-scripts.c: rpc_send_fd`). It
/// is asked once more here for the first, which has long been, and takes note of it.
fn asks_scripts_of_the_caller() -> bool {
    let Some(found) = symbol(c"rpc_send_fd") else { return false };
    // SAFETY: CRIU's function of this name has this type (criu/include/action-scripts.h); the first is an enum.
    let send: extern "C" fn(c_int, c_int) -> c_int = unsafe { mem::transmute(found) };
    send(ACT_PRE_DUMP, -1) == 0
}

/// The connections by which CRIU is called.
fn sockets() -> impl Iterator<Item = c_int> {
    let descriptors = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers = descriptors.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|fd| {
        option(*fd, libc::SO_DOMAIN) == Some(libc::AF_UNIX) && option(*fd, libc::SO_TYPE) == Some(libc::SOCK_SEQPACKET)
    })
}

/// A number that says something of a socket; none for other descriptors.
fn option(fd: c_int, name: c_int) -> Option<c_int> {
    let (mut value, mut len) = (0, size_of::<c_int>() as libc::socklen_t);
    // SAFETY: the kernel writes at most `len` bytes to `value`, which has as many.
    let result = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut len) };
    (result == 0).then_some(value)
}

/// Tells the user why something fails: in CRIU's log, whence the answer to an engine is taken, and on standard error, where that is
/// something else.
pub(crate) fn error(message: &str) {
    // A line of the log is told by what it begins with.
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    log(LOG_ERROR, &format!("Error (semundo): {message}\n"));
    if !logs_to_stderr() {
        eprintln!("semundo_plugin: {message}");
    }
}

/// Something for CRIU's log.
pub(crate) fn info(message: &str) {
    log(LOG_INFO, &format!("semundo: {message}\n"));
}

fn log(level: c_uint, text: &str) {
    let (Some(found), Ok(text)) = (symbol(c"print_on_level"), CString::new(text)) else { return };
    // SAFETY: CRIU's function of this name has this type (criu/include/log.h), and the format takes one text.
    unsafe {
        let print: extern "C" fn(c_uint, *const c_char, ...) = mem::transmute(found);
        print(level, c"%s".as_ptr(), text.as_ptr());
    }
}

fn logs_to_stderr() -> bool {
    let Some(found) = symbol(c"log_get_fd") else { return false };
    // SAFETY: CRIU's function of this name has this type (criu/include/log.h).
    let get: extern "C" fn() -> c_int = unsafe { mem::transmute(found) };
    match (identity(get()), identity(STDERR)) {
        (Some(log), Some(stderr)) => log == stderr,
        _ => false,
    }
}

/// What tells an open file from others.
fn identity(fd: c_int) -> Option<(libc::dev_t, libc::ino_t)> {
    let mut stat = mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: writes one `stat`; a descriptor that is not open is an error.
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: zeroed, which is a valid `stat`, and then filled by the kernel.
    let stat = unsafe { stat.assume_init() };
    Some((stat.st_dev, stat.st_ino))
}

/// A symbol of the process. CRIU exports its own ones.
pub(crate) fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: looks for a name in what is loaded.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}
