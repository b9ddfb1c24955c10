//! `/proc/sysvipc/sem` with 200 semaphore sets, and the same table printed by `SeqBuf` from what
//! `semctl` says.

use std::{fs, io, mem};

use seqfile_core::{SeqBuf, SeqFile, Show, SliceOps};

use crate::{calls, dd, edges, stage};

const PATH: &str = "/proc/sysvipc/sem";
const SETS: i32 = 200;

/// One row, or the header.
enum Row {
    Header,
    Set(i32, libc::semid_ds),
}

fn show(row: &Row, out: &mut SeqBuf<'_>) -> Result<Show, seqfile_core::Errno> {
    match row {
        Row::Header => {
            for (name, width) in [("key", 10), ("semid", 11), ("perms", 6), ("nsems", 11)] {
                out.put_str_padded(name, width);
            }
            for name in ["uid", "gid", "cuid", "cgid"] {
                out.put_str_padded(name, 6);
            }
            for name in ["otime", "ctime"] {
                out.put_str_padded(name, 11);
            }
        }
        Row::Set(semid, ds) => {
            let perm = &ds.sem_perm;
            out.put_dec_padded(perm.__key, 10);
            out.put_dec_padded(*semid, 11);
            out.put_str("  ");
            out.put_oct_padded(perm.mode, 4);
            out.put_dec_padded(ds.sem_nsems, 11);
            for id in [perm.uid, perm.gid, perm.cuid, perm.cgid] {
                out.put_dec_padded(id, 6);
            }
            out.put_dec_padded(ds.sem_otime, 11);
            out.put_dec_padded(ds.sem_ctime, 11);
        }
    }
    out.put_char(b'\n');
    Ok(Show::Record)
}

fn create(n: i32) -> i32 {
    let key = [libc::IPC_PRIVATE, n * 1_000_003, -n][n as usize % 3];
    let mode = [0o600, 0o666, 0o407][n as usize % 3];
    // SAFETY: no memory is involved.
    let semid = unsafe { libc::semget(key, 1 + n % 40, libc::IPC_CREAT | libc::IPC_EXCL | mode) };
    assert!(semid >= 0, "semget: {}", io::Error::last_os_error());
    semid
}

fn remove(semid: i32) {
    // SAFETY: no memory is involved.
    let removed = unsafe { libc::semctl(semid, 0, libc::IPC_RMID) };
    assert_eq!(removed, 0, "IPC_RMID: {}", io::Error::last_os_error());
}

fn stat(semid: i32) -> Row {
    // SAFETY: all zeros is a valid semid_ds.
    let mut ds: libc::semid_ds = unsafe { mem::zeroed() };
    // SAFETY: the fourth argument is the address of a semid_ds to be written.
    let got = unsafe { libc::semctl(semid, 0, libc::IPC_STAT, &raw mut ds) };
    assert_eq!(got, 0, "IPC_STAT: {}", io::Error::last_os_error());
    Row::Set(semid, ds)
}

#[test]
fn sysvipc_sem() {
    if !stage::plays("sem") {
        return stage::in_new_namespace(libc::CLONE_NEWIPC, "sem::sysvipc_sem", "sem");
    }
    // Every fourth set goes again: the positions behind the rows have gaps.
    let mut sets: Vec<i32> = (1..=SETS * 4 / 3).map(create).collect();
    let mut n = 0;
    sets.retain(|&semid| {
        n += 1;
        if n % 4 == 0 {
            remove(semid);
        }
        n % 4 != 0
    });
    let mut rows = vec![Row::Header];
    rows.extend(sets.iter().map(|&semid| stat(semid)));

    let whole = fs::read(PATH).unwrap();
    assert!(whole.len() > 16_000, "{} bytes", whole.len());
    let ours = || SeqFile::new(SliceOps::new(&rows[..], show));
    let mut all = Vec::new();
    io::Read::read_to_end(&mut ours(), &mut all).unwrap();
    assert_eq!(String::from_utf8_lossy(&all), String::from_utf8_lossy(&whole));

    calls::compare(PATH, whole.len(), 12_000, ours);
    edges::compare(PATH, &whole, ours);
    dd::compare(PATH, &whole, ours);
    assert_eq!(fs::read(PATH).unwrap(), whole, "the file changed meanwhile");
    sets.into_iter().for_each(remove);
}
