//! The raw list against a naive model, and its layout against the kernel's `struct list_head`.
#![allow(missing_docs)]

use std::collections::VecDeque;
use std::ptr::NonNull;

use proptest::prelude::*;
use rcu_core::RcuHead;
use rcu_core::list::{Entries, ListHead};

#[repr(C)]
struct Entry {
    link: ListHead,
    value: usize,
}

#[test]
fn layouts_are_the_kernels() {
    let pointer = size_of::<*const ()>();
    assert_eq!((size_of::<ListHead>(), align_of::<ListHead>()), (2 * pointer, pointer));
    assert_eq!((size_of::<RcuHead>(), align_of::<RcuHead>()), (2 * pointer, pointer));
    // `next` comes first: after `add_rcu` the head's first word points to the entry.
    let (head, entry) = (Box::leak(Box::new(ListHead::new())), Box::leak(Box::new(ListHead::new())));
    let (head, entry) = (NonNull::from(head), NonNull::from(entry));
    // SAFETY: both were leaked, so they stay valid; the word is a pointer that this thread alone uses.
    unsafe {
        ListHead::init(head);
        ListHead::add_tail_rcu(head, entry);
        assert_eq!(head.cast::<*mut ListHead>().read(), entry.as_ptr());
        assert_eq!(entry.cast::<*mut ListHead>().add(1).read(), head.as_ptr());
        drop(Box::from_raw(entry.as_ptr()));
        drop(Box::from_raw(head.as_ptr()));
    }
}

#[derive(Clone, Debug)]
enum Op {
    Front,
    Back,
    Delete(prop::sample::Index),
    Replace(prop::sample::Index),
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<prop::sample::Index>;
    prop_oneof![Just(Op::Front), Just(Op::Back), index().prop_map(Op::Delete), index().prop_map(Op::Replace)]
}

fn values(head: NonNull<ListHead>) -> Vec<usize> {
    // SAFETY: the test's list is used by this thread alone, and its entries are freed at the very end.
    let entries = unsafe { Entries::new(head) };
    // SAFETY: each link is the first field of an `Entry`.
    entries.map(|link| unsafe { link.cast::<Entry>().as_ref() }.value).collect()
}

/// A reader that gives `entry` out next.
fn reader_before(head: NonNull<ListHead>, entry: NonNull<Entry>) -> Entries<'static> {
    // SAFETY: as in `values`.
    let mut reader = unsafe { Entries::new(head) };
    while reader.clone().next() != Some(entry.cast()) {
        reader.next().expect("the entry is linked");
    }
    reader
}

/// The entries from last to first, as updaters see them.
fn backwards(head: NonNull<ListHead>) -> impl Iterator<Item = NonNull<ListHead>> {
    let mut at = head;
    std::iter::from_fn(move || {
        // SAFETY: as in `values`; the second word of a link points to the one before.
        at = unsafe { NonNull::new(at.cast::<*mut ListHead>().add(1).read()) }
            .expect("the links of a circle are not null");
        (at != head).then_some(at)
    })
}

/// Few cases where the interpreter runs them, and no file to remember failures in.
fn config() -> ProptestConfig {
    if cfg!(miri) {
        ProptestConfig { cases: 2, failure_persistence: None, ..ProptestConfig::default() }
    } else {
        ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn the_list_is_its_model(ops in prop::collection::vec(op(), 0..60)) {
        let head = NonNull::from(Box::leak(Box::new(ListHead::new())));
        // SAFETY: the head was leaked and nobody else has it.
        unsafe { ListHead::init(head) };
        let mut model: VecDeque<NonNull<Entry>> = VecDeque::new();
        let mut all = Vec::new();
        for (value, op) in ops.into_iter().enumerate() {
            let new = || NonNull::from(Box::leak(Box::new(Entry { link: ListHead::new(), value })));
            // SAFETY: one thread; every entry is linked once, and freed only at the end.
            unsafe {
                match op {
                    Op::Front => {
                        let entry = new();
                        ListHead::add_rcu(head, entry.cast());
                        model.push_front(entry);
                        all.push(entry);
                    }
                    Op::Back => {
                        let entry = new();
                        ListHead::add_tail_rcu(head, entry.cast());
                        model.push_back(entry);
                        all.push(entry);
                    }
                    Op::Delete(index) if !model.is_empty() => {
                        let entry = model.remove(index.index(model.len())).unwrap();
                        let reader = reader_before(head, entry);
                        let rest: Vec<_> = reader.clone().collect();
                        ListHead::del_rcu(entry.cast());
                        prop_assert!(!entry.as_ref().link.is_linked());
                        prop_assert_eq!(reader.collect::<Vec<_>>(), rest);
                    }
                    Op::Replace(index) if !model.is_empty() => {
                        let entry = new();
                        let at = index.index(model.len());
                        let old = std::mem::replace(&mut model[at], entry);
                        let reader = reader_before(head, old);
                        let rest: Vec<_> = reader.clone().collect();
                        ListHead::replace_rcu(old.cast(), entry.cast());
                        prop_assert!(!old.as_ref().link.is_linked() && entry.as_ref().link.is_linked());
                        prop_assert_eq!(reader.collect::<Vec<_>>(), rest);
                        all.push(entry);
                    }
                    Op::Delete(_) | Op::Replace(_) => {}
                }
            }
            // SAFETY: every entry is still allocated.
            let expected: Vec<_> = model.iter().map(|entry| unsafe { entry.as_ref() }.value).collect();
            prop_assert_eq!(values(head), expected);
            prop_assert!(backwards(head).eq(model.iter().rev().map(|entry| entry.cast())));
        }
        for entry in all {
            // SAFETY: each entry was leaked once above.
            drop(unsafe { Box::from_raw(entry.as_ptr()) });
        }
        // SAFETY: leaked above.
        drop(unsafe { Box::from_raw(head.as_ptr()) });
    }
}
