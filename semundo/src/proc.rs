//! The proc files of the kernel module: `/proc/semundo`, the caller's own undo list, and `/proc/sysvipc/semundo`, the table
//! of all processes that the caller may ptrace-read.
//!
//! The functions with a path read the same format from any file, so that a saved copy reads like the live one.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use semundo_core::text;

use crate::undo_list::Adjustments;

/// The caller's own undo list.
pub const OWN: &str = "/proc/semundo";
/// The undo entries of all processes of the caller's IPC namespace.
pub const TABLE: &str = "/proc/sysvipc/semundo";

/// One row of the table: the adjustments of one set by one process.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Row {
    /// The set.
    pub semid: i32,
    /// The process: its thread-group id.
    pub pid: i32,
    /// The lowest thread id that shares the undo list; rows with the same number are one list.
    pub list: i32,
    /// One adjustment a semaphore of the set.
    pub semadj: Vec<i16>,
}

/// Why a proc file gave no answer: it names the file, and the line where there is one.
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// The file is one of the module's and does not exist.
    NoModule,
    Read(io::Error),
    Line {
        line: usize,
        reason: String,
    },
}

impl Error {
    /// A line that does not parse, counted from 1.
    fn line(path: &Path, line: usize, reason: impl Into<String>) -> Error {
        Error { path: path.to_owned(), kind: Kind::Line { line, reason: reason.into() } }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.kind {
            Kind::NoModule => write!(f, "{path}: no such file: the kernel module is not loaded (modprobe semundo)"),
            Kind::Read(_) => write!(f, "{path}"),
            Kind::Line { line, reason } => write!(f, "{path}, line {line}: {reason}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            Kind::Read(error) => Some(error),
            Kind::NoModule | Kind::Line { .. } => None,
        }
    }
}

/// The caller's own undo list, from [`OWN`], ascending by set; empty when there is nothing to undo.
pub fn own() -> Result<Vec<Adjustments>, Error> {
    own_from(OWN)
}

/// An undo list in the text form of [`OWN`] (see [`semundo_core::text`]), from a file.
pub fn own_from(path: impl AsRef<Path>) -> Result<Vec<Adjustments>, Error> {
    let path = path.as_ref();
    text::lines(read(path)?.as_bytes())
        .map(|line| match line {
            Ok(line) => Ok(Adjustments { semid: line.semid(), semadj: line.adjustments().collect() }),
            Err(error) => {
                let reason = format!("column {}: {}", error.column, error.reason);
                Err(Error::line(path, error.line, reason))
            }
        })
        .collect()
}

/// The table of all processes, from [`TABLE`], ascending by set, process and list.
///
/// ```no_run
/// for row in semundo::proc::table()? {
///     println!("process {} gives {:?} back to set {}", row.pid, row.semadj, row.semid);
/// }
/// # Ok::<(), semundo::proc::Error>(())
/// ```
pub fn table() -> Result<Vec<Row>, Error> {
    table_from(TABLE)
}

/// A table in the form of [`TABLE`], from a file.
///
/// ```
/// # let path = std::env::temp_dir().join(format!("semundo-doc-{}", std::process::id()));
/// std::fs::write(&path, "     semid        pid       list semadj\n         3        841        841 -1 2\n")?;
/// let rows = semundo::proc::table_from(&path)?;
/// assert_eq!((rows[0].pid, rows[0].semadj.as_slice()), (841, &[-1, 2][..]));
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn table_from(path: impl AsRef<Path>) -> Result<Vec<Row>, Error> {
    let path = path.as_ref();
    let text = read(path)?;
    let header = text.lines().next().unwrap_or_default();
    if !header.split_ascii_whitespace().eq(["semid", "pid", "list", "semadj"]) {
        return Err(Error::line(path, 1, "expected the header `semid pid list semadj`"));
    }
    let rows = text.lines().enumerate().skip(1);
    rows.map(|(index, line)| row(line).map_err(|reason| Error::line(path, index + 1, reason))).collect()
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound if path.starts_with("/proc") => Kind::NoModule,
            _ => Kind::Read(error),
        };
        Error { path: path.to_owned(), kind }
    })
}

type Fields<'a> = std::str::SplitAsciiWhitespace<'a>;

fn row(line: &str) -> Result<Row, String> {
    let mut fields = line.split_ascii_whitespace();
    Ok(Row {
        semid: field(&mut fields, "semid")?,
        pid: field(&mut fields, "pid")?,
        list: field(&mut fields, "list")?,
        semadj: semadj(fields)?,
    })
}

/// The next field as an id, which is never negative.
fn field(fields: &mut Fields<'_>, name: &str) -> Result<i32, String> {
    let text = fields.next().ok_or_else(|| format!("{name} is missing"))?;
    text.parse().ok().filter(|&id| id >= 0).ok_or_else(|| format!("{name} `{text}` is no id"))
}

/// The rest of the fields as adjustments, of which every set has at least one.
fn semadj(fields: Fields<'_>) -> Result<Vec<i16>, String> {
    let all: Vec<i16> = fields
        .map(|text| text.parse().map_err(|_| format!("`{text}` is no adjustment (-32768 to 32767)")))
        .collect::<Result<_, _>>()?;
    if all.is_empty() { Err("no adjustment".to_owned()) } else { Ok(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "     semid        pid       list semadj\n";

    /// A file of this test alone, removed again.
    fn with_file<T>(name: &str, text: &str, read: impl Fn(&Path) -> T) -> T {
        let path = std::env::temp_dir().join(format!("semundo-{}-{name}", std::process::id()));
        fs::write(&path, text).unwrap();
        let result = read(&path);
        fs::remove_file(&path).unwrap();
        result
    }

    #[test]
    fn rows_of_the_table() {
        let text =
            format!("{HEADER}         0        101        101 3 0 -32768\n    131073        101        102 32767\n");
        let rows = with_file("rows", &text, |path| table_from(path)).unwrap();
        assert_eq!(
            rows,
            [
                Row { semid: 0, pid: 101, list: 101, semadj: vec![3, 0, -32768] },
                Row { semid: 131073, pid: 101, list: 102, semadj: vec![32767] },
            ]
        );
    }

    #[test]
    fn an_empty_table_and_an_empty_list() {
        assert_eq!(with_file("no-rows", HEADER, |path| table_from(path)).unwrap(), []);
        assert_eq!(with_file("no-list", "", |path| own_from(path)).unwrap(), []);
    }

    #[test]
    fn own_list() {
        let own = with_file("own", "0 -1\n7 0 2\n", |path| own_from(path)).unwrap();
        assert_eq!(own[1], Adjustments { semid: 7, semadj: vec![0, 2] });
    }

    #[test]
    fn errors_name_file_line_and_reason() {
        for (text, want) in [
            ("", ", line 1: expected the header"),
            (&format!("{HEADER}1 2 3 4\n1 2 3\n"), ", line 3: no adjustment"),
            (&format!("{HEADER}1 2\n"), ", line 2: list is missing"),
            (&format!("{HEADER}1 -2 3 4\n"), ", line 2: pid `-2` is no id"),
            (&format!("{HEADER}1 2 3 32768\n"), ", line 2: `32768` is no adjustment"),
        ] {
            let error = with_file("bad", text, |path| table_from(path)).unwrap_err().to_string();
            assert!(error.contains("semundo-") && error.contains(want), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_own_list_that_is_none() {
        let error = with_file("bad-own", "0 1\n1\n", |path| own_from(path)).unwrap_err().to_string();
        assert!(error.contains(", line 2: column 2: "), "{error}");
    }

    #[test]
    fn a_missing_proc_file_means_a_missing_module() {
        let error = table_from("/proc/sysvipc/no-such-file").unwrap_err().to_string();
        assert!(error.contains("modprobe semundo"), "{error}");
        let error = table_from("/no-such-file").unwrap_err().to_string();
        assert!(!error.contains("modprobe"), "{error}");
    }
}
