//! The memory of a stopped process, and the instruction for system calls in it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

use super::arch::{Arch, Registers};
use crate::processes;

/// How much of a mapping is searched; the vDSO is much smaller, and so is what comes before the first call in a C library.
const SEARCHED: u64 = 4 << 20;

/// `/proc/TID/mem`.
#[derive(Debug)]
pub(super) struct Memory {
    file: File,
    tid: i32,
}

impl Memory {
    pub(super) fn of(tid: i32) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(format!("/proc/{tid}/mem"))?;
        Ok(Self { file, tid })
    }

    pub(super) fn read_u64(&self, address: u64) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, address)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, address)
    }

    /// The address of an instruction that makes a system call: where the thread is, `at`, if it comes from a call or is about to make
    /// one; else in the vDSO, or elsewhere.
    pub(super) fn call_instruction(&self, at: u64) -> io::Result<Option<u64>> {
        const LEN: usize = Registers::INSTRUCTION.len();
        let (last, mut bytes) = (at.wrapping_sub(LEN as u64), [0; 2 * LEN]);
        if self.file.read_exact_at(&mut bytes, last).is_ok()
            && let Some(offset) =
                [0, LEN].into_iter().find(|offset| bytes[*offset..].starts_with(Registers::INSTRUCTION))
        {
            return Ok(Some(last + offset as u64));
        }
        let maps = processes::file(&format!("/proc/{}/maps", self.tid))?;
        let mut code = executable(&String::from_utf8_lossy(&maps));
        code.sort_by_key(|mapping| !mapping.is_vdso);
        Ok(code.iter().find_map(|mapping| {
            let mut bytes = vec![0; (mapping.end - mapping.start).min(SEARCHED) as usize];
            self.file.read_exact_at(&mut bytes, mapping.start).ok()?;
            find(&bytes).map(|offset| mapping.start + offset as u64)
        }))
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Mapping {
    start: u64,
    end: u64,
    is_vdso: bool,
}

/// The executable mappings of `/proc/PID/maps` (`proc_pid_maps(5)`), but for the vsyscall page, whose calls the kernel only emulates.
fn executable(maps: &str) -> Vec<Mapping> {
    let mapping = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let is_executable = fields.next()?.as_bytes().get(2) == Some(&b'x');
        let name = fields.nth(3).unwrap_or_default();
        let address = |text| u64::from_str_radix(text, 16).ok();
        let mapping = Mapping { start: address(start)?, end: address(end)?, is_vdso: name == "[vdso]" };
        (is_executable && name != "[vsyscall]").then_some(mapping)
    };
    maps.lines().filter_map(mapping).collect()
}

fn find(code: &[u8]) -> Option<usize> {
    let mut places = code.windows(Registers::INSTRUCTION.len()).enumerate().step_by(Registers::ALIGNMENT);
    places.find(|(_, bytes)| *bytes == Registers::INSTRUCTION).map(|(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_mappings() {
        let maps = "00400000-00401000 r--p 00000000 fe:00 5    /bin/a b\n\
                    00401000-00403000 r-xp 00001000 fe:00 5    /bin/a b\n\
                    7ffd1000-7ffd3000 r-xp 00000000 00:00 0    [vdso]\n\
                    ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0    [vsyscall]\n";
        assert_eq!(
            executable(maps),
            [
                Mapping { start: 0x40_1000, end: 0x40_3000, is_vdso: false },
                Mapping { start: 0x7ffd_1000, end: 0x7ffd_3000, is_vdso: true },
            ]
        );
    }

    #[test]
    fn the_call_before_or_at_a_place_is_taken() {
        let memory = Memory::of(std::process::id() as i32).unwrap();
        let mut text = [0x90; 32];
        text[16..][..Registers::INSTRUCTION.len()].copy_from_slice(Registers::INSTRUCTION);
        let call = text[16..].as_ptr() as u64;
        let found = |at| memory.call_instruction(at).unwrap().unwrap();
        assert_eq!((found(call), found(call + Registers::INSTRUCTION.len() as u64)), (call, call));
        let elsewhere = found(call + 8);
        let mut bytes = [0; Registers::INSTRUCTION.len()];
        memory.file.read_exact_at(&mut bytes, elsewhere).unwrap();
        assert!(elsewhere != call && bytes == Registers::INSTRUCTION);
        // Where nothing can be read.
        assert_eq!(found(0), elsewhere);
    }

    #[test]
    fn the_instruction_is_found_where_it_can_be_executed() {
        let mut code = vec![0x90; 8];
        assert_eq!(find(&code), None);
        code.extend(Registers::INSTRUCTION);
        assert_eq!(find(&code), Some(8));
    }
}
