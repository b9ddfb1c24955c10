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
//! ]
//! }
//! ```
//!
//! | field | what |
//! |---|---|
//! | `format`, `version` | tell that it is one, and of which form: this program reads version 1 |
//! | `sets` | the sets that the lists name, ascending by namespace and id: `ipc_namespace` is the inode of `/proc/PID/ns/ipc`, `key` is 0 for `IPC_PRIVATE`, `mode` is the permission bits as a decimal number, `values` is what the semaphores were |
//! | `lists` | the undo lists: `tasks` are the threads that shared it, by the pid namespace of who saved; `semadj` is one adjustment a semaphore |

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::sysv::SemSet;
use crate::undo_list::UndoList;

const FORMAT: &str = "semundo image";
const VERSION: u32 = 1;

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
}

/// What the file is read as first: it says what it is before the rest is looked at.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(rename = "format")]
    _format: String,
    #[serde(rename = "version")]
    _version: u32,
    sets: Vec<SavedSet>,
    lists: Vec<UndoList>,
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
        let head: Head = serde_json::from_slice(bytes)?;
        if head.format != FORMAT || head.version != VERSION {
            return Err(ParseError::Version(format!("version {} of {:?}", head.version, head.format)));
        }
        let body: Body = serde_json::from_slice(bytes)?;
        Self::new(body.sets, body.lists)
    }

    /// Writes it, so that [`parse`](Self::parse) reads it back.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{{\n\"format\": \"{FORMAT}\",\n\"version\": {VERSION},\n\"sets\": [")?;
        lines(&self.sets, out)?;
        write!(out, "],\n\"lists\": [")?;
        lines(&self.lists, out)?;
        writeln!(out, "]\n}}")
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

/// Elements of an array, one a line.
fn lines(items: &[impl Serialize], out: &mut impl Write) -> io::Result<()> {
    for (index, item) in items.iter().enumerate() {
        out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, item)?;
    }
    out.write_all(b"\n")
}

impl SavedSet {
    /// Looks at a set of the calling thread's IPC namespace, whose inode the caller knows.
    pub fn read(ipc_namespace: u64, semid: i32) -> io::Result<Self> {
        let set = SemSet::from_id(semid);
        let (stat, values) = (set.stat()?, set.values()?);
        let crate::sysv::Stat { key, nsems, mode, uid, gid } = stat;
        Ok(Self { ipc_namespace, semid, key, nsems, mode, uid, gid, values })
    }
}
