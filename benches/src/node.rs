//! The measured list: [`NODES`] nodes of 56 bytes, allocated one after another, linked in one shuffled order.
//!
//! Every engine's nodes have this size and begin with the value and the link that readers follow, and every engine links them
//! in [`order`], so that a walk touches the same lines in the same order whoever protects it. The size is what makes `malloc` lay
//! nodes 64 bytes apart: on a line that two nodes share, whatever happens to a node out of the list would slow its neighbor.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// How many nodes the walked list has.
pub const NODES: usize = 100;

/// What one walk sums up to: the values are 1 to [`NODES`].
pub const SUM: u64 = (NODES * (NODES + 1) / 2) as u64;

/// The size of a node or a retired object of any engine, in bytes.
pub const SIZE: usize = 56;

/// The order in which the nodes, numbered as they were allocated, are linked: fixed, and far from ascending.
pub fn order() -> [u32; NODES] {
    let mut order = std::array::from_fn(|at| at as u32);
    let mut state = 0x9e37_79b9_u32;
    for at in (1..NODES).rev() {
        // Fisher-Yates over a linear congruential generator: good enough to defeat a stride prefetcher.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        order.swap(at, (state >> 8) as usize % (at + 1));
    }
    order
}

/// Builds the nodes one after another by `make(value)` and hands them over in [`order`].
pub fn in_order<T>(make: impl FnMut(u64) -> T) -> impl Iterator<Item = T> {
    let mut nodes: Vec<_> = (1..=NODES as u64).map(make).map(Some).collect();
    order().into_iter().map(move |at| nodes[at as usize].take().expect("the order names each node once"))
}

/// Objects of Rust engines that were freed, on cache lines of their own.
#[repr(align(128))]
struct Dropped(AtomicU64);

static DROPPED: Dropped = Dropped(AtomicU64::new(0));

/// How many [`Tally`]s were dropped in this process.
pub fn dropped() -> u64 {
    DROPPED.0.load(Ordering::Relaxed)
}

/// Counts its drop: what an object embeds whose reclamation is watched.
#[derive(Debug)]
pub struct Tally;

impl Drop for Tally {
    #[inline]
    fn drop(&mut self) {
        DROPPED.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What the `retire` cases replace and reclaim, where the engine needs nothing in it.
#[repr(C)]
#[derive(Debug)]
pub struct Object {
    /// Any value.
    pub value: u64,
    /// What engines with an embedded head spend on it.
    rest: [u64; 6],
    tally: Tally,
}

impl Object {
    /// An object with this value.
    pub fn new(value: u64) -> Self {
        Self { value, rest: [0; 6], tally: Tally }
    }
}

/// A node of a [`Chain`].
#[repr(C)]
#[derive(Debug)]
pub struct Node {
    /// What a walk sums up.
    pub value: u64,
    /// The next node, or null.
    pub next: AtomicPtr<Node>,
    rest: [u64; 5],
    tally: Tally,
}

const _: () = assert!(size_of::<Node>() == SIZE && size_of::<Object>() == SIZE);

impl Node {
    /// A boxed node that leads nowhere.
    pub fn boxed(value: u64) -> Box<Self> {
        Box::new(Self { value, next: AtomicPtr::new(null_mut()), rest: [0; 5], tally: Tally })
    }
}

/// A singly linked list that engines without a list of their own protect.
///
/// # Invariants
///
/// `head` leads through boxed nodes to `tail`, whose `next` is null. There are at least two, and the chain owns them.
#[derive(Debug)]
pub struct Chain {
    head: AtomicPtr<Node>,
    tail: AtomicPtr<Node>,
}

impl Default for Chain {
    fn default() -> Self {
        Self::new()
    }
}

impl Chain {
    /// The chain of the measured nodes.
    pub fn new() -> Self {
        let chain = Self { head: AtomicPtr::new(null_mut()), tail: AtomicPtr::new(null_mut()) };
        let mut at = &chain.head;
        for node in in_order(Node::boxed) {
            let node = Box::into_raw(node);
            at.store(node, Ordering::Relaxed);
            chain.tail.store(node, Ordering::Relaxed);
            // SAFETY: the node was just leaked, and the chain frees it no earlier than its own drop.
            at = unsafe { &(*node).next };
        }
        chain
    }

    /// The link to the first node.
    pub fn head(&self) -> &AtomicPtr<Node> {
        &self.head
    }

    /// Sums up the values by nothing but loads.
    ///
    /// The link is loaded before the value, so that the load that all waits for is the first to be issued; the other way round
    /// a walk takes a fifth longer.
    ///
    /// # Safety
    ///
    /// No node that is or was in the chain since the call began is freed before it returns.
    #[inline(always)]
    pub unsafe fn sum(&self) -> u64 {
        let (mut sum, mut at) = (0_u64, self.head.load(Ordering::Acquire));
        // SAFETY: a node that was reached is not freed meanwhile (contract).
        while let Some(node) = unsafe { at.as_ref() } {
            at = node.next.load(Ordering::Acquire);
            sum = sum.wrapping_add(node.value);
        }
        sum
    }

    /// Unlinks the first node, appends a copy of it, and hands over the first. Readers may go on.
    ///
    /// # Safety
    ///
    /// One thread at a time calls it, and the node is freed only when no reader can hold it.
    pub unsafe fn replace(&self) -> *mut Node {
        let (first, last) = (self.head.load(Ordering::Relaxed), self.tail.load(Ordering::Relaxed));
        // SAFETY: both are nodes of the chain, which only this thread changes; with two or more nodes they differ.
        unsafe {
            let node = Box::into_raw(Node::boxed((*first).value));
            self.head.store((*first).next.load(Ordering::Relaxed), Ordering::Release);
            (*last).next.store(node, Ordering::Release);
            self.tail.store(node, Ordering::Relaxed);
        }
        first
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        let mut at = *self.head.get_mut();
        while !at.is_null() {
            // SAFETY: the chain owns its boxed nodes (type invariant) and passes each once.
            let mut node = unsafe { Box::from_raw(at) };
            at = *node.next.get_mut();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_names_each_node_once_and_leaps() {
        let mut order = order();
        assert!(order.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count() < NODES / 10);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..NODES as u32));
    }
}
