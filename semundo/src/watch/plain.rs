//! Without a terminal: one table a reading.

use std::io::{self, Write};
use std::thread;
use std::time::{Instant, SystemTime};

use anyhow::Result;
use semundo::holding::Holding;

use super::columns::{Column, width};
use super::model::{Model, clock};
use super::reading::Reader;
use crate::cli::WatchArgs;

/// Prints tables until `--count` of them were read or nobody reads them any more. A reading that fails is told on standard
/// error, and is the command's error where it is the last one.
pub fn run(reader: &Reader, arguments: &WatchArgs, out: &mut impl Write) -> Result<()> {
    let mut model = Model::default();
    loop {
        let started = Instant::now();
        let reading = reader.read();
        let is_last = arguments.count == Some(model.readings + 1);
        match reading {
            Err(error) if is_last => return Err(error),
            Err(error) => {
                eprintln!("semundo: {}: {error:#}", clock(SystemTime::now()));
                model.take(SystemTime::now(), Err(error.to_string()));
            }
            Ok(holdings) => {
                if model.read_at.is_some() {
                    writeln!(out)?;
                }
                let columns = Column::shown(reader.tells_namespaces(&holdings));
                model.take(SystemTime::now(), Ok(holdings));
                let rows: Vec<&Holding> =
                    model.rows().iter().filter(|row| !row.is_gone()).map(|row| &row.holding).collect();
                writeln!(out, "{}, {}, by {}", clock(SystemTime::now()), model.counts(), reader.source())?;
                table(&columns, &rows, out)?;
                out.flush()?;
            }
        }
        if is_last {
            return Ok(());
        }
        thread::sleep(arguments.interval.saturating_sub(started.elapsed()));
    }
}

/// A table with a header, each column as wide as its widest entry.
fn table(columns: &[Column], rows: &[&Holding], out: &mut impl Write) -> io::Result<()> {
    let header = columns.iter().map(|column| column.title().to_owned()).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|column| column.text(row)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(header).chain(cells).collect();
    let widths: Vec<usize> =
        (0..columns.len()).map(|at| lines.iter().map(|line| width(&line[at])).max().unwrap_or(0)).collect();
    for line in &lines {
        let mut text = String::new();
        for ((column, cell), widest) in columns.iter().zip(line).zip(&widths) {
            let padding = " ".repeat(widest - width(cell));
            let (before, after) = if column.is_text() { ("", padding.as_str()) } else { (padding.as_str(), "") };
            text += &format!("{before}{cell}{after} ");
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::model::tests::holding;

    #[test]
    fn columns_align() {
        let (mut one, other) = (holding(7, 65536, -1), holding(4194304, 3, 2));
        one.comm = "wide 字".into();
        one.others = vec![8, 9];
        let mut out = Vec::new();
        table(&Column::shown(false), &[&one, &other], &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "    PID COMMAND SEMID        KEY SEM ADJ NOW AFTER OTHERS\n\
             \x20     7 wide?字 65536 0x0000004d   0  -1   5     4 8,9\n\
             4194304 some        3 0x0000004d   0  +2   5     7 -\n"
        );
    }
}
