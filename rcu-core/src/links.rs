//! What an entry embeds to be in an owning list, and how a list finds it there.

use core::fmt;
use core::mem::offset_of;
use core::ptr::NonNull;

use crate::flavor::RcuHead;
use crate::hlist::{self, HlistHead, HlistNode};
use crate::list::{self, ListHead};

/// What an entry embeds to be in a [`List`](crate::List): the list link, and the head that defers its reclamation.
///
/// ```
/// struct Entry { links: rcu_core::Links, value: u32 }
/// rcu_core::linked!(Entry, links);
/// ```
#[repr(C)]
#[derive(Debug, Default)]
pub struct Links {
    link: ListHead,
    rcu: RcuHead,
}

impl Links {
    /// Links that are in no list.
    pub const fn new() -> Self {
        Self { link: ListHead::new(), rcu: RcuHead::new() }
    }
}

/// What an entry embeds to be in an [`HList`](crate::HList), as [`Links`] for a [`List`](crate::List).
///
/// ```
/// struct Entry { links: rcu_core::HLinks, value: u32 }
/// rcu_core::linked!(Entry, links: HLinks);
/// ```
#[repr(C)]
#[derive(Debug, Default)]
pub struct HLinks {
    link: HlistNode,
    rcu: RcuHead,
}

impl HLinks {
    /// Links that are in no list.
    pub const fn new() -> Self {
        Self { link: HlistNode::new(), rcu: RcuHead::new() }
    }
}

/// An entry type that embeds `L`: [`Links`] or [`HLinks`]. Implement it with [`linked!`](crate::linked).
///
/// An entry type may embed both. An entry is in one list at a time all the same, since the list owns it.
///
/// # Safety
///
/// `OFFSET` is the offset in bytes of an aligned field of type `L` that nothing but the lists of that kind uses.
pub unsafe trait Linked<L = Links>: Sized {
    /// Where the links lie in the entry.
    const OFFSET: usize;
}

/// Implements [`Linked`] for a type by naming its field of type [`Links`], or of type [`HLinks`] where that is said.
///
/// ```
/// use rcu_core::{HLinks, Links, linked};
///
/// struct Entry { links: Links, value: u32 }
/// linked!(Entry, links);
///
/// struct Both { links: Links, bucket: HLinks, value: u32 }
/// linked!(Both, links);
/// linked!(Both, bucket: HLinks);
/// ```
///
/// The field must be the links themselves, of the kind that was named:
///
/// ```compile_fail,E0308
/// struct Entry { links: Box<rcu_core::Links> }
/// rcu_core::linked!(Entry, links);
/// ```
///
/// ```compile_fail,E0308
/// struct Entry { links: rcu_core::HLinks }
/// rcu_core::linked!(Entry, links);
/// ```
#[macro_export]
macro_rules! linked {
    ($entry:ty, $links:ident) => {
        $crate::linked!($entry, $links: Links);
    };
    ($entry:ty, $links:ident: $kind:ident) => {
        // SAFETY: the offset is the compiler's, and the constants below compile only for an aligned field of the kind's type.
        unsafe impl $crate::Linked<$crate::$kind> for $entry {
            const OFFSET: usize = {
                // Raw pointers, since a reference would be taken from a box of links too, by deref coercion.
                const _: fn(&$entry) -> *const $crate::$kind = |entry| &raw const entry.$links;
                const _: () = assert!(align_of::<$entry>() >= align_of::<$crate::$kind>(), "the entry is packed");
                ::core::mem::offset_of!($entry, $links)
            };
        }
    };
}

/// A kind of list, named by what its entries embed. Nobody outside this crate can implement it.
///
/// The functions have the contracts of those that they stand for.
#[allow(clippy::missing_safety_doc)]
pub trait Kind: Sized {
    type Head: Default + fmt::Debug;
    type Link;
    type Entries<'p>: Iterator<Item = NonNull<Self::Link>> + Clone + fmt::Debug;
    /// Where the link lies in the links.
    const LINK: usize;
    /// Where the head that defers reclamation lies in the links.
    const RCU: usize;

    unsafe fn init(head: NonNull<Self::Head>);
    unsafe fn add_rcu(head: NonNull<Self::Head>, new: NonNull<Self::Link>);
    unsafe fn del_rcu(entry: NonNull<Self::Link>);
    unsafe fn replace_rcu(old: NonNull<Self::Link>, new: NonNull<Self::Link>);
    unsafe fn entries<'p>(head: NonNull<Self::Head>) -> Self::Entries<'p>;
}

impl Kind for Links {
    type Head = ListHead;
    type Link = ListHead;
    type Entries<'p> = list::Entries<'p>;
    const LINK: usize = offset_of!(Self, link);
    const RCU: usize = offset_of!(Self, rcu);

    unsafe fn init(head: NonNull<ListHead>) {
        // SAFETY: by contract.
        unsafe { ListHead::init(head) };
    }

    unsafe fn add_rcu(head: NonNull<ListHead>, new: NonNull<ListHead>) {
        // SAFETY: by contract.
        unsafe { ListHead::add_rcu(head, new) };
    }

    unsafe fn del_rcu(entry: NonNull<ListHead>) {
        // SAFETY: by contract.
        unsafe { ListHead::del_rcu(entry) };
    }

    unsafe fn replace_rcu(old: NonNull<ListHead>, new: NonNull<ListHead>) {
        // SAFETY: by contract.
        unsafe { ListHead::replace_rcu(old, new) };
    }

    #[inline]
    unsafe fn entries<'p>(head: NonNull<ListHead>) -> list::Entries<'p> {
        // SAFETY: by contract.
        unsafe { list::Entries::new(head) }
    }
}

impl Kind for HLinks {
    type Head = HlistHead;
    type Link = HlistNode;
    type Entries<'p> = hlist::Entries<'p>;
    const LINK: usize = offset_of!(Self, link);
    const RCU: usize = offset_of!(Self, rcu);

    unsafe fn init(head: NonNull<HlistHead>) {
        // SAFETY: by contract.
        unsafe { HlistHead::init(head) };
    }

    unsafe fn add_rcu(head: NonNull<HlistHead>, new: NonNull<HlistNode>) {
        // SAFETY: by contract.
        unsafe { HlistNode::add_head_rcu(head, new) };
    }

    unsafe fn del_rcu(entry: NonNull<HlistNode>) {
        // SAFETY: by contract.
        unsafe { HlistNode::del_rcu(entry) };
    }

    unsafe fn replace_rcu(old: NonNull<HlistNode>, new: NonNull<HlistNode>) {
        // SAFETY: by contract.
        unsafe { HlistNode::replace_rcu(old, new) };
    }

    #[inline]
    unsafe fn entries<'p>(head: NonNull<HlistHead>) -> hlist::Entries<'p> {
        // SAFETY: by contract.
        unsafe { hlist::Entries::new(head) }
    }
}

/// The list link of an entry, with the provenance of the whole entry.
pub(crate) fn link_of<T: Linked<L>, L: Kind>(entry: NonNull<T>) -> NonNull<L::Link> {
    // SAFETY: the links lie inside the entry (contract of `Linked`), and the link inside the links.
    unsafe { entry.byte_add(T::OFFSET + L::LINK).cast() }
}

/// The entry whose list link this is: `list_entry`.
#[inline]
pub(crate) fn entry_of<T: Linked<L>, L: Kind>(link: NonNull<L::Link>) -> NonNull<T> {
    // SAFETY: only links that came from `link_of` are in a list of `T`.
    unsafe { link.byte_sub(T::OFFSET + L::LINK).cast() }
}

/// The head that defers the reclamation of an entry, with the provenance of the whole entry.
pub(crate) fn rcu_of<T: Linked<L>, L: Kind>(entry: NonNull<T>) -> NonNull<RcuHead> {
    // SAFETY: as in `link_of`.
    unsafe { entry.byte_add(T::OFFSET + L::RCU).cast() }
}

/// The callback that frees an entry of type `T`.
///
/// # Safety
///
/// `head` came from [`rcu_of`] of a boxed entry that nobody else uses.
pub(crate) unsafe extern "C" fn free<T: Linked<L>, L: Kind>(head: *mut RcuHead) {
    // SAFETY: by contract.
    drop(unsafe { alloc::boxed::Box::from_raw(head.byte_sub(T::OFFSET + L::RCU).cast::<T>()) });
}
