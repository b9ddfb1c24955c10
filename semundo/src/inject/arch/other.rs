//! All other architectures: there are no registers that anybody knows.

use std::ffi::c_long;
use std::io;

use super::{Arch, Batch, Made};

#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Registers {}

impl Arch for Registers {
    const SUPPORTED: bool = false;
    const INSTRUCTION: &[u8] = &[0];
    const ALIGNMENT: usize = 1;
    const AUDIT_ARCH: u32 = 0;

    fn get(_: i32) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn set(&self, _: i32) -> io::Result<()> {
        match *self {}
    }

    fn is_64_bit(&self) -> bool {
        match *self {}
    }

    fn instruction_pointer(&self) -> u64 {
        match *self {}
    }

    fn calling(&self, _: u64, _: i64, _: [u64; 6]) -> Self {
        *self
    }

    fn returned(&self, _: u64, _: i64) -> Option<i64> {
        match *self {}
    }

    fn running(&self, _: &Batch) -> Self {
        *self
    }

    fn ran(&self, _: &Batch) -> Option<Made> {
        match *self {}
    }

    fn call(&self) -> Option<c_long> {
        match *self {}
    }

    fn restarting(&self) -> Option<Self> {
        match *self {}
    }
}
