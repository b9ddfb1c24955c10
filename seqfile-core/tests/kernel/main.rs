//! `SeqFile` against the live kernel: the same records, the same random read, pread and lseek on
//! both; the same bytes, lengths, errors and file position. `/proc/sysvipc/sem` has many small
//! records, `/proc/PID/maps` has some that outgrow a page and positions with gaps.
#![cfg(all(target_os = "linux", feature = "std", not(miri)))]

mod calls;
mod fd;
mod maps;
mod sem;
mod stage;
