//! System calls made by a stopped thread.

use std::io;

use super::Error;
use super::arch::{Arch, Registers};
use super::memory::Memory;
use super::ptrace;
use super::seccomp::{self, Seccomp};
use super::tracee::Tracee;
use super::tracer::Semop;

/// The smallest page that is mapped for operations, in bytes: SEMOPM of them take 3000.
const PAGE: u64 = 4096;

/// `include/uapi/linux/rseq.h`: where `rseq_cs` is in `struct rseq`.
const RSEQ_CS: u64 = 8;

/// A stopped thread that makes calls.
pub(super) struct Caller<'a> {
    tracee: &'a Tracee,
    place: Option<Place>,
    page: Option<Page>,
}

/// What is found out about the thread before its first call.
struct Place {
    memory: Memory,
    /// The address of the instruction by which calls are made.
    instruction: u64,
    /// The address of `rseq_cs`, which tells in which restartable sequence the thread is.
    rseq_cs: Option<u64>,
    seccomp: Seccomp,
}

/// Memory that the process was made to map.
#[derive(Clone, Copy)]
struct Page {
    address: u64,
    len: u64,
}

impl<'a> Caller<'a> {
    /// Parked it must be before each call, and is after.
    pub(super) fn new(tracee: &'a Tracee) -> Self {
        Self { tracee, place: None, page: None }
    }

    /// `semop(2)`.
    pub(super) fn semop(&mut self, call: &Semop) -> Result<io::Result<()>, Error> {
        let page = self.page(call.sops.len() as u64)?;
        let written = self.place()?.memory.write(page, &call.sops);
        self.tracee.check("a write to its memory", written)?;
        let args = [call.semid as u64, page, call.nsops as u64, 0, 0, 0];
        Ok(self.call(libc::SYS_semop, args)?.map(drop))
    }

    /// Takes the memory from the process again that it was made to map.
    pub(super) fn unmap(&mut self) -> Result<(), Error> {
        let Some(Page { address, len }) = self.page.take() else { return Ok(()) };
        let unmapped = self.call(libc::SYS_munmap, [address, len, 0, 0, 0, 0])?;
        self.tracee.check("munmap(2) in the process", unmapped.map(drop))
    }

    /// The address of at least so many bytes.
    fn page(&mut self, len: u64) -> Result<u64, Error> {
        if let Some(page) = self.page.filter(|page| page.len >= len) {
            return Ok(page.address);
        }
        self.unmap()?;
        let len = len.max(PAGE);
        let access = (libc::PROT_READ | libc::PROT_WRITE) as u64;
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
        let mapped = self.call(libc::SYS_mmap, [0, len, access, flags, u64::MAX, 0])?;
        let address = self.tracee.check("mmap(2) in the process", mapped)?;
        self.page = Some(Page { address, len });
        Ok(address)
    }

    /// Makes a call. The inner error is its errno.
    fn call(&mut self, number: i64, args: [u64; 6]) -> Result<io::Result<u64>, Error> {
        let tracee = self.tracee;
        let tid = tracee.tid();
        let place = self.place()?;
        place.allows(number, args).map_err(|why| Error::Seccomp { tid, why })?;

        let registers = tracee.registers()?;
        let mask = tracee.check("PTRACE_GETSIGMASK", ptrace::signal_mask(tid))?;
        let rseq_cs = tracee.check("a read of its rseq", place.rseq_cs())?;

        let set_mask = |mask| tracee.check("PTRACE_SETSIGMASK", ptrace::set_signal_mask(tid, mask));
        let returned = set_mask(ptrace::ALL_SIGNALS)
            .and_then(|()| tracee.run_call(&registers.calling(place.instruction, number, args)))
            .and_then(|()| tracee.registers())
            .map(|registers| registers.returned(place.instruction, number));

        // Each of them whatever happened to the others, or before.
        let restored = [
            tracee.set_registers(&registers),
            tracee.check("a write to its rseq", place.set_rseq_cs(rseq_cs)),
            set_mask(mask),
        ];
        let returned = returned?;
        restored.into_iter().collect::<Result<(), Error>>()?;
        match returned {
            Some(errno @ -4095..=-1) => Ok(Err(io::Error::from_raw_os_error(-errno as i32))),
            Some(value) => Ok(Ok(value as u64)),
            None => Err(Error::Unexpected { tid, what: "it did not come back from the call".to_owned() }),
        }
    }

    fn place(&mut self) -> Result<&Place, Error> {
        match &mut self.place {
            Some(place) => Ok(place),
            place => {
                let found = Place::find(self.tracee);
                // Killed meanwhile, it has neither code nor filters.
                self.tracee.registers()?;
                Ok(place.insert(found?))
            }
        }
    }
}

impl Place {
    fn find(tracee: &Tracee) -> Result<Self, Error> {
        let tid = tracee.tid();
        if ptrace::dispatches_calls(tid).unwrap_or(false) {
            let what = "its system calls are dispatched to itself (PR_SET_SYSCALL_USER_DISPATCH)".to_owned();
            return Err(Error::Unexpected { tid, what });
        }
        let memory = tracee.check("/proc/TID/mem", Memory::of(tid))?;
        let instruction = tracee.check("/proc/TID/maps", memory.call_instruction())?;
        let instruction = instruction.ok_or(Error::NoInstruction(tid))?;
        let rseq = ptrace::rseq_address(tid).ok().filter(|address| *address != 0);
        Ok(Self { memory, instruction, rseq_cs: rseq.map(|address| address + RSEQ_CS), seccomp: Seccomp::of(tid) })
    }

    fn allows(&self, number: i64, args: [u64; 6]) -> Result<(), &'static str> {
        let instruction_pointer = self.instruction + Registers::INSTRUCTION.len() as u64;
        self.seccomp.check(&seccomp::Call { number, arch: Registers::AUDIT_ARCH, instruction_pointer, args })
    }

    /// In which restartable sequence the thread is, or was last; 0 for none.
    fn rseq_cs(&self) -> io::Result<u64> {
        self.rseq_cs.map_or(Ok(0), |address| self.memory.read_u64(address))
    }

    /// Puts the sequence back, which the kernel forgets while code outside of it is run: so it aborts the sequence, as it must.
    fn set_rseq_cs(&self, rseq_cs: u64) -> io::Result<()> {
        match self.rseq_cs {
            Some(address) if rseq_cs != 0 => self.memory.write(address, &rseq_cs.to_ne_bytes()),
            _ => Ok(()),
        }
    }
}
