//! Many calls for one run: how they and the code that makes them lie in the memory of the process.

use super::tracer::Semop;

/// The code, an entry a call, and the calls' operations, for one place in memory.
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    /// The address of the code.
    pub(super) code: u64,
    /// The address behind the code's last instruction.
    pub(super) code_end: u64,
    /// The address of the first entry.
    pub(super) entries: u64,
    /// The address behind the last entry.
    pub(super) end: u64,
}

/// How far a batch came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Made {
    /// So many calls succeeded.
    pub(super) calls: usize,
    /// Then one failed with this errno.
    pub(super) errno: Option<i32>,
}

/// What entries and operations begin at a multiple of.
const ALIGNMENT: usize = 8;

impl Batch {
    /// The size of an entry: `semid` and `nsops` as `u32`, `sops` as `u64`.
    pub(super) const ENTRY: usize = 16;

    /// How much memory it takes.
    pub(super) fn len(code: &[u8], calls: &[Semop]) -> usize {
        let sops: usize = calls.iter().map(|call| call.sops.len().next_multiple_of(ALIGNMENT)).sum();
        code.len().next_multiple_of(ALIGNMENT) + Self::ENTRY * calls.len() + sops
    }

    /// These calls at `address`.
    pub(super) fn new(code: &[u8], calls: &[Semop], address: u64) -> Self {
        let mut bytes = Vec::with_capacity(Self::len(code, calls));
        bytes.extend(code);
        bytes.resize(code.len().next_multiple_of(ALIGNMENT), 0);
        let entries = bytes.len();
        let end = entries + Self::ENTRY * calls.len();
        let mut sops = end;
        for call in calls {
            bytes.extend(call.semid.to_ne_bytes());
            bytes.extend((call.nsops as u32).to_ne_bytes());
            bytes.extend((address + sops as u64).to_ne_bytes());
            sops += call.sops.len().next_multiple_of(ALIGNMENT);
        }
        for call in calls {
            bytes.extend(&call.sops);
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        }
        let at = |offset: usize| address + offset as u64;
        Self { bytes, code: address, code_end: at(code.len()), entries: at(entries), end: at(end) }
    }

    /// The number of the call whose entry is at an address; the number of calls for the end.
    pub(super) fn index(&self, at: u64) -> Option<usize> {
        let offset = at.checked_sub(self.entries).filter(|_| at <= self.end)? as usize;
        offset.is_multiple_of(Self::ENTRY).then_some(offset / Self::ENTRY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use semundo_core::plan::{Op, Plan, SEMOPM};

    #[test]
    fn entries_point_to_their_operations() {
        let mut buffer = [Op::default(); SEMOPM];
        let ops = Plan::new(&[0], &[1], &[1], &mut buffer).unwrap().next_call().unwrap().to_vec();
        let calls = [Semop::new(7, &ops), Semop::new(9, &ops[..1])];
        let batch = Batch::new(&[0x90; 3], &calls, 0x1000);
        assert_eq!((batch.code_end, batch.entries, batch.end), (0x1003, 0x1008, 0x1028));
        assert_eq!(batch.bytes.len(), Batch::len(&[0x90; 3], &calls));
        for (number, call) in calls.iter().enumerate() {
            let entry = &batch.bytes[8 + 16 * number..][..16];
            let sops = u64::from_ne_bytes(entry[8..].try_into().unwrap()) as usize - 0x1000;
            assert_eq!(entry[..4], call.semid.to_ne_bytes());
            assert_eq!(entry[4..8], (call.nsops as u32).to_ne_bytes());
            assert_eq!(batch.bytes[sops..][..call.sops.len()], call.sops);
        }
        let indexes = [0x1007, 0x1008, 0x1009, 0x1018, 0x1028, 0x1038].map(|at| batch.index(at));
        assert_eq!(indexes, [None, Some(0), None, Some(1), Some(2), None]);
    }
}
