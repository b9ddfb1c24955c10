//! Images: undo lists in a file, with what is needed to see that they still fit the sets that they are restored to.
//!
//! An image is JSON, one set or list a line, in this order of fields; unknown fields, sets without a list and everything else that is
//! not as described is an error.
//!
//! ```json
//! {
//! "format": "semundo image",
//! "version": 1,
//! "sets": [
//! {"ipc_namespace":4026531839,"semid":3,"key":1234,"nsems":2,"mode":384,"uid":0,"gid":0,"values":[5,0]}
//! ],
//! "lists": [
//! {"tasks":[{"pid":841,"tid":841,"comm":"worker"}],"ipc_namespace":4026531839,"adjustments":[{"semid":3,"semadj":[1,-1]}]}
//! ],
//! "crc32": 3593538613
//! }
//! ```
//!
//! | field | what |
//! |---|---|
//! | `format`, `version` | tell that it is one, and of which form: this program reads version 1 |
//! | `sets` | the sets that the lists name, ascending by namespace and id: `ipc_namespace` is the inode of `/proc/PID/ns/ipc`, `key` is 0 for `IPC_PRIVATE`, `mode` is the permission bits as a decimal number, `values` is what the semaphores were |
//! | `lists` | the undo lists: `tasks` are the threads that shared it, by the pid namespace of who saved; `semadj` is one adjustment a semaphore |
//! | `crc32` | CRC-32 (that of zlib) of the text from `"sets"` to the comma before `"crc32"`, as this program writes it; an image without this field is taken unverified, so who edits one by hand removes it |

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufWriter, Write};

use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};
use serde::{Deserialize, Serialize};

use crate::sysv::SemSet;
use crate::undo_list::UndoList;

const FORMAT: &str = "semundo image";
const VERSION: u32 = 1;

/// zlib's. Not by a crate that asks the processor for faster instructions: each CPUID leaves a virtual machine, and that takes longer
/// than most images.
static CRC_32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);

/// Undo lists and the sets that they name.
///
/// ```
/// use semundo::image::Image;
///
/// let text = r#"{"format":"semundo image","version":1,
///   "sets":[{"ipc_namespace":1,"semid":3,"key":0,"nsems":2,"mode":384,"uid":0,"gid":0,"values":[5,0]}],
///   "lists":[{"tasks":[{"pid":7,"tid":7,"comm":"a"}],"ipc_namespace":1,"adjustments":[{"semid":3,"semadj":[1,-1]}]}]}"#;
/// let image = Image::parse(text.as_bytes())?;
/// assert_eq!(image.lists()[0].semadj(3), [1, -1]);
///
/// let mut written = Vec::new();
/// image.write(&mut written)?;
/// assert_eq!(Image::parse(&written)?, image);
///
/// let cut = Image::parse(&text.as_bytes()[..80]).unwrap_err();
/// assert!(cut.to_string().contains("line 2"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    sets: Vec<SavedSet>,
    lists: Vec<UndoList>,
}

/// A set as it was when its lists were saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSet {
    /// The inode number of its IPC namespace.
    pub ipc_namespace: u64,
    /// Its id.
    pub semid: i32,
    /// Its key; 0 for none.
    pub key: i32,
    /// Its number of semaphores.
    pub nsems: usize,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner's user id.
    pub uid: u32,
    /// Its owner's group id.
    pub gid: u32,
    /// The semaphores' values.
    pub values: Vec<u16>,
}

/// Why bytes are not an image.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, or not of the described structure; the message names line and column.
    #[error("{0}")]
    Structure(#[from] serde_json::Error),
    /// JSON of something else, or of another version.
    #[error("this is {0}; version {VERSION} of {FORMAT:?} can be read")]
    Version(String),
    /// Numbers that contradict each other.
    #[error("{0}")]
    Inconsistent(String),
    /// Not what was written.
    #[error(
        "its checksum is {is}, not {told} as it says: it is damaged, or was edited (without the field \"crc32\" it is taken as it is)"
    )]
    Checksum {
        /// The field's.
        told: u32,
        /// The content's.
        is: u32,
    },
}

/// What tells an image of another version, or something else, from a bad one.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    format: String,
    version: u32,
    sets: Vec<SavedSet>,
    lists: Vec<UndoList>,
    crc32: Option<u32>,
}

impl Image {
    /// An image of these lists and sets; an error where they contradict each other.
    pub fn new(sets: Vec<SavedSet>, lists: Vec<UndoList>) -> Result<Self, ParseError> {
        let image = Self { sets, lists };
        image.check().map_err(ParseError::Inconsistent)?;
        Ok(image)
    }

    /// Reads an image, and checks it whole.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let whole: Whole = serde_json::from_slice(bytes).map_err(|error| {
            let other = serde_json::from_slice(bytes).ok().filter(|head: &Head| !head.is_ours());
            other.map_or(ParseError::Structure(error), |head| head.other())
        })?;
        let head = Head { format: whole.format, version: whole.version };
        if !head.is_ours() {
            return Err(head.other());
        }
        let image = Self::new(whole.sets, whole.lists)?;
        let Some(told) = whole.crc32 else { return Ok(image) };
        // Text that is as it was written need not be written again to know its checksum.
        if content(bytes).is_some_and(|text| CRC_32.checksum(text) == told) {
            return Ok(image);
        }
        match image.checksum() {
            is if is == told => Ok(image),
            is => Err(ParseError::Checksum { told, is }),
        }
    }

    /// Writes it, so that [`parse`](Self::parse) reads it back.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{{\n\"format\": \"{FORMAT}\",\n\"version\": {VERSION},\n")?;
        let checksum = self.write_content(out)?;
        writeln!(out, ",\n\"crc32\": {checksum}\n}}")
    }

    /// Writes sets and lists; answers the checksum of that.
    fn write_content(&self, out: &mut impl Write) -> io::Result<u32> {
        let mut out = BufWriter::new(Summed { out, digest: CRC_32.digest() });
        out.write_all(b"\"sets\": [")?;
        write_lines(&self.sets, &mut out)?;
        out.write_all(b"],\n\"lists\": [")?;
        write_lines(&self.lists, &mut out)?;
        out.write_all(b"]")?;
        Ok(out.into_inner()?.digest.finalize())
    }

    fn checksum(&self) -> u32 {
        self.write_content(&mut io::sink()).expect("a sink takes all, and all keys are text")
    }

    /// The sets that the lists name.
    pub fn sets(&self) -> &[SavedSet] {
        &self.sets
    }

    /// The lists, ascending by their first task.
    pub fn lists(&self) -> &[UndoList] {
        &self.lists
    }

    /// The set with this id that a list of the image names.
    pub fn set(&self, ipc_namespace: u64, semid: i32) -> Option<&SavedSet> {
        let key = (ipc_namespace, semid);
        let found = self.sets.binary_search_by_key(&key, |set| (set.ipc_namespace, set.semid));
        found.ok().map(|index| &self.sets[index])
    }

    fn check(&self) -> Result<(), String> {
        let mut named = BTreeMap::new();
        for set in &self.sets {
            let id = set.semid;
            if id < 0 || set.nsems == 0 || set.nsems > usize::from(u16::MAX) + 1 || set.values.len() != set.nsems {
                return Err(format!("set {id}: {} values of {} semaphores", set.values.len(), set.nsems));
            }
            if let Some(value) = set.values.iter().find(|value| **value > 32767) {
                return Err(format!("set {id}: no semaphore has the value {value}"));
            }
            named.insert((set.ipc_namespace, id), set.nsems);
        }
        if !self.sets.is_sorted_by_key(|set| (set.ipc_namespace, set.semid)) || named.len() != self.sets.len() {
            return Err("the sets are not in ascending order, each once".to_owned());
        }
        let mut unused: BTreeSet<_> = named.keys().copied().collect();
        let mut tasks = BTreeSet::new();
        for list in &self.lists {
            let first = list.tasks.first().ok_or("a list has no task")?.tid;
            for task in &list.tasks {
                if task.pid < 1 || task.tid < 1 || !tasks.insert(task.tid) {
                    return Err(format!(
                        "list of thread {first}: thread {} of process {} cannot be or has two lists",
                        task.tid, task.pid
                    ));
                }
            }
            let mut before = None;
            for set in &list.adjustments {
                let (id, count) = (set.semid, set.semadj.len());
                let nsems = named.get(&(list.ipc_namespace, id));
                if nsems != Some(&count) || before >= Some(id) {
                    return Err(format!(
                        "list of thread {first}, set {id}: {count} adjustments, out of order, or not those of a set of the image"
                    ));
                }
                unused.remove(&(list.ipc_namespace, id));
                before = Some(id);
            }
        }
        match unused.first() {
            Some((_, id)) => Err(format!("set {id} is of no list")),
            None => Ok(()),
        }
    }
}

impl Head {
    fn is_ours(&self) -> bool {
        self.format == FORMAT && self.version == VERSION
    }

    /// What to say of one that is not.
    fn other(&self) -> ParseError {
        ParseError::Version(format!("version {} of {:?}", self.version, self.format))
    }
}

/// Sets and lists in the text of an image, if they are where [`Image::write`] puts them.
fn content(bytes: &[u8]) -> Option<&[u8]> {
    let text = str::from_utf8(bytes).ok()?;
    Some(text[text.find("\"sets\"")?..].rsplit_once(",\n\"crc32\"")?.0.as_bytes())
}

/// Elements of an array, one a line.
fn write_lines(items: &[impl Serialize], out: &mut impl Write) -> io::Result<()> {
    for (index, item) in items.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, item)?;
    }
    out.write_all(b"\n")
}

/// A writer, and the checksum of what went there.
struct Summed<W> {
    out: W,
    digest: Digest<'static, u32, Table<16>>,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl SavedSet {
    /// Looks at a set of the calling thread's IPC namespace, whose inode the caller knows.
    pub fn read(ipc_namespace: u64, semid: i32) -> io::Result<Self> {
        let (stat, values) = SemSet::from_id(semid).stat_and_values()?;
        let crate::sysv::Stat { key, nsems, mode, uid, gid } = stat;
        Ok(Self { ipc_namespace, semid, key, nsems, mode, uid, gid, values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::undo_list::{Adjustments, Task};

    fn image() -> (Image, Vec<u8>) {
        let set = |semid, values: &[u16]| SavedSet {
            ipc_namespace: 4026531839,
            semid,
            key: -5,
            nsems: values.len(),
            mode: 0o600,
            uid: 0,
            gid: 1000,
            values: values.to_vec(),
        };
        let list = |tid, adjustments| UndoList {
            tasks: vec![Task { pid: 7, tid, comm: "a \"b\u{1b}".to_owned() }],
            ipc_namespace: 4026531839,
            adjustments,
        };
        let adjustments = |semid, semadj: &[i16]| Adjustments { semid, semadj: semadj.to_vec() };
        let lists = vec![
            list(7, vec![adjustments(3, &[1, -32768]), adjustments(8, &[0])]),
            list(9, vec![adjustments(3, &[-1, 32767])]),
        ];
        let image = Image::new(vec![set(3, &[5, 32767]), set(8, &[0])], lists).unwrap();
        let mut bytes = Vec::new();
        image.write(&mut bytes).unwrap();
        (image, bytes)
    }

    #[test]
    fn every_shorter_text_is_an_error() {
        let (image, bytes) = image();
        assert_eq!(Image::parse(&bytes).unwrap(), image);
        let whole = bytes.trim_ascii_end().len();
        for length in 0..whole {
            assert!(Image::parse(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_flipped_bit_is_an_error_or_changes_nothing() {
        let (image, bytes) = image();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(parsed) = Image::parse(&flipped) {
                assert_eq!(parsed, image, "bit {bit}");
            }
        }
    }

    /// What `Image::parse` says of the image with a part replaced, and without its checksum.
    fn error_of(from: &str, to: &str) -> String {
        let text = String::from_utf8(image().1).unwrap();
        let text = text[..text.find(",\n\"crc32\"").unwrap()].to_owned() + "}";
        assert!(Image::parse(text.as_bytes()).is_ok() && text.contains(from));
        Image::parse(text.replacen(from, to, 1).as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_what_and_where() {
        for (from, to, says) in [
            ("semundo image", "criu image", "this is version 1 of \"criu image\""),
            ("\"version\": 1", "\"version\": 2", "this is version 2 of"),
            ("[5,32767]", "[5,32768]", "set 3: no semaphore has the value 32768"),
            ("[5,32767]", "[5]", "set 3: 1 values of 2 semaphores"),
            ("[5,32767]", "[5,-1]", "line 5"),
            ("\"nsems\":2", "\"nsems\":18446744073709551615", "set 3: 2 values of 18446744073709551615"),
            ("\"semid\":8", "\"semid\":2", "not in ascending order"),
            ("\"semid\":8", "\"semid\":3", "not in ascending order"),
            ("[1,-32768]", "[1,-32769]", "line 9"),
            ("[1,-32768]", "[1]", "list of thread 7, set 3: 1 adjustments"),
            (
                "{\"semid\":8,\"semadj\":[0]}",
                "{\"semid\":3,\"semadj\":[0,0]}",
                "list of thread 7, set 3: 2 adjustments, out of order",
            ),
            (",{\"semid\":8,\"semadj\":[0]}", "", "set 8 is of no list"),
            ("\"tid\":9", "\"tid\":7", "thread 7 of process 7"),
            ("\"tid\":9", "\"tid\":0", "thread 0 of process 7"),
            ("\"key\":-5", "\"key\":-5,\"more\":1", "unknown field `more`"),
            ("\"uid\":0,", "", "missing field `uid`"),
        ] {
            let error = error_of(from, to);
            assert!(error.contains(says), "{from} -> {to}: {error}");
        }
    }

    #[test]
    fn the_checksum_is_not_of_spaces() {
        let (image, bytes) = image();
        let text = String::from_utf8(bytes).unwrap();
        let spaced = text.replace(':', " : ").replace(",\n", "\n,\n\n");
        assert_eq!(Image::parse(spaced.as_bytes()).unwrap(), image);
        assert!(
            Image::parse(spaced.replace("32767", "32766").as_bytes()).unwrap_err().to_string().contains("checksum")
        );
    }

    #[test]
    fn what_was_edited_is_told() {
        let text = String::from_utf8(image().1).unwrap().replacen("[1,-32768]", "[2,-32768]", 1);
        assert!(Image::parse(text.as_bytes()).unwrap_err().to_string().contains("edited"));
    }
}
