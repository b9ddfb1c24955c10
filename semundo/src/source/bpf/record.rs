//! The records that `undo.bpf.c` writes into the ring buffer.

use crate::undo_list::Task;

/// A record.
pub(super) enum Record<'a> {
    Task(TaskRecord),
    Entry(EntryRecord<'a>),
}

/// A task that has an undo list: `struct task_record`.
pub(super) struct TaskRecord {
    pub(super) task: Task,
    pub(super) ipc_namespace: u64,
    /// When it was started, in nanoseconds of the boot clock.
    start: u64,
    /// The list's address.
    pub(super) list: u64,
    /// How many tasks have the list.
    pub(super) sharers: u32,
}

impl TaskRecord {
    /// The list, and what tells the task from all others that there ever are.
    pub(super) fn identity(&self) -> (u64, i32, u64) {
        (self.list, self.task.tid, self.start)
    }
}

/// Some adjustments of a list in one set: `struct entry_record`.
pub(super) struct EntryRecord<'a> {
    pub(super) list: u64,
    pub(super) semid: i32,
    /// The set's number of semaphores.
    pub(super) nsems: usize,
    /// The number of the first adjustment here.
    pub(super) first: usize,
    semadj: &'a [u8],
}

impl EntryRecord<'_> {
    pub(super) fn semadj(&self) -> impl Iterator<Item = i16> {
        self.semadj.as_chunks().0.iter().map(|bytes| i16::from_ne_bytes(*bytes))
    }
}

/// Parses a record; none where it is not one of ours.
pub(super) fn parse(bytes: &[u8]) -> Option<Record<'_>> {
    let mut fields = Fields(bytes);
    match fields.u32()? {
        0 => {
            let (pid, tid, ipc_namespace) = (fields.i32()?, fields.i32()?, u64::from(fields.u32()?));
            let (start, list, sharers) = (fields.u64()?, fields.u64()?, fields.u32()?);
            let name = fields.0.split(|byte| *byte == 0).next()?;
            let task = Task { pid, tid, comm: String::from_utf8_lossy(name).into_owned() };
            Some(Record::Task(TaskRecord { task, ipc_namespace, start, list, sharers }))
        }
        1 => {
            let (semid, list) = (fields.i32()?, fields.u64()?);
            let (nsems, first) = (fields.u32()? as usize, fields.u32()? as usize);
            Some(Record::Entry(EntryRecord { list, semid, nsems, first, semadj: fields.0 }))
        }
        _ => None,
    }
}

/// What is left of a record.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_ne_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_ne_bytes)
    }
}
