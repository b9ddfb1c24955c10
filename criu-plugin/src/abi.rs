//! The descriptor by which CRIU knows a plugin (CRIU: `criu/include/criu-plugin.h`).

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{criu, hooks};

/// The plugin's name, under which CRIU's log and inventory know it.
pub(crate) const NAME: &CStr = c"semundo_plugin";

/// `CRIU_PLUGIN_VERSION`: 0.2.0, that of all CRIUs since 1.4.
const VERSION: c_uint = 2 << 8;

/// How many hooks CRIU has before and since 4.0: a plugin that has more than CRIU is refused as corrupted.
const HOOKS_BEFORE: u32 = 10;
pub(crate) const HOOKS: usize = 12;

/// Places in the array of hooks.
const RESUME_DEVICES_LATE: usize = 9;
const CHECKPOINT_DEVICES: usize = 11;

/// A hook that gets a process id.
type Hook = extern "C" fn(c_int) -> c_int;

/// `cr_plugin_desc_t`.
#[repr(C)]
pub struct Descriptor {
    name: NamePointer,
    init: extern "C" fn(c_int) -> c_int,
    exit: extern "C" fn(c_int, c_int),
    version: c_uint,
    /// Atomic, because [`fit`] changes it, and [`order`](crate::order).
    pub(crate) max_hooks: AtomicU32,
    hooks: [Option<Hook>; HOOKS],
}

impl Descriptor {
    const fn new() -> Self {
        let mut all = [None; HOOKS];
        all[RESUME_DEVICES_LATE] = Some(hooks::resume as Hook);
        all[CHECKPOINT_DEVICES] = Some(hooks::checkpoint as Hook);
        Self {
            name: NamePointer(NAME.as_ptr()),
            init: hooks::init,
            exit: hooks::exit,
            version: VERSION,
            max_hooks: AtomicU32::new(HOOKS as u32),
            hooks: all,
        }
    }

    /// The places of the hooks that it has in this CRIU.
    pub(crate) fn hooks(&self) -> impl Iterator<Item = usize> + Clone {
        let most = self.max_hooks.load(Ordering::Relaxed) as usize;
        (0..most).filter(|hook| self.hooks[*hook].is_some())
    }
}

/// A pointer to text that is never changed.
#[repr(transparent)]
struct NamePointer(*const c_char);

// SAFETY: the pointer is to a constant.
unsafe impl Sync for NamePointer {}

/// What CRIU looks for.
#[unsafe(no_mangle)]
pub static CR_PLUGIN_DESC: Descriptor = Descriptor::new();

/// The same, for a plugin that is asked first.
pub(crate) static FIRST: Descriptor = Descriptor::new();

/// Run when the plugin is loaded, before CRIU looks at the descriptor.
#[used]
#[unsafe(link_section = ".init_array")]
static FIT: extern "C" fn() = fit;

/// Makes the descriptors those that this CRIU takes.
extern "C" fn fit() {
    if !criu::has_checkpoint_hook() {
        for descriptor in [&CR_PLUGIN_DESC, &FIRST] {
            descriptor.max_hooks.store(HOOKS_BEFORE, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn the_descriptor_has_criu_s_layout() {
        let places = [
            offset_of!(Descriptor, name),
            offset_of!(Descriptor, init),
            offset_of!(Descriptor, exit),
            offset_of!(Descriptor, version),
            offset_of!(Descriptor, max_hooks),
            offset_of!(Descriptor, hooks),
        ];
        assert_eq!(places, [0, 8, 16, 24, 28, 32]);
        assert_eq!(size_of::<Descriptor>(), 32 + 8 * HOOKS);
        assert_eq!(VERSION, 0x0200);
    }

    #[test]
    fn who_has_not_the_newer_hooks_gets_a_descriptor_without() {
        // This test program is no CRIU.
        assert_eq!(CR_PLUGIN_DESC.max_hooks.load(Ordering::Relaxed), HOOKS_BEFORE);
        assert_eq!(FIRST.hooks().collect::<Vec<_>>(), [RESUME_DEVICES_LATE]);
    }
}
