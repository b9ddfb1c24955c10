//! liburcu, a flavor an engine. The loops are C (csrc/loops.h), compiled with the library's inlined read side.

use std::ptr::NonNull;

use crate::engine::{Engine, Reader, SECTIONS, Skills, Subject, WALKS, Writer};
use crate::node::{NODES, order};

/// The engines.
pub const ALL: [Engine; 4] = [
    Engine { name: "liburcu-memb", start: || Box::new(Liburcu::new(&MEMB)), skills: Skills::RCU },
    Engine { name: "liburcu-mb", start: || Box::new(Liburcu::new(&MB)), skills: Skills::RCU },
    Engine { name: "liburcu-qsbr", start: || Box::new(Liburcu::new(&QSBR)), skills: Skills::RCU },
    Engine { name: "liburcu-bp", start: || Box::new(Liburcu::new(&BP)), skills: Skills::RCU },
];

/// `struct subject` of csrc/loops.h.
#[repr(C)]
struct Raw {
    _opaque: [u8; 0],
}

/// The functions of one flavor in csrc. Those that enter sections or retire are for registered threads, those that
/// change the list for one thread at a time.
struct Flavor {
    /// Makes a list of `count` nodes of values 1 to `count`, linked in the order of the `count` indices, and an object.
    new: unsafe extern "C" fn(order: *const u32, count: usize) -> *mut Raw,
    drop: unsafe extern "C" fn(*mut Raw),
    register: unsafe extern "C" fn(),
    unregister: unsafe extern "C" fn(),
    sections: unsafe extern "C" fn(count: u64, chunk: u64),
    walks: unsafe extern "C" fn(*mut Raw, count: u64, chunk: u64) -> u64,
    replace: unsafe extern "C" fn(*mut Raw),
    retire: unsafe extern "C" fn(*mut Raw, count: u64),
    retire_peak: unsafe extern "C" fn(*mut Raw, count: u64) -> u64,
    synchronize: unsafe extern "C" fn(),
    barrier: unsafe extern "C" fn(),
    dropped: unsafe extern "C" fn() -> u64,
}

macro_rules! flavor {
    ($name:ident = $prefix:literal) => {
        static $name: Flavor = {
            unsafe extern "C" {
                #[link_name = concat!($prefix, "_new")]
                fn new(order: *const u32, count: usize) -> *mut Raw;
                #[link_name = concat!($prefix, "_drop")]
                fn drop(subject: *mut Raw);
                #[link_name = concat!($prefix, "_register")]
                fn register();
                #[link_name = concat!($prefix, "_unregister")]
                fn unregister();
                #[link_name = concat!($prefix, "_sections")]
                fn sections(count: u64, chunk: u64);
                #[link_name = concat!($prefix, "_walks")]
                fn walks(subject: *mut Raw, count: u64, chunk: u64) -> u64;
                #[link_name = concat!($prefix, "_replace")]
                fn replace(subject: *mut Raw);
                #[link_name = concat!($prefix, "_retire")]
                fn retire(subject: *mut Raw, count: u64);
                #[link_name = concat!($prefix, "_retire_peak")]
                fn retire_peak(subject: *mut Raw, count: u64) -> u64;
                #[link_name = concat!($prefix, "_synchronize")]
                fn synchronize();
                #[link_name = concat!($prefix, "_barrier")]
                fn barrier();
                #[link_name = concat!($prefix, "_dropped")]
                fn dropped() -> u64;
            }
            Flavor {
                new,
                drop,
                register,
                unregister,
                sections,
                walks,
                replace,
                retire,
                retire_peak,
                synchronize,
                barrier,
                dropped,
            }
        };
    };
}

flavor!(MEMB = "liburcu_memb");
flavor!(MB = "liburcu_mb");
flavor!(QSBR = "liburcu_qsbr");
flavor!(BP = "liburcu_bp");

/// # Invariants
///
/// `raw` is a live subject of `flavor`, owned.
struct Liburcu {
    flavor: &'static Flavor,
    raw: NonNull<Raw>,
}

// SAFETY: csrc's subject is not tied to a thread, and what it retires may be freed anywhere.
unsafe impl Send for Liburcu {}
// SAFETY: shared use is of the read side, of the one writer that the harness has, and of functions for any thread.
unsafe impl Sync for Liburcu {}

impl Liburcu {
    fn new(flavor: &'static Flavor) -> Self {
        // SAFETY: the order is a permutation of its indices.
        let raw = unsafe { (flavor.new)(order().as_ptr(), NODES) };
        let this = Self { flavor, raw: NonNull::new(raw).expect("it aborts without memory") };
        // The library's reclaiming thread inherits the cores of whoever retires first: no pinned thread may be that.
        this.writer().retire(1);
        this
    }

    fn register(&self) -> Registered<'_> {
        // SAFETY: the harness makes one reader or writer a thread at a time.
        unsafe { (self.flavor.register)() };
        Registered(self)
    }
}

impl Drop for Liburcu {
    fn drop(&mut self) {
        self.drain();
        // SAFETY: owned and live (type invariant); exclusive access means that no reader is left.
        unsafe { (self.flavor.drop)(self.raw.as_ptr()) };
    }
}

impl Subject for Liburcu {
    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(self.register())
    }

    fn writer(&self) -> Box<dyn Writer + '_> {
        Box::new(self.register())
    }

    fn synchronize(&self) {
        // SAFETY: no thread of the harness is in a section outside of csrc's loops.
        unsafe { (self.flavor.synchronize)() };
    }

    fn dropped(&self) -> u64 {
        // SAFETY: it reads a counter.
        unsafe { (self.flavor.dropped)() }
    }

    fn drain(&self) {
        // SAFETY: as for `synchronize`.
        unsafe { (self.flavor.barrier)() };
    }
}

/// The calling thread, registered.
struct Registered<'a>(&'a Liburcu);

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        // SAFETY: the thread registered when this was made, and a boxed reader stays on its thread.
        unsafe { (self.0.flavor.unregister)() };
    }
}

impl Reader for Registered<'_> {
    fn sections(&mut self, count: u64) {
        // SAFETY: the thread is registered.
        unsafe { (self.0.flavor.sections)(count, SECTIONS) };
    }

    fn walks(&mut self, count: u64) -> u64 {
        // SAFETY: the thread is registered, the subject live.
        unsafe { (self.0.flavor.walks)(self.0.raw.as_ptr(), count, WALKS) }
    }
}

impl Writer for Registered<'_> {
    fn replace(&mut self) {
        // SAFETY: the thread is registered and the subject's one writer, the subject live. As for the two below.
        unsafe { (self.0.flavor.replace)(self.0.raw.as_ptr()) };
    }

    fn retire(&mut self, count: u64) {
        // SAFETY: as for `replace`.
        unsafe { (self.0.flavor.retire)(self.0.raw.as_ptr(), count) };
    }

    fn retire_peak(&mut self, count: u64) -> u64 {
        // SAFETY: as for `replace`.
        unsafe { (self.0.flavor.retire_peak)(self.0.raw.as_ptr(), count) }
    }
}
