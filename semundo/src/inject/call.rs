//! System calls made by a stopped thread.

use std::io;

use super::Error;
use super::arch::{Arch, Registers};
use super::batch::{Batch, Made};
use super::held::{Held, Runs};
use super::memory::Memory;
use super::ptrace;
use super::seccomp::{self, Seccomp};
use super::tracer::Semop;

/// The smallest page that is mapped for operations, in bytes: SEMOPM of them take 3000.
const PAGE: u64 = 4096;

/// `include/uapi/linux/rseq.h`: where `rseq_cs` is in `struct rseq`.
const RSEQ_CS: u64 = 8;

/// A stopped thread that makes calls.
#[derive(Debug)]
pub(super) struct Caller<T> {
    held: T,
    place: Option<Place>,
    page: Option<Page>,
}

/// What is found out about the thread before its first call.
#[derive(Debug)]
struct Place {
    memory: Memory,
    /// The address of the instruction by which calls are made.
    instruction: u64,
    /// The address of `rseq_cs`, which tells in which restartable sequence the thread is.
    rseq_cs: Option<u64>,
    seccomp: Seccomp,
}

/// Memory that the process was made to map.
#[derive(Clone, Copy, Debug)]
struct Page {
    address: u64,
    len: u64,
}

impl<T: Held> Caller<T> {
    /// It must stand still before each call, and does after.
    pub(super) fn new(held: T) -> Self {
        Self { held, place: None, page: None }
    }

    pub(super) fn held(&self) -> &T {
        &self.held
    }

    /// `semop(2)`.
    pub(super) fn semop(&mut self, call: &Semop) -> Result<io::Result<()>, Error> {
        let page = self.page(call.sops.len() as u64)?;
        let args = [call.semid as u64, page, call.nsops as u64, 0, 0, 0];
        let returned = self.excursion(|away| {
            away.held.check("a write to its memory", away.place.memory.write(page, &call.sops))?;
            away.call(libc::SYS_semop, args)
        })?;
        Ok(returned.map(drop))
    }

    /// Makes a call. The inner error is its errno.
    pub(super) fn call(&mut self, number: i64, args: [u64; 6]) -> Result<io::Result<u64>, Error> {
        self.excursion(|away| away.call(number, args))
    }

    /// Takes the memory from the process again that it was made to map.
    pub(super) fn unmap(&mut self) -> Result<(), Error> {
        let Some(page) = self.page.take() else { return Ok(()) };
        self.excursion(|away| away.unmap(page))
    }

    /// The address of at least so many bytes.
    fn page(&mut self, len: u64) -> Result<u64, Error> {
        if let Some(page) = self.page.filter(|page| page.len >= len) {
            return Ok(page.address);
        }
        self.unmap()?;
        let mapped = self.excursion(|away| away.map(len.max(PAGE), libc::PROT_READ | libc::PROT_WRITE))?;
        let page = self.held.check("mmap(2) in the process", mapped)?;
        self.page = Some(page);
        Ok(page.address)
    }

    /// Makes calls one after the other until one fails, by code that the process is made to map and to run: one run instead of
    /// one a call. How many were made, and the errno of the one that failed. `None` where it cannot be done; then nothing was.
    pub(super) fn semops(&mut self, calls: &[Semop]) -> Result<Option<Made>, Error>
    where
        T: Runs,
    {
        let Some(code) = Registers::batch_code().filter(|_| self.held.may_trap()) else { return Ok(None) };
        self.excursion(|away| {
            let len = Batch::len(code, calls) as u64;
            let Ok(page) = away.map(len, libc::PROT_READ | libc::PROT_EXEC)? else { return Ok(None) };
            let batch = Batch::new(code, calls, page.address);
            let made = match away.place.memory.write(page.address, &batch.bytes) {
                Ok(()) => away.run(&batch).map(Some),
                Err(_) => Ok(None),
            };
            let unmapped = away.unmap(page);
            let made = made?;
            unmapped?;
            Ok(made)
        })
    }

    /// Lets the thread do something else than its program, with its signals blocked; then all is as it was.
    fn excursion<R>(&mut self, work: impl FnOnce(&Away<'_, T>) -> Result<R, Error>) -> Result<R, Error> {
        let registers = self.held.registers()?;
        self.find_place(&registers)?;
        let (held, place) = (&self.held, self.place.as_ref().expect("just found"));
        let mask = held.check("PTRACE_GETSIGMASK", ptrace::signal_mask(held.tid()))?;
        let rseq_cs = held.check("a read of its rseq", place.rseq_cs())?;

        let away = Away { held, place, registers: &registers };
        let result = away.block(held.to_block()).and_then(|()| work(&away));

        // Each of them whatever happened to the others, or before.
        let restored = [
            held.set_registers(&registers),
            held.check("a write to its rseq", place.set_rseq_cs(rseq_cs)),
            away.block(mask),
        ];
        let result = result?;
        restored.into_iter().collect::<Result<(), Error>>()?;
        Ok(result)
    }

    fn find_place(&mut self, registers: &Registers) -> Result<(), Error> {
        if self.place.is_none() {
            let found = Place::find(&self.held, registers);
            // Killed meanwhile, it has neither code nor filters.
            self.held.registers()?;
            self.place = Some(found?);
        }
        Ok(())
    }
}

/// A thread that does something else than its program, whose registers these are.
#[derive(Debug)]
struct Away<'a, T> {
    held: &'a T,
    place: &'a Place,
    registers: &'a Registers,
}

impl<T: Held> Away<'_, T> {
    /// Makes a call. The inner error is its errno.
    fn call(&self, number: i64, args: [u64; 6]) -> Result<io::Result<u64>, Error> {
        let Self { held, place, registers } = *self;
        let tid = held.tid();
        place.allows(number, args).map_err(|why| Error::Seccomp { tid, why })?;
        let at = place.instruction;
        held.run_call(&registers.calling(at, number, args))?;
        match held.registers()?.returned(at, number) {
            Some(errno @ -4095..=-1) => Ok(Err(io::Error::from_raw_os_error(-errno as i32))),
            Some(value) => Ok(Ok(value as u64)),
            None => Err(Error::Unexpected { tid, what: "it did not come back from the call".to_owned() }),
        }
    }

    fn map(&self, len: u64, access: libc::c_int) -> Result<io::Result<Page>, Error> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let mapped = self.call(libc::SYS_mmap, [0, len, access as u64, flags as u64, u64::MAX, 0])?;
        Ok(mapped.map(|address| Page { address, len }))
    }

    fn unmap(&self, Page { address, len }: Page) -> Result<(), Error> {
        let unmapped = self.call(libc::SYS_munmap, [address, len, 0, 0, 0, 0])?;
        self.held.check("munmap(2) in the process", unmapped.map(drop))
    }

    /// Runs the code of a batch.
    fn run(&self, batch: &Batch) -> Result<Made, Error>
    where
        T: Runs,
    {
        let Self { held, registers, .. } = *self;
        held.run_to_trap(&registers.running(batch))?;
        let what = || "it did not come to the end of the calls".to_owned();
        held.registers()?.ran(batch).ok_or_else(|| Error::Unexpected { tid: held.tid(), what: what() })
    }

    fn block(&self, signals: u64) -> Result<(), Error> {
        self.held.check("PTRACE_SETSIGMASK", ptrace::set_signal_mask(self.held.tid(), signals))
    }
}

impl Place {
    fn find(tracee: &impl Held, registers: &Registers) -> Result<Self, Error> {
        let tid = tracee.tid();
        if ptrace::dispatches_calls(tid).unwrap_or(false) {
            let what = "its system calls are dispatched to itself (PR_SET_SYSCALL_USER_DISPATCH)".to_owned();
            return Err(Error::Unexpected { tid, what });
        }
        let memory = tracee.check("/proc/TID/mem", Memory::of(tid))?;
        let instruction = tracee.check("/proc/TID/maps", memory.call_instruction(registers.instruction_pointer()))?;
        let instruction = instruction.ok_or(Error::NoInstruction(tid))?;
        let rseq = ptrace::rseq_address(tid).ok().filter(|address| *address != 0);
        Ok(Self { memory, instruction, rseq_cs: rseq.map(|address| address + RSEQ_CS), seccomp: tracee.seccomp() })
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
