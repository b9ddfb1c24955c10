//! The order in which CRIU asks plugins.
//!
//! It asks them as its directory lists them, and no more after the first that answers anything but `-ENOTSUP`
//! (`criu/include/plugin.h: run_plugins`). One that is asked before this one would so keep it from its work. This one lets all others be
//! asked, too, so it goes first: before CRIU, where [`init`](crate::hooks::init) has returned, would put it last.
//!
//! CRIU has no call for that. Its lists have been laid out alike in all versions that have these hooks. Where they are not as they are
//! expected, nothing is changed, and this plugin works only if it is the only one.

use std::ffi::{CStr, OsStr, c_void};
use std::fs;
use std::mem::{MaybeUninit, offset_of};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};

use crate::abi::{CR_PLUGIN_DESC, Descriptor, FIRST, HOOKS};
use crate::criu;

/// CRIU's `struct list_head`, which is not as the kernel's: of a circular list; one that is in none is linked to itself.
#[repr(C)]
struct ListHead {
    prev: *mut ListHead,
    next: *mut ListHead,
}

/// `cr_plugin_ctl_t`. Behind what is here there may be more.
#[repr(C)]
struct Control {
    plugins: ListHead,
    chains: [ListHead; HOOKS],
}

/// `plugin_desc_t`. It has as many links as CRIU has hooks, which may be fewer or more than here.
#[repr(C)]
struct Plugin {
    descriptor: *const Descriptor,
    list: ListHead,
    handle: *mut c_void,
    links: [ListHead; HOOKS],
}

/// Puts this plugin, which is being loaded, before all others.
pub(crate) fn go_first() -> Result<()> {
    if went_first() {
        // CRIU puts into its lists what this descriptor has. From now on it uses the other one, until the plugin is unloaded.
        CR_PLUGIN_DESC.max_hooks.store(0, Ordering::Relaxed);
        return Ok(());
    }
    let others = beside(&own_file()?)?;
    ensure!(
        others.is_empty(),
        "another plugin, {}, could keep CRIU from asking this one: this CRIU's list of plugins is unknown to it",
        others.join(", ")
    );
    Ok(())
}

fn went_first() -> bool {
    let Some(control) = criu::symbol(c"cr_plugin_ctl") else { return false };
    // SAFETY: CRIU's variable of this name has this type (criu/include/plugin.h). CRIU has one thread, which is in `init`.
    unsafe { move_first(control.cast(), &raw const CR_PLUGIN_DESC, &raw const FIRST) }
}

/// The file that this plugin was loaded from.
fn own_file() -> Result<PathBuf> {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: looks for an address of this plugin, and writes one `Dl_info`.
    let found = unsafe { libc::dladdr((&raw const CR_PLUGIN_DESC).cast(), info.as_mut_ptr()) };
    ensure!(found != 0, "the file of this plugin is not known");
    // SAFETY: zeroed, which is valid, and then filled; the name lives as long as this plugin is loaded.
    let name = unsafe { CStr::from_ptr(info.assume_init().dli_fname) };
    Ok(Path::new(OsStr::from_bytes(name.to_bytes())).into())
}

/// The other plugins in a plugin's directory: what CRIU loads there.
fn beside(own: &Path) -> Result<Vec<String>> {
    let directory = own.parent().context("the directory of this plugin is not known")?;
    let entries = fs::read_dir(directory).context("the directory of this plugin cannot be read")?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let others = names.filter(|name| name.as_bytes().ends_with(b".so") && Some(&**name) != own.file_name());
    let mut others: Vec<_> = others.map(|name| name.to_string_lossy().into_owned()).collect();
    others.sort();
    Ok(others)
}

/// Makes the descriptor whole again, for the case that the plugin is loaded anew without having been unloaded.
pub(crate) fn leave() {
    CR_PLUGIN_DESC.max_hooks.store(FIRST.max_hooks.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// Puts the plugin that was loaded last, which is the one with the descriptor `loaded`, at the beginning of the lists of its hooks, and
/// gives it the descriptor `first`.
///
/// # Safety
/// `control` must be CRIU's, all lists whole, and nobody else may use them meanwhile.
unsafe fn move_first(control: *mut Control, loaded: *const Descriptor, first: *const Descriptor) -> bool {
    // SAFETY: `control` is CRIU's, so this list is one of `plugin_desc_t::list`.
    let (head, last) = unsafe { (&raw mut (*control).plugins, (*control).plugins.prev) };
    if last == head {
        return false;
    }
    let plugin = last.wrapping_byte_sub(offset_of!(Plugin, list)).cast::<Plugin>();
    // SAFETY: `last` is in an entry, or at least in what was allocated for one, before which the allocator has a word of its own.
    if unsafe { (*plugin).descriptor } != loaded {
        return false;
    }
    // SAFETY: the descriptor is this plugin's.
    let hooks = unsafe { (*first).hooks() };
    let places = |hook: usize| {
        // SAFETY: CRIU has all hooks of the descriptor, or it would have refused it; of the entry and its lists only addresses are made.
        unsafe { (&raw mut (*control).chains[hook], &raw mut (*plugin).links[hook]) }
    };
    // SAFETY: a list's head, and what CRIU has made an entry of none.
    let is_free =
        |(chain, link): (_, *mut ListHead)| unsafe { is_whole(chain) && (*link).next == link && (*link).prev == link };
    if !hooks.clone().map(places).all(is_free) {
        return false;
    }
    for (chain, link) in hooks.map(places) {
        // SAFETY: the list is whole, and the link in no list.
        unsafe { add_first(chain, link) };
    }
    // SAFETY: the entry is CRIU's of this plugin; the new descriptor is as the old one, and is there as long.
    unsafe { (*plugin).descriptor = first };
    true
}

/// Whether the neighbours of a list's head know it.
///
/// # Safety
/// It must be a list's head.
unsafe fn is_whole(head: *mut ListHead) -> bool {
    // SAFETY: as the caller promises.
    unsafe {
        let ListHead { next, prev } = *head;
        !next.is_null() && !prev.is_null() && (*next).prev == head && (*prev).next == head
    }
}

/// `list_add`.
///
/// # Safety
/// The list must be whole, and the entry in none.
unsafe fn add_first(head: *mut ListHead, entry: *mut ListHead) {
    // SAFETY: as the caller promises.
    unsafe {
        let next = (*head).next;
        *entry = ListHead { next, prev: head };
        (*next).prev = entry;
        (*head).next = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::null_mut;

    /// CRIU's list head in itself.
    fn empty(head: *mut ListHead) {
        // SAFETY: the tests' own memory.
        unsafe { *head = ListHead { next: head, prev: head } };
    }

    /// `list_add_tail`.
    fn add_last(head: *mut ListHead, entry: *mut ListHead) {
        // SAFETY: the tests' own lists; behind the last entry is before the head.
        unsafe { add_first((*head).prev, entry) };
    }

    fn zeroed<T>() -> *mut T {
        // SAFETY: of pointers only.
        Box::into_raw(Box::new(unsafe { std::mem::zeroed::<T>() }))
    }

    /// As `cr_plugin_init` makes it.
    fn control() -> *mut Control {
        let control: *mut Control = zeroed();
        // SAFETY: it was just made.
        unsafe {
            empty(&raw mut (*control).plugins);
            (0..HOOKS).for_each(|hook| empty(&raw mut (*control).chains[hook]));
        }
        control
    }

    /// As `cr_lib_load` makes it before it calls `init`.
    fn load(control: *mut Control, descriptor: *const Descriptor) -> *mut Plugin {
        let plugin: *mut Plugin = zeroed();
        // SAFETY: it was just made, and the lists are whole.
        unsafe {
            (*plugin).descriptor = descriptor;
            (0..HOOKS).for_each(|hook| empty(&raw mut (*plugin).links[hook]));
            add_last(&raw mut (*control).plugins, &raw mut (*plugin).list);
        }
        plugin
    }

    /// What it does after that.
    fn chain(control: *mut Control, plugin: *mut Plugin, hooks: impl Iterator<Item = usize>) {
        // SAFETY: whole lists.
        hooks.for_each(|hook| unsafe { add_last(&raw mut (*control).chains[hook], &raw mut (*plugin).links[hook]) });
    }

    /// The plugins of a hook, in order.
    fn asked(control: *mut Control, hook: usize) -> Vec<*mut Plugin> {
        let mut plugins = Vec::new();
        // SAFETY: whole lists.
        unsafe {
            let head = &raw mut (*control).chains[hook];
            let mut link = (*head).next;
            while link != head {
                assert!(is_whole(link));
                plugins.push(link.wrapping_byte_sub(offset_of!(Plugin, links) + hook * size_of::<ListHead>()).cast());
                link = (*link).next;
            }
        }
        plugins
    }

    fn move_it(control: *mut Control) -> bool {
        // SAFETY: the tests' own lists.
        unsafe { move_first(control, &raw const CR_PLUGIN_DESC, &raw const FIRST) }
    }

    #[test]
    fn those_beside_it_are_what_criu_loads() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path().join("semundo_plugin.so");
        for name in ["semundo_plugin.so", "b.so", "a.so", "a.so.1", "so"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        assert_eq!(beside(&own).unwrap(), ["a.so", "b.so"]);
        fs::remove_file(directory.path().join("a.so")).unwrap();
        fs::remove_file(directory.path().join("b.so")).unwrap();
        assert_eq!(beside(&own).unwrap(), [""; 0]);
    }

    #[test]
    fn its_own_file_is_where_its_descriptor_is() {
        assert_eq!(fs::canonicalize(own_file().unwrap()).unwrap(), std::env::current_exe().unwrap());
    }

    #[test]
    fn it_is_asked_before_those_that_were_loaded_earlier_and_later() {
        let control = control();
        let earlier = load(control, null_mut());
        chain(control, earlier, 0..HOOKS);
        let ours = load(control, &raw const CR_PLUGIN_DESC);
        assert!(move_it(control));
        let later = load(control, null_mut());
        chain(control, later, 0..HOOKS);
        let hooks: Vec<_> = FIRST.hooks().collect();
        for hook in 0..HOOKS {
            let all = if hooks.contains(&hook) { vec![ours, earlier, later] } else { vec![earlier, later] };
            assert_eq!(asked(control, hook), all, "hook {hook}");
        }
        // SAFETY: it is as it was made.
        assert_eq!(unsafe { (*ours).descriptor }, &raw const FIRST);
    }

    #[test]
    fn what_is_not_as_expected_is_left_alone() {
        let none = control();
        assert!(!move_it(none), "no plugin is loaded");

        let another = control();
        load(another, null_mut());
        assert!(!move_it(another), "another one is loaded");

        let chained = control();
        let ours = load(chained, &raw const CR_PLUGIN_DESC);
        chain(chained, ours, FIRST.hooks());
        assert!(!move_it(chained), "it is in the lists already");

        let torn = control();
        let ours = load(torn, &raw const CR_PLUGIN_DESC);
        let hook = FIRST.hooks().next().unwrap();
        // SAFETY: it was just made.
        unsafe { (*torn).chains[hook].next = null_mut() };
        assert!(!move_it(torn), "no list");
        // SAFETY: as above.
        assert_eq!(unsafe { (*ours).descriptor }, &raw const CR_PLUGIN_DESC);
    }
}
