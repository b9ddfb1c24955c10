//! `semundo ls`

use std::io::Write;

use anyhow::Result;
use semundo::Source;

use crate::cli::Ls;
use crate::columns::Column;
use crate::print;
use crate::reading::Reader;

pub fn run(args: &Ls, source: Box<dyn Source>) -> Result<()> {
    let reader = Reader::new(source, &args.pids, args.all)?;
    let rows = reader.read()?;
    let mut out = print::stdout();
    if args.json {
        print::json(&rows, &mut out)?;
    } else {
        print::table(&Column::shown(reader.tells_namespaces(&rows)), &rows, &mut out)?;
    }
    out.flush()?;
    Ok(())
}
