//! `SeqFile` against the live kernel: the same records, the same random read, pread and lseek on
//! both; the same bytes, lengths, errors and file position. `/proc/sysvipc/sem` has many small
//! records, `/proc/PID/maps` has some that outgrow a page and positions with gaps. What the kernel's own tests do with `/proc`
//! is done with both, too.
#![cfg(all(target_os = "linux", feature = "std", not(miri)))]

mod calls;
mod dd;
mod edges;
mod escapes;
mod fd;
mod maps;
mod selftests;
mod sem;
mod stage;
