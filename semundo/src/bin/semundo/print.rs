//! How lists are printed: as tables for people, as the kernel's text, or as JSON.

use std::io::{self, BufWriter, Write};
use std::iter;

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use anyhow::Result;
use semundo::Adjustments;
use semundo::holding::Holding;
use serde::Serialize;

use crate::columns::{Column, width};

const HEADER: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// Standard output, without colours where it is no terminal or the user wants none (`NO_COLOR`).
pub fn stdout() -> BufWriter<AutoStream<io::StdoutLock<'static>>> {
    BufWriter::new(AutoStream::auto(io::stdout()).lock())
}

/// A process chooses its name: no control character of it may reach a terminal, and no blank may part it in two columns.
pub fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() || c.is_whitespace() { '?' } else { c }).collect()
}

/// A number of things, in words.
pub fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// `ok` or `no`.
pub fn verdict(works: bool) -> String {
    let (style, word) = if works { (GOOD, "ok") } else { (BAD, "no") };
    format!("{style}{word}{style:#}")
}

/// A table with a header, each column as wide as its widest entry.
pub fn table<'a>(
    columns: &[Column],
    rows: impl IntoIterator<Item = &'a Holding>,
    out: &mut impl Write,
) -> io::Result<()> {
    let header = columns.iter().map(|column| column.title().to_owned()).collect();
    let cells = rows.into_iter().map(|row| columns.iter().map(|column| column.text(row)).collect());
    let lines: Vec<Vec<String>> = iter::once(header).chain(cells).collect();
    let widths: Vec<usize> =
        (0..columns.len()).map(|at| lines.iter().map(|line| width(&line[at])).max().unwrap_or(0)).collect();
    for (number, line) in lines.iter().enumerate() {
        let mut text = String::new();
        for ((column, cell), widest) in columns.iter().zip(line).zip(&widths) {
            let padding = " ".repeat(widest - width(cell));
            let (before, after) = if column.is_text() { ("", padding.as_str()) } else { (padding.as_str(), "") };
            text += &format!("{before}{cell}{after} ");
        }
        let style = if number == 0 { HEADER } else { Style::new() };
        writeln!(out, "{style}{}{style:#}", text.trim_end())?;
    }
    Ok(())
}

/// The text form of `/proc/PID/semundo`.
pub fn list(adjustments: &[Adjustments], out: &mut impl Write) -> io::Result<()> {
    adjustments.iter().try_for_each(|set| {
        write!(out, "{}", set.semid)?;
        set.semadj.iter().try_for_each(|adjustment| write!(out, " {adjustment}"))?;
        writeln!(out)
    })
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
    use crate::columns::tests::holding;

    fn printed(print: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        print(&mut out);
        anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string()
    }

    #[test]
    fn columns_align() {
        let (mut one, other) = (holding(7, 65536, -1), holding(4194304, 3, 2));
        one.comm = "wide 字".into();
        one.others = vec![8, 9];
        assert_eq!(
            printed(|out| table(&Column::shown(false), [&one, &other], out).unwrap()),
            "    PID COMMAND SEMID        KEY SEM ADJ NOW AFTER OTHERS\n\
             \x20     7 wide?字 65536 0x0000004d   0  -1   5     4 8,9\n\
             4194304 some        3 0x0000004d   0  +2   5     7 -\n"
        );
    }

    #[test]
    fn json_is_an_array() {
        assert_eq!(printed(|out| json(&[] as &[Holding], out).unwrap()), "[]\n");
        let rows = [holding(1, 2, -3), holding(4, 5, 6)];
        let value: serde_json::Value = serde_json::from_str(&printed(|out| json(&rows, out).unwrap())).unwrap();
        assert_eq!((&value[0]["adjustment"], &value[0]["value_after"]), (&(-3).into(), &2.into()));
        assert_eq!(value.as_array().unwrap().len(), 2);
    }
}
