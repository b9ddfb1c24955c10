//! Images: what is taken is written and read back equal, fits together, and takes memory in proportion to its bytes; what was written and
//! is cut or damaged is an error, or means the same.

use semundo::image::{Image, ParseError};

use crate::allocated;

/// How many bytes of memory the parser may take: for any input, and for each of its bytes.
const MEMORY: (usize, usize) = (16 << 10, 32);

/// Checks the parser with these bytes and, where they are an image, with the same damaged.
pub fn check(bytes: &[u8]) {
    let Some(image) = parse(bytes) else { return };
    let written = write(&image);
    assert_eq!(parse(&written).as_ref(), Some(&image), "what was written");
    let end = written.trim_ascii_end().len();
    for cut in [end - 1, end / 2, place(bytes) % end] {
        assert!(parse(&written[..cut]).is_none(), "an image that is cut after {cut} bytes is none");
    }
    let mut flipped = written;
    flipped[place(bytes) % end] ^= 1 << (place(bytes) / end % 8);
    assert!(parse(&flipped).is_none_or(|same| same == image), "a flipped bit");
}

/// The image that these bytes are, checked.
fn parse(bytes: &[u8]) -> Option<Image> {
    let (parsed, memory) = allocated::peak(|| Image::parse(bytes));
    assert!(memory <= MEMORY.0 + MEMORY.1 * bytes.len(), "{memory} bytes for {}", bytes.len());
    match parsed {
        Ok(image) => {
            assert!(fits(&image));
            Some(image)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            if let ParseError::Structure(error) = error {
                assert!(error.line() <= bytes.split(|byte| *byte == b'\n').count(), "{error}");
            }
            None
        }
    }
}

/// What the parser has checked, checked in another way: every set is there once, and in some list; every thread is in one list, once;
/// every list's sets ascend, and are as large as the image says.
fn fits(image: &Image) -> bool {
    let (sets, lists) = (image.sets(), image.lists());
    let tids: Vec<_> = lists.iter().flat_map(|list| &list.tasks).map(|task| task.tid).collect();
    sets.iter().all(|set| {
        sets.iter().filter(|other| (other.ipc_namespace, other.semid) == (set.ipc_namespace, set.semid)).count() == 1
            && image.set(set.ipc_namespace, set.semid) == Some(set)
            && lists.iter().any(|list| list.ipc_namespace == set.ipc_namespace && !list.semadj(set.semid).is_empty())
            && set.nsems == set.values.len()
            && set.values.iter().all(|value| i16::try_from(*value).is_ok())
    }) && tids.iter().all(|tid| *tid > 0 && tids.iter().filter(|other| *other == tid).count() == 1)
        && lists.iter().all(|list| {
            let found = list.adjustments.iter().map(|set| image.set(list.ipc_namespace, set.semid));
            list.adjustments.windows(2).all(|two| two[0].semid < two[1].semid)
                && found.zip(&list.adjustments).all(|(set, list)| set.is_some_and(|set| set.nsems == list.semadj.len()))
                && !list.tasks.is_empty()
        })
}

fn write(image: &Image) -> Vec<u8> {
    let mut written = Vec::new();
    image.write(&mut written).expect("a vector takes all");
    written
}

/// Some place in the bytes that depends on all of them.
fn place(bytes: &[u8]) -> usize {
    bytes.iter().fold(bytes.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte))) % (1 << 20)
}
