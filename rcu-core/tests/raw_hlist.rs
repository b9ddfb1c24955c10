//! The raw hlist against a naive model, and its layout against the kernel's `struct hlist_head` and `struct hlist_node`.
#![allow(missing_docs)]

use std::ptr::NonNull;

use proptest::prelude::*;
use rcu_core::hlist::{Entries, HlistHead, HlistNode};

#[repr(C)]
struct Entry {
    node: HlistNode,
    value: usize,
}

fn leak<T>(value: T) -> NonNull<T> {
    NonNull::from(Box::leak(Box::new(value)))
}

/// # Safety
///
/// `leaked` came from [`leak`], and nothing uses it any more.
unsafe fn free<T>(leaked: NonNull<T>) {
    // SAFETY: by contract.
    drop(unsafe { Box::from_raw(leaked.as_ptr()) });
}

#[test]
fn layouts_are_the_kernels() {
    let pointer = size_of::<*const ()>();
    assert_eq!((size_of::<HlistHead>(), align_of::<HlistHead>()), (pointer, pointer));
    assert_eq!((size_of::<HlistNode>(), align_of::<HlistNode>()), (2 * pointer, pointer));
    let (head, first, second) = (leak(HlistHead::new()), leak(HlistNode::new()), leak(HlistNode::new()));
    // SAFETY: all were leaked, so they stay valid; the words are pointers that this thread alone uses.
    unsafe {
        HlistNode::add_head_rcu(head, first);
        HlistNode::add_behind_rcu(first, second);
        // `first` points to the first node, a node's first word to the next one, its second to the word that points to it.
        assert_eq!(head.cast::<*mut HlistNode>().read(), first.as_ptr());
        assert_eq!(first.cast::<[*mut HlistNode; 2]>().read(), [second.as_ptr(), head.as_ptr().cast()]);
        assert_eq!(second.cast::<[*mut HlistNode; 2]>().read(), [std::ptr::null_mut(), first.as_ptr()]);
        free(second);
        free(first);
        free(head);
    }
}

#[test]
fn a_head_is_initialised_over_whatever_was_there() {
    let (head, node) = (leak(HlistHead::new()), leak(HlistNode::new()));
    // SAFETY: both were leaked, and this thread alone uses them.
    unsafe {
        HlistNode::add_head_rcu(head, node);
        assert!(!head.as_ref().is_empty());
        HlistHead::init(head);
        assert!(head.as_ref().is_empty());
        assert_eq!(Entries::new(head).next(), None);
        free(node);
        free(head);
    }
}

#[derive(Clone, Debug)]
enum Op {
    Head,
    Before(prop::sample::Index),
    Behind(prop::sample::Index),
    Delete(prop::sample::Index),
    Replace(prop::sample::Index),
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        Just(Op::Head),
        index().prop_map(Op::Before),
        index().prop_map(Op::Behind),
        index().prop_map(Op::Delete),
        index().prop_map(Op::Replace)
    ]
}

fn values(head: NonNull<HlistHead>) -> Vec<usize> {
    // SAFETY: the test's list is used by this thread alone, and its entries are freed at the very end.
    let entries = unsafe { Entries::new(head) };
    // SAFETY: each node is the first field of an `Entry`.
    entries.map(|node| unsafe { node.cast::<Entry>().as_ref() }.value).collect()
}

/// A reader that gives `entry` out next.
fn reader_before(head: NonNull<HlistHead>, entry: NonNull<Entry>) -> Entries<'static> {
    // SAFETY: as in `values`.
    let mut reader = unsafe { Entries::new(head) };
    while reader.clone().next() != Some(entry.cast()) {
        reader.next().expect("the entry is linked");
    }
    reader
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
        let head = leak(HlistHead::new());
        let mut model: Vec<NonNull<Entry>> = Vec::new();
        let mut all = Vec::new();
        for (value, op) in ops.into_iter().enumerate() {
            let mut new = || {
                let entry = leak(Entry { node: HlistNode::new(), value });
                all.push(entry);
                entry
            };
            // SAFETY: one thread; every entry is linked once, and freed only at the end.
            unsafe {
                match op {
                    Op::Head => {
                        let entry = new();
                        HlistNode::add_head_rcu(head, entry.cast());
                        model.insert(0, entry);
                    }
                    Op::Before(index) if !model.is_empty() => {
                        let (entry, index) = (new(), index.index(model.len()));
                        HlistNode::add_before_rcu(model[index].cast(), entry.cast());
                        model.insert(index, entry);
                    }
                    Op::Behind(index) if !model.is_empty() => {
                        let (entry, index) = (new(), index.index(model.len()));
                        HlistNode::add_behind_rcu(model[index].cast(), entry.cast());
                        model.insert(index + 1, entry);
                    }
                    Op::Delete(index) if !model.is_empty() => {
                        let entry = model.remove(index.index(model.len()));
                        let reader = reader_before(head, entry);
                        let rest: Vec<_> = reader.clone().collect();
                        HlistNode::del_rcu(entry.cast());
                        prop_assert!(!entry.as_ref().node.is_linked());
                        prop_assert_eq!(reader.collect::<Vec<_>>(), rest);
                    }
                    Op::Replace(index) if !model.is_empty() => {
                        let entry = new();
                        let at = index.index(model.len());
                        let old = std::mem::replace(&mut model[at], entry);
                        let reader = reader_before(head, old);
                        let rest: Vec<_> = reader.clone().collect();
                        HlistNode::replace_rcu(old.cast(), entry.cast());
                        prop_assert!(!old.as_ref().node.is_linked());
                        prop_assert_eq!(reader.collect::<Vec<_>>(), rest);
                    }
                    Op::Before(_) | Op::Behind(_) | Op::Delete(_) | Op::Replace(_) => {}
                }
            }
            // SAFETY: every entry is still allocated.
            let expected: Vec<_> = model.iter().map(|entry| unsafe { entry.as_ref() }.value).collect();
            prop_assert_eq!(values(head), expected);
            // SAFETY: as above.
            let linked = model.iter().filter(|entry| unsafe { entry.as_ref() }.node.is_linked());
            prop_assert_eq!(linked.count(), model.len());
            // SAFETY: the head was leaked above.
            prop_assert_eq!(unsafe { head.as_ref() }.is_empty(), model.is_empty());
        }
        // SAFETY: each was leaked once above.
        unsafe {
            all.into_iter().for_each(|entry| free(entry));
            free(head);
        }
    }
}
