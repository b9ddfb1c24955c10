//! What the C half calls when the module loads: the check of the layouts.

use core::ffi::{CStr, c_char, c_int};
use core::slice;

use seqfile_core::Errno;

use crate::ffi::Member;
use crate::layout::{self, Expected};

/// Checks the private layouts; on a difference writes why to `message` and returns `-EINVAL`.
///
/// # Safety
///
/// `btf` may be read for `len` bytes, `members` for `count` members, and `message` written for `size` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn semundo_check_layout(
    btf: *const u8,
    len: usize,
    members: *const Member,
    count: usize,
    message: *mut u8,
    size: usize,
) -> c_int {
    // SAFETY: by contract.
    let members = unsafe { slice::from_raw_parts(members, count) };
    let expected = members.iter().map(|member| Expected {
        // SAFETY: the names in the C half's table are constants.
        structure: unsafe { name(member.structure) }.unwrap_or(""),
        // SAFETY: as above, or null.
        member: unsafe { name(member.member) },
        offset: member.offset,
    });
    // SAFETY: by contract.
    let btf = unsafe { slice::from_raw_parts(btf, len) };
    match layout::check(btf, expected) {
        Ok(()) => 0,
        Err(refusal) => {
            // SAFETY: by contract.
            layout::report(&refusal, unsafe { slice::from_raw_parts_mut(message, size) });
            Errno::EINVAL.negated()
        }
    }
}

/// A name in the C half's table; `None` for null.
///
/// # Safety
///
/// `string` is null or a constant that lives as long as the module.
unsafe fn name(string: *const c_char) -> Option<&'static str> {
    // SAFETY: by contract.
    (!string.is_null()).then(|| unsafe { CStr::from_ptr(string) })?.to_str().ok()
}
