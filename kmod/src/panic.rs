//! A panic is a bug of the module: the kernel reports it (`BUG()`) and ends the task.

use core::panic::PanicInfo;

use crate::ffi;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let (file, line) = info.location().map_or(("", 0), |at| (at.file(), at.line()));
    // SAFETY: the string is valid for its length.
    unsafe { ffi::semundo_panic(file.as_ptr(), file.len(), line) }
}
