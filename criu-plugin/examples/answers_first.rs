//! Another plugin, to be tested with: it says that its work is done, so that CRIU asks none after it.
//!
//! Those of graphics cards answer so for a process that uses one. It has no descriptor: CRIU makes one for a plugin whose functions have
//! these names (`criu/plugin.c: cr_gen_plugin_desc`), each version with the hooks that it knows.

use std::ffi::c_int;

/// `CHECKPOINT_DEVICES`.
#[unsafe(no_mangle)]
pub extern "C" fn cr_plugin_checkpoint_devices(_: c_int) -> c_int {
    0
}

/// `RESUME_DEVICES_LATE`.
#[unsafe(no_mangle)]
pub extern "C" fn cr_plugin_resume_devices_late(_: c_int) -> c_int {
    0
}
