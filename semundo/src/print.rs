//! How lists are printed: aligned for people, or as JSON.

use std::fs;
use std::io::{self, Write};

use anyhow::Result;
use semundo::Adjustments;
use semundo::proc::Row;
use serde::Serialize;

/// A row of the table with the name of the process.
#[derive(Serialize)]
pub struct Named {
    semid: i32,
    pid: i32,
    list: i32,
    command: String,
    semadj: Vec<i16>,
}

/// Adds the processes' names, `-` where one is gone by now.
pub fn with_commands(rows: Vec<Row>) -> Vec<Named> {
    let name = |pid: i32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_else(|_| "-".to_owned());
    rows.into_iter()
        .map(|row| Named {
            semid: row.semid,
            pid: row.pid,
            list: row.list,
            command: printable(name(row.pid).trim_end()),
            semadj: row.semadj,
        })
        .collect()
}

/// A process chooses its name: no control character of it may reach a terminal, and no blank may part it in two columns.
pub fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || c.is_whitespace() { '?' } else { c }).collect()
}

/// A table with a header, each column as wide as its widest entry.
pub fn table(rows: &[Named], out: &mut impl Write) -> io::Result<()> {
    let widest = |title: &str, column: &dyn Fn(&Named) -> String| {
        rows.iter().map(|row| column(row).chars().count()).fold(title.len(), usize::max)
    };
    let semid = widest("SEMID", &|row| row.semid.to_string());
    let pid = widest("PID", &|row| row.pid.to_string());
    let list = widest("LIST", &|row| row.list.to_string());
    let command = widest("COMMAND", &|row| row.command.clone());
    writeln!(out, "{:>semid$} {:>pid$} {:>list$} {:command$} SEMADJ", "SEMID", "PID", "LIST", "COMMAND")?;
    for row in rows {
        write!(out, "{:>semid$} {:>pid$} {:>list$} {:command$}", row.semid, row.pid, row.list, row.command)?;
        semadj(&row.semadj, out)?;
    }
    Ok(())
}

/// The text form of `/proc/semundo`.
pub fn list(own: &[Adjustments], out: &mut impl Write) -> io::Result<()> {
    own.iter().try_for_each(|set| {
        write!(out, "{}", set.semid)?;
        semadj(&set.semadj, out)
    })
}

fn semadj(adjustments: &[i16], out: &mut impl Write) -> io::Result<()> {
    adjustments.iter().try_for_each(|adjustment| write!(out, " {adjustment}"))?;
    writeln!(out)
}

/// An array of objects, one a line.
pub fn json(items: &[impl Serialize], out: &mut impl Write) -> Result<()> {
    write!(out, "[")?;
    for (index, item) in items.iter().enumerate() {
        write!(out, "{}\n  {}", if index == 0 { "" } else { "," }, serde_json::to_string(item)?)?;
    }
    writeln!(out, "{}]", if items.is_empty() { "" } else { "\n" })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(print: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        print(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn row(semid: i32, pid: i32, command: &str, semadj: &[i16]) -> Named {
        Named { semid, pid, list: pid, command: printable(command), semadj: semadj.to_vec() }
    }

    #[test]
    fn columns_align() {
        let rows = [row(0, 7, "a b\x1b[2J", &[1]), row(1234567, 4194304, "postgres-long", &[-32768, 0])];
        assert_eq!(
            printed(|out| table(&rows, out).unwrap()),
            "  SEMID     PID    LIST COMMAND       SEMADJ\n\
             \x20     0       7       7 a?b?[2J       1\n\
             1234567 4194304 4194304 postgres-long -32768 0\n"
        );
        assert_eq!(printed(|out| table(&[], out).unwrap()), "SEMID PID LIST COMMAND SEMADJ\n");
    }

    #[test]
    fn json_is_an_array() {
        assert_eq!(printed(|out| json(&[] as &[Named], out).unwrap()), "[]\n");
        let text = printed(|out| json(&[row(1, 2, "x", &[-3]), row(4, 5, "y", &[6])], out).unwrap());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value[0], serde_json::json!({"semid": 1, "pid": 2, "list": 2, "command": "x", "semadj": [-3]}));
        assert_eq!(value.as_array().unwrap().len(), 2);
    }
}
