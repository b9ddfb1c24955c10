//! Without a terminal: one table a reading.

use std::io::Write;
use std::thread;
use std::time::{Instant, SystemTime};

use anyhow::Result;

use super::model::{Model, clock};
use crate::columns::Column;

use crate::cli::Watch;
use crate::print;
use crate::reading::Reader;

/// Prints tables until `--count` of them were read or nobody reads them any more. A reading that fails is told on standard
/// error, and is the command's error where it is the last one.
pub fn run(reader: &Reader, arguments: &Watch, out: &mut impl Write) -> Result<()> {
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
                let rows = model.rows().iter().filter(|row| !row.is_gone()).map(|row| &row.holding);
                writeln!(out, "{}, {}, by {}", clock(SystemTime::now()), model.counts(), reader.source())?;
                print::table(&columns, rows, out)?;
                out.flush()?;
            }
        }
        if is_last {
            return Ok(());
        }
        thread::sleep(arguments.interval.saturating_sub(started.elapsed()));
    }
}
