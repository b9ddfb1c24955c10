//! What must not compile. Each case is tested twice: as it is it fails with the error that is named, and without the offending
//! part it compiles. So it is that part which fails.

/// `"prelude": name, "error", "before", "offending", "after";` with a doc comment before each name.
macro_rules! fails {
    ($prelude:literal:
        $($(#[$why:meta])+ $name:ident, $code:literal, $before:literal, $offending:literal, $after:literal;)*) => { $(
        $(#[$why])+
        #[doc = concat!("\n```compile_fail,", $code, "\n", $prelude, $before, $offending, $after, "\n```\n")]
        #[doc = concat!("\n```\n", $prelude, $before, $after, "\n```\n")]
        mod $name {}
    )* };
}

fails! { "use rcu_core::{Flavor, flavor::epoch::Epoch};\n":
    /// A guard cannot be sent to another thread.
    guard_sent, "E0277",
        "let guard = Epoch.read_lock(); std::thread::scope(|scope| { scope.spawn(move || { ", "drop(guard)", " }); });";

    /// Nor shared with one.
    guard_shared, "E0277",
        "let guard = Epoch.read_lock(); std::thread::scope(|scope| { scope.spawn(|| { ", "_ = &guard", " }); });";

    /// A guard does not outlive its domain.
    guard_outlives_domain, "E0505",
        "let domain = Box::new(Epoch); let guard = domain.read_lock(); ", "drop(domain);", " drop(guard);";
}

fails! {
"use rcu_core::{HList, Links, List, flavor::epoch::Epoch, linked};
struct Entry { links: Links, value: u32 }
linked!(Entry, links);
fn entry() -> Box<Entry> { Box::new(Entry { links: Links::new(), value: 1 }) }
let list = List::new(Epoch);
list.lock().push_front(entry());
":
    /// A reference does not outlive its guard.
    list_reference_outlives_guard, "E0505",
        "let guard = list.read(); let entry = list.iter(&guard).next().unwrap(); ", "drop(guard);", " assert_eq!(entry.value, 1);";

    /// Nor the list.
    list_reference_outlives_list, "E0505",
        "use rcu_core::Flavor;
        let guard = Epoch.read_lock(); let entry = list.iter(&guard).next().unwrap(); ", "drop(list);", " assert_eq!(entry.value, 1);";

    /// A pass does not outlive its guard.
    list_pass_outlives_guard, "E0505",
        "let guard = list.read(); let mut entries = list.iter(&guard); ", "drop(guard);", " entries.next();";

    /// An entry that is linked cannot be freed: its box is the list's.
    list_entry_freed, "E0382",
        "let entry = entry(); list.lock().push_back(entry); ", "drop(entry);", "";

    /// Nor linked a second time.
    list_entry_linked_twice, "E0382",
        "let entry = entry(); list.lock().push_back(entry); ", "list.lock().push_front(entry);", "";

    /// Nor moved.
    list_entry_moved, "E0507",
        "let guard = list.read(); let entry = list.iter(&guard).next().unwrap(); ", "let entry = *entry;", " assert_eq!(entry.value, 1);";

    /// Nor changed, by a reader.
    list_entry_changed, "E0594",
        "let guard = list.read(); let entry = list.iter(&guard).next().unwrap(); ", "entry.links = Links::new();", " assert_eq!(entry.value, 1);";

    /// Nor by an updater.
    list_entry_changed_by_updater, "E0594",
        "list.lock().retain(|entry| { ", "entry.links = Links::new();", " entry.value == 1 });";

    /// What an updater is shown may be removed the next moment.
    list_entry_kept_by_updater, "E0521",
        "let mut kept: Option<&Entry> = None; list.lock().retain(|entry| { ", "kept = Some(entry);", " false }); assert!(kept.is_none());";

    /// A lock is given back by the thread that took it.
    list_writer_sent, "E0277",
        "let writer = list.lock(); std::thread::scope(|scope| { scope.spawn(|| { ", "let writer = writer;", " }); });";

    /// An entry is in the kind of list whose links it embeds.
    list_of_other_kind, "E0277",
        "", "HList::<Entry, _>::new(Epoch);", "";
}

fails! {
"use rcu_core::{HLinks, HList, flavor::epoch::Epoch, linked};
struct Entry { links: HLinks, value: u32 }
linked!(Entry, links: HLinks);
fn entry() -> Box<Entry> { Box::new(Entry { links: HLinks::new(), value: 1 }) }
let list = HList::new(Epoch);
list.lock().push_front(entry());
":
    /// As for a list.
    hlist_reference_outlives_guard, "E0505",
        "let guard = list.read(); let entry = list.iter(&guard).next().unwrap(); ", "drop(guard);", " assert_eq!(entry.value, 1);";

    /// As for a list.
    hlist_reference_outlives_list, "E0505",
        "use rcu_core::Flavor;
        let guard = Epoch.read_lock(); let entry = list.iter(&guard).next().unwrap(); ", "drop(list);", " assert_eq!(entry.value, 1);";

    /// As for a list.
    hlist_entry_freed, "E0382",
        "let entry = entry(); list.lock().push_front(entry); ", "drop(entry);", "";

    /// As for a list.
    hlist_entry_changed, "E0594",
        "let guard = list.read(); let entry = list.iter(&guard).next().unwrap(); ", "entry.links = HLinks::new();", " assert_eq!(entry.value, 1);";

    /// What follows the last entry is not known to the head.
    hlist_push_back, "E0599",
        "list.lock()", ".push_back(entry())", ";";
}

fails! { "use rcu_core::{HLinks, Links, linked};\n":
    /// The kind that is named is the field's.
    linked_other_kind, "E0308",
        "struct Entry { links: HLinks }\n", "linked!(Entry, links);", "";

    /// The field is the links, not what leads to them.
    linked_box, "E0308",
        "struct Entry { links: Box<HLinks> }\n", "linked!(Entry, links: HLinks);", "";

    /// Nor what they lie in.
    linked_deep, "E0609",
        "struct Entry { inner: (Links,) }\n", "linked!(Entry, links);", "";

    /// The links are aligned.
    linked_packed, "E0080",
        "", "#[repr(packed)]", " struct Entry { value: u8, links: Links }\n linked!(Entry, links);";

    /// Which field it is, is said once for each kind.
    linked_twice, "E0119",
        "struct Entry { links: Links, others: Links }\n linked!(Entry, links);\n", "linked!(Entry, others);", "";
}

fails! {
"use std::cell::Cell;
use rcu_core::{RcuPtr, flavor::epoch::Epoch};
let pointer = RcuPtr::new(Epoch, Some(String::new()));
":
    /// A reference does not outlive its guard.
    ptr_reference_outlives_guard, "E0505",
        "let guard = pointer.read(); let value = pointer.dereference(&guard); ", "drop(guard);", " assert!(value.is_some());";

    /// Nor the pointer.
    ptr_reference_outlives_pointer, "E0505",
        "use rcu_core::Flavor;
        let guard = Epoch.read_lock(); let value = pointer.dereference(&guard); ", "drop(pointer);", " assert!(value.is_some());";

    /// A value that readers may hold is not changed.
    ptr_value_changed, "E0502",
        "let mut pointer = pointer;
        let guard = rcu_core::Flavor::read_lock(&Epoch); let value = pointer.dereference(&guard); ", "pointer.get_mut();", " assert!(value.is_some());";

    /// What was replaced is given back once only.
    ptr_retired_twice, "E0382",
        "let retired = pointer.replace(None).unwrap(); retired.synchronize(); ", "retired.synchronize();", "";

    /// Nor is it looked at before: a reader may be.
    ptr_retired_read, "E0614",
        "let retired = pointer.replace(None).unwrap(); let value = ", "*", "retired;";

    /// What many threads read is `Sync`.
    ptr_not_sync, "E0277",
        "", "RcuPtr::new(Epoch, Some(Cell::new(1)));", "";

    /// What is dropped some time borrows nothing.
    ptr_not_static, "E0597",
        "let local = 1; let pointer = RcuPtr::new(Epoch, Some(", "&", "local));";
}

fails! {
"use rcu_core::{RcuCell, ReadMostly, flavor::epoch::Epoch};
let cell = RcuCell::new(Epoch, String::new());
":
    /// A reference does not outlive its guard.
    cell_reference_outlives_guard, "E0505",
        "let guard = cell.read(); let value = cell.borrow(&guard); ", "drop(guard);", " assert!(value.is_empty());";

    /// Nor the cell.
    cell_reference_outlives_cell, "E0505",
        "use rcu_core::Flavor;
        let guard = Epoch.read_lock(); let value = cell.borrow(&guard); ", "drop(cell);", " assert!(value.is_empty());";

    /// Nor does what it was loaded into.
    cell_loaded_outlives_cell, "E0505",
        "let value = cell.load(); ", "drop(cell);", " assert!(value.is_empty());";

    /// Nor a reference what was loaded.
    cell_reference_outlives_loaded, "E0505",
        "let loaded = cell.load(); let value: &String = &loaded; ", "drop(loaded);", " assert!(value.is_empty());";

    /// A value that readers may hold is not changed.
    cell_value_changed, "E0502",
        "let mut cell = cell; let value = cell.load(); ", "cell.get_mut();", " assert!(value.is_empty());";

    /// What was loaded stays on its thread.
    cell_loaded_sent, "E0277",
        "let value = cell.load(); std::thread::scope(|scope| { scope.spawn(move || { ", "drop(value)", " }); });";

    /// What an update is shown may be replaced the next moment.
    cell_value_kept_by_update, "E0521",
        "let mut kept: Option<&String> = None; cell.update(|old| { ", "kept = Some(old);", " old.clone() }); assert!(kept.is_none());";
}
