//! `dd` on the kernel's file, with every pair of a table of block sizes and numbers of blocks to skip, and the calls that it makes
//! on a `SeqFile`.

use std::process::Command;

use seqfile_core::{SeekFrom, SeqFile, SeqOperations};

const BLOCK_SIZES: [usize; 11] = [1, 3, 7, 100, 511, 512, 4095, 4096, 4097, 8192, 65_536];
const SKIPS: [usize; 6] = [0, 1, 2, 5, 41, 400];

/// Panics at the first pair where the bytes differ: `dd`'s, ours, or the rest of the file.
pub fn compare<O: SeqOperations>(path: &str, whole: &[u8], mut ours: impl FnMut() -> SeqFile<O>) {
    for bs in BLOCK_SIZES {
        for skip in SKIPS {
            // A byte a call is slow, and the other skips of a byte are much the same.
            if bs == 1 && skip > 1 {
                continue;
            }
            let (offset, what) = (bs * skip, format!("{path}: bs={bs} skip={skip}"));
            let rest = whole.get(offset..).unwrap_or_default();
            let dd = Command::new("dd")
                .args([format!("if={path}"), format!("bs={bs}"), format!("skip={skip}"), "status=none".to_owned()])
                .output()
                .unwrap_or_else(|e| panic!("this test needs dd(1): {e}"));
            assert!(dd.status.success() || rest.is_empty(), "{what}: {dd:?}");
            assert!(dd.stdout == rest, "{what}: {} bytes of {}", dd.stdout.len(), rest.len());

            let (mut file, mut all, mut block) = (ours(), Vec::new(), vec![0; bs]);
            assert_eq!(file.seek(SeekFrom::Current(offset as i64)), Ok(offset as u64), "{what}");
            loop {
                match file.read(&mut block).unwrap() {
                    0 => break,
                    n => all.extend_from_slice(&block[..n]),
                }
            }
            assert!(all == rest, "{what}: ours is {} bytes of {}", all.len(), rest.len());
        }
    }
}
