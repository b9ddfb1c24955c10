//! The source for stock kernels without the module: a BPF task iterator (`src/bpf/undo.bpf.c`).
//!
//! The program is loaded once, and run twice a reading: first it tells the tasks that have a list, then the entries of all lists
//! and the tasks again. A list is an address, which means the same both times only if some task had it both times. Others are of
//! tasks that came or went meanwhile, and are left out. Entries come out set by set, so a process that goes on using its
//! semaphores hides none of them; but each adjustment is as it was at some moment of the reading, all together only if the process stands still.

mod link;
mod pinned;
mod record;
mod unavailable;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::mem;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use aya::maps::{Array, MapData, RingBuf};
use aya::programs::Iter;
use aya::{Btf, Ebpf, EbpfLoader};

use super::{Error, Select, Source};
use crate::undo_list::{Adjustments, Task, UndoList};
use link::Link;
use record::{Record, TaskRecord};

/// Built from `src/bpf` by `cargo xtask bpf`; the tests build it again and compare.
const OBJECT: &[u8] = aya::include_bytes_aligned!("../bpf/undo.bpf.o");

/// The ring buffer's size in bytes: the first, and the largest that is tried where records do not fit.
const SIZES: RangeInclusive<u32> = 1 << 22..=1 << 30;

/// That of a pinned program, whose pages are mapped at every opening, all of them, and unmapped at its end: the first takes some 600
/// sets. Where that is not enough, the largest is pinned instead.
const PINNED_SIZES: RangeInclusive<u32> = 1 << 16..=1 << 20;

/// How much larger the next size is that is tried.
const GROWTH: u32 = 16;

/// How often a reading is repeated whose sets changed too often.
const ATTEMPTS: u32 = 10;

/// The loaded program.
///
/// Loading takes `CAP_BPF` and `CAP_PERFMON`, or `CAP_SYS_ADMIN`, and a kernel since 5.17 with type information (BTF). Processes
/// outside the caller's pid namespace are not seen.
///
/// ```no_run
/// use semundo::{Select, Source, source::bpf::Bpf};
///
/// for list in Bpf::load()?.read(&Select::All)? {
///     println!("{:?} give back to {} sets", list.pids(), list.adjustments.len());
/// }
/// # Ok::<(), semundo::source::Error>(())
/// ```
pub struct Bpf {
    loaded: Mutex<Loaded>,
}

impl fmt::Debug for Bpf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bpf").finish_non_exhaustive()
    }
}

impl Bpf {
    /// Loads the program. [`Error::Unavailable`] says why it cannot be, and what would help.
    pub fn load() -> Result<Self, Error> {
        unavailable::before_loading()?;
        Self::of(Loaded::load(*SIZES.start(), false).map_err(unavailable::explain)?)
    }

    /// The program that an earlier caller of this has left in the BPF file system (`/sys/fs/bpf`), which spares the loading; where there is
    /// none, or another one uses it, it is loaded, and left there if it can be.
    ///
    /// What is left takes some megabytes of the kernel's memory, until its directory `/sys/fs/bpf/semundo-*` is removed.
    pub fn load_pinned() -> Result<Self, Error> {
        if let Some(loaded) = pinned::open() {
            return Self::of(loaded);
        }
        unavailable::before_loading()?;
        let pin = pinned::is_possible();
        let size = if pin { PINNED_SIZES.start() } else { SIZES.start() };
        Self::of(Loaded::load(*size, pin).map_err(unavailable::explain)?)
    }

    fn of(loaded: Loaded) -> Result<Self, Error> {
        Ok(Self { loaded: Mutex::new(loaded) })
    }
}

impl Source for Bpf {
    fn name(&self) -> &'static str {
        "bpf"
    }

    fn read(&self, select: &Select) -> Result<Vec<UndoList>, Error> {
        select.check()?;
        let only_process = match select {
            Select::Pids(pids) if pids.len() == 1 => pids.first().copied(),
            _ => None,
        };
        let lists = self.lists(only_process, &mut |task| select.takes(task.pid))?;
        let lists = lists.into_iter().map(|counted| counted.list);
        Ok(lists.filter(|list| !list.adjustments.is_empty()).collect())
    }
}

/// An undo list, also one with nothing to undo, and how many threads have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The list, with those of its threads that the caller's pid namespace has.
    pub list: UndoList,
    /// How many threads have it, as the kernel counts them.
    pub threads: usize,
}

impl Bpf {
    /// The lists of which `takes` wants one of the threads, ascending by their first one; also those with nothing to undo.
    pub fn read_counted(&self, mut takes: impl FnMut(&Task) -> bool) -> Result<Vec<Counted>, Error> {
        self.lists(None, &mut takes)
    }

    fn lists(
        &self,
        mut only_process: Option<i32>,
        takes: &mut dyn FnMut(&Task) -> bool,
    ) -> Result<Vec<Counted>, Error> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ATTEMPTS {
            let mut before = loaded.run(only_process, Wanted::Tasks)?.tasks;
            if only_process.is_some() && shared_by_others(&before) {
                only_process = None;
                before = loaded.run(None, Wanted::Tasks)?.tasks;
            }
            let lists: BTreeSet<u64> = before.iter().filter(|task| takes(&task.task)).map(|task| task.list).collect();
            if lists.is_empty() {
                return Ok(Vec::new());
            }
            let only = if lists.len() == 1 { lists.first().copied() } else { None };
            let after = loaded.run(only_process, Wanted::Entries { only })?;
            if after.torn == 0 {
                return Ok(join(&before, after, &lists));
            }
        }
        Err(Error::Unavailable(format!("undo lists changed too often to be read: {ATTEMPTS} attempts")))
    }
}

/// Whether a list has more tasks than were told.
fn shared_by_others(tasks: &[TaskRecord]) -> bool {
    let mut told: HashMap<u64, u32> = HashMap::new();
    for task in tasks {
        *told.entry(task.list).or_default() += 1;
    }
    tasks.iter().any(|task| told[&task.list] < task.sharers)
}

/// The wanted lists, with those tasks that had the same one before as well: what a task has that came meanwhile may be another list,
/// which got the address of one that has ended.
fn join(before: &[TaskRecord], after: Told, wanted: &BTreeSet<u64>) -> Vec<Counted> {
    let before: BTreeSet<_> = before.iter().map(TaskRecord::identity).collect();
    let mut lists: BTreeMap<u64, Counted> = BTreeMap::new();
    let is_wanted = |record: &TaskRecord| wanted.contains(&record.list) && before.contains(&record.identity());
    for record in after.tasks.into_iter().filter(is_wanted) {
        let (ipc_namespace, threads) = (record.ipc_namespace, record.sharers as usize);
        let list = || UndoList { tasks: Vec::new(), ipc_namespace, adjustments: Vec::new() };
        let counted = lists.entry(record.list).or_insert_with(|| Counted { list: list(), threads });
        counted.list.tasks.push(record.task);
    }
    for (list, told) in after.lists {
        if let Some(counted) = lists.get_mut(&list) {
            counted.list.adjustments = in_order(told.entries);
        }
    }
    let mut lists: Vec<_> = lists.into_values().collect();
    for Counted { list, .. } in &mut lists {
        list.tasks.sort_unstable();
        list.tasks.dedup();
    }
    lists.sort_unstable_by(|one, other| one.list.tasks.cmp(&other.list.tasks));
    lists
}

/// Entries, which may have been told more than once: the last time counts. Those that undo nothing are left out.
fn in_order(mut entries: Vec<Adjustments>) -> Vec<Adjustments> {
    entries.sort_by_key(|entry| entry.semid);
    entries.dedup_by(|later, earlier| {
        let same = later.semid == earlier.semid;
        if same {
            mem::swap(later, earlier);
        }
        same
    });
    entries.retain(|entry| entry.semadj.iter().any(|adjustment| *adjustment != 0));
    entries
}

/// What a run is to tell.
#[derive(Clone, Copy)]
enum Wanted {
    Tasks,
    Entries { only: Option<u64> },
}

/// What a run told.
#[derive(Default)]
struct Told {
    tasks: Vec<TaskRecord>,
    /// By address.
    lists: HashMap<u64, ToldList>,
    /// Sets that may lack entries.
    torn: u64,
}

/// What a run told of a list.
#[derive(Default)]
struct ToldList {
    /// Whether one of its tasks was told.
    has_task: bool,
    entries: Vec<Adjustments>,
}

/// The program in the kernel, with its maps.
struct Loaded {
    size: u32,
    run: u64,
    records: RingBuf<MapData>,
    options: Array<MapData, [u64; 3]>,
    outcome: Array<MapData, [u64; 2]>,
    program: Program,
}

/// Whose the program is.
enum Program {
    /// This process's, which has loaded it, and the lock on its pin.
    Own { ebpf: Ebpf, _lock: Option<File> },
    /// That of a pin, and the lock on it.
    Pinned { program: OwnedFd, _lock: File },
}

impl Loaded {
    fn load(size: u32, pin: bool) -> Result<Self, anyhow::Error> {
        let btf = Btf::from_sys_fs()?;
        let mut ebpf = EbpfLoader::new().btf(Some(&btf)).map_max_entries("RECORDS", size).load(OBJECT)?;
        program(&mut ebpf).load("task", &btf)?;
        // It works as well without, only the next time it takes as long again.
        let lock = if pin { pinned::pin(&mut ebpf).ok() } else { None };
        let mut map = |name| ebpf.take_map(name).expect("the object has this map");
        let (records, options, outcome) = (map("RECORDS"), map("OPTIONS"), map("OUTCOME"));
        let (records, options, outcome) = (records.try_into()?, options.try_into()?, outcome.try_into()?);
        Ok(Self { size, run: 0, records, options, outcome, program: Program::Own { ebpf, _lock: lock } })
    }

    /// Runs the program to its end, for the threads of one process or at least for those, with a larger buffer where that is too small.
    fn run(&mut self, process: Option<i32>, wanted: Wanted) -> Result<Told, Error> {
        loop {
            if let Some(told) = self.attempt(process, wanted).map_err(unavailable::explain)? {
                return Ok(told);
            }
            let size = self.size.saturating_mul(GROWTH);
            if size > *SIZES.end() {
                let reason = format!("the undo lists do not fit in a ring buffer of {} MiB", self.size >> 20);
                return Err(Error::Unavailable(reason));
            }
            let pin = self.has_pin() && PINNED_SIZES.contains(&size);
            if pin {
                pinned::remove();
            }
            *self = Self::load(size, pin).map_err(unavailable::explain)?;
        }
    }

    /// Whether the pin is this one's until its end.
    fn has_pin(&self) -> bool {
        matches!(self.program, Program::Own { _lock: Some(_), .. } | Program::Pinned { .. })
    }

    fn link(&mut self, process: Option<i32>) -> Result<Link, anyhow::Error> {
        let program = match &mut self.program {
            Program::Own { ebpf, .. } => program(ebpf).fd()?.as_fd(),
            Program::Pinned { program: pinned, .. } => OwnedFd::as_fd(pinned),
        };
        let limited = process.and_then(|pid| Link::new(program, Some(pid)).ok());
        limited.map_or_else(|| Link::new(program, None), Ok).context("bpf(BPF_LINK_CREATE)")
    }

    /// Runs the program to its end; `None` where a record did not fit in the buffer.
    fn attempt(&mut self, process: Option<i32>, wanted: Wanted) -> Result<Option<Told>, anyhow::Error> {
        self.run += 1;
        let options = match wanted {
            Wanted::Tasks => [self.run, 0, 0],
            Wanted::Entries { only } => [self.run, 1, only.unwrap_or(0)],
        };
        self.options.set(0, options, 0)?;
        self.outcome.set(0, [0, 0], 0)?;
        let mut file = self.link(process)?.iterate().context("bpf(BPF_ITER_CREATE)")?;
        // The program prints nothing, so this is a single read, however long the run.
        let ended = file.read(&mut [0; 64]);
        let mut told = Told::default();
        while let Some(bytes) = self.records.next() {
            told.add(record::parse(&bytes).expect("undo.bpf.c and this file are of one version"));
        }
        let [dropped, torn] = self.outcome.get(&0, 0)?;
        ended.context("reading the BPF iterator")?;
        told.torn = torn;
        Ok((dropped == 0).then_some(told))
    }
}

fn program(ebpf: &mut Ebpf) -> &mut Iter {
    let program = ebpf.program_mut("undo").expect("the object has this program");
    program.try_into().expect("the program is an iterator")
}

impl Told {
    fn add(&mut self, record: Record<'_>) {
        match record {
            Record::Task(task) => {
                self.lists.entry(task.list).or_default().has_task = true;
                self.tasks.push(task);
            }
            Record::Entry(part) => {
                let list = self.lists.entry(part.list).or_default();
                match list.entries.last_mut() {
                    // A task comes after all entries of its IPC namespace. So this is of another one, where a list got the address of
                    // one that has ended since.
                    _ if list.has_task => {}
                    Some(entry) if part.first > 0 => entry.semadj.extend(part.semadj()),
                    _ => {
                        let mut semadj = Vec::with_capacity(part.nsems);
                        semadj.extend(part.semadj());
                        list.entries.push(Adjustments { semid: part.semid, semadj });
                    }
                }
            }
        }
    }
}
