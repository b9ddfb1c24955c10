//! What the view knows: rows that remember what changed, their order, and which one is selected. Nothing here touches a terminal.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use semundo::holding::Holding;

use crate::columns::Column;

/// A new row and a changed number stay marked for so many readings.
const MARKED: u8 = 3;

/// A row that is gone stays for so many readings.
const GONE: u8 = 2;

/// For how many readings yet each mark of a row stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    new: u8,
    gone: u8,
    adjustment: u8,
    value: u8,
    after: u8,
}

/// One holding, and what happened to it lately.
#[derive(Clone, Debug)]
pub struct Row {
    identity: Identity,
    /// The holding; of a row that is gone, the last.
    pub holding: Holding,
    marks: Marks,
}

/// By which a row is the same in the next reading: namespace, set, semaphore, first process, and a number that tells apart the
/// lists of one process (threads may have lists of their own).
type Identity = (u64, i32, usize, i32, usize);

impl Row {
    /// It was not there a few readings ago.
    pub fn is_new(&self) -> bool {
        self.marks.new > 0
    }

    /// It is not there any more.
    pub fn is_gone(&self) -> bool {
        self.marks.gone > 0
    }

    /// A number of this column changed a few readings ago.
    pub fn is_changed(&self, column: Column) -> bool {
        let left = match column {
            Column::Adjustment => self.marks.adjustment,
            Column::Value => self.marks.value,
            Column::After => self.marks.after,
            _ => 0,
        };
        left > 0
    }

    /// One character for it all: `+` new, `-` gone, `*` changed.
    pub fn sign(&self) -> &'static str {
        let changed = [Column::Adjustment, Column::Value, Column::After].into_iter().any(|of| self.is_changed(of));
        match () {
            () if self.is_gone() => "-",
            () if self.is_new() => "+",
            () if changed => "*",
            () => " ",
        }
    }

    /// The row after a reading that has it with these numbers.
    fn seen_again(self, holding: Holding) -> Self {
        let old = &self.holding;
        let mark = |left: u8, changed: bool| if changed { MARKED } else { left.saturating_sub(1) };
        let marks = if self.is_gone() {
            Marks { new: MARKED, ..Marks::default() }
        } else {
            Marks {
                new: self.marks.new.saturating_sub(1),
                gone: 0,
                adjustment: mark(self.marks.adjustment, old.adjustment != holding.adjustment),
                value: mark(self.marks.value, old.value != holding.value),
                after: mark(self.marks.after, old.value_after != holding.value_after),
            }
        };
        Self { holding, marks, ..self }
    }

    /// The row after a reading that does not have it; `None` once it was shown for long enough.
    fn not_seen(mut self) -> Option<Self> {
        let gone = if self.is_gone() { self.marks.gone - 1 } else { GONE };
        self.marks = Marks { gone, ..Marks::default() };
        self.is_gone().then_some(self)
    }
}

/// How many there are of what, without the rows that are gone.
#[derive(Debug, PartialEq, Eq)]
pub struct Counts {
    /// Rows.
    pub holdings: usize,
    /// Processes that hold something.
    pub processes: usize,
    /// Semaphores that are held.
    pub semaphores: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: usize, one, many| format!("{number} {}", if number == 1 { one } else { many });
        let holdings = number(self.holdings, "holding", "holdings");
        let semaphores = number(self.semaphores, "semaphore", "semaphores");
        let processes = number(self.processes, "process", "processes");
        write!(f, "{holdings} of {semaphores} by {processes}")
    }
}

/// The rows and how they are looked at.
#[derive(Debug)]
pub struct Model {
    rows: Vec<Row>,
    sort: Column,
    reversed: bool,
    selected: usize,
    top: usize,
    page: usize,
    /// How many readings there were, those that failed included.
    pub readings: u64,
    /// When the rows were read.
    pub read_at: Option<SystemTime>,
    /// Why the last reading failed.
    pub error: Option<String>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            sort: Column::Semid,
            reversed: false,
            selected: 0,
            top: 0,
            page: 1,
            readings: 0,
            read_at: None,
            error: None,
        }
    }
}

impl Model {
    /// Takes a reading. One that failed leaves the rows as they are.
    pub fn take(&mut self, at: SystemTime, reading: Result<Vec<Holding>, String>) {
        self.readings += 1;
        match reading {
            Ok(holdings) => {
                self.replace(holdings);
                self.read_at = Some(at);
                self.error = None;
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// The rows in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The column that orders the rows, and whether the order is reversed.
    pub fn sort(&self) -> (Column, bool) {
        (self.sort, self.reversed)
    }

    /// How many there are of what.
    pub fn counts(&self) -> Counts {
        let held = || self.rows.iter().filter(|row| !row.is_gone()).map(|row| &row.holding);
        let semaphore = |held: &Holding| (held.ipc_namespace, held.semid, held.semaphore);
        Counts {
            holdings: held().count(),
            processes: held().flat_map(|held| &held.pids).collect::<BTreeSet<_>>().len(),
            semaphores: held().map(semaphore).collect::<BTreeSet<_>>().len(),
        }
    }

    /// Orders by the next of these columns.
    pub fn sort_by_next(&mut self, columns: &[Column]) {
        let next = columns.iter().position(|column| *column == self.sort).map_or(0, |at| (at + 1) % columns.len());
        self.sort = columns[next];
        self.keep_selection(Self::order);
    }

    /// Turns the order round.
    pub fn reverse(&mut self) {
        self.reversed = !self.reversed;
        self.keep_selection(Self::order);
    }

    /// Selects the row so many further down (up, where negative), or the last (first).
    pub fn move_by(&mut self, rows: isize) {
        self.selected = self.selected.saturating_add_signed(rows).min(self.rows.len().saturating_sub(1));
    }

    /// As [`Model::move_by`], by as many rows as were last shown at a time.
    pub fn move_by_pages(&mut self, pages: isize) {
        self.move_by(pages.saturating_mul(self.page.cast_signed()));
    }

    /// The place of the selected row.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// Which rows are to be shown where there is room for so many: the selected one is among them, and they move only as far as
    /// that takes.
    pub fn window(&mut self, height: usize) -> Range<usize> {
        self.page = height.max(1);
        let last_top = self.rows.len().saturating_sub(height);
        let lowest = (self.selected + 1).saturating_sub(height);
        self.top = self.top.clamp(lowest, self.selected.max(lowest)).min(last_top);
        self.top..(self.top + height).min(self.rows.len())
    }

    fn replace(&mut self, holdings: Vec<Holding>) {
        let is_first = self.read_at.is_none();
        self.keep_selection(|model| {
            let mut old: HashMap<Identity, Row> = model.rows.drain(..).map(|row| (row.identity, row)).collect();
            let mut times: HashMap<Identity, usize> = HashMap::new();
            for holding in holdings {
                let first_pid = holding.pids.first().copied().unwrap_or(0);
                let mut identity = (holding.ipc_namespace, holding.semid, holding.semaphore, first_pid, 0);
                let time = times.entry(identity).or_default();
                identity.4 = *time;
                *time += 1;
                let new = if is_first { 0 } else { MARKED };
                model.rows.push(match old.remove(&identity) {
                    Some(row) => row.seen_again(holding),
                    None => Row { identity, holding, marks: Marks { new, ..Marks::default() } },
                });
            }
            model.rows.extend(old.into_values().filter_map(Row::not_seen));
            model.order();
        });
    }

    fn order(&mut self) {
        let (sort, reversed) = (self.sort, self.reversed);
        self.rows.sort_by(|one, other| {
            let order = sort.compare(&one.holding, &other.holding);
            let order = if reversed { order.reverse() } else { order };
            order.then_with(|| one.identity.cmp(&other.identity))
        });
    }

    /// The same row stays selected where it is still there, else the one that has its place. Who has not moved from the first
    /// row stays there, whichever it is.
    fn keep_selection(&mut self, change: impl FnOnce(&mut Self)) {
        let selected = self.rows.get(self.selected).map(|row| row.identity);
        change(self);
        let place = self.rows.iter().position(|row| Some(row.identity) == selected);
        let place = place.filter(|_| self.selected > 0).unwrap_or(self.selected);
        self.selected = place.min(self.rows.len().saturating_sub(1));
    }
}

/// The time of day. UTC, because the C library alone knows another.
pub fn clock(at: SystemTime) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!("{:02}:{:02}:{:02} UTC", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::tests::holding;
    use std::time::Duration;

    fn model(readings: &[&[Holding]]) -> Model {
        let mut model = Model::default();
        for reading in readings {
            model.take(UNIX_EPOCH, Ok(reading.to_vec()));
        }
        model
    }

    /// Pid and sign of every row.
    fn signs(model: &Model) -> String {
        model.rows().iter().map(|row| format!("{}{}", row.holding.pids[0], row.sign())).collect()
    }

    #[test]
    fn nothing_is_new_in_the_first_reading() {
        assert_eq!(signs(&model(&[&[holding(2, 1, 1), holding(1, 1, 1)]])), "1 2 ");
        assert_eq!(signs(&model(&[&[], &[holding(1, 1, 1)]])), "1+");
    }

    #[test]
    fn marks_last_for_some_readings() {
        let (one, two) = (holding(1, 1, 1), holding(2, 1, 1));
        let mut model = model(&[std::slice::from_ref(&one)]);
        let mut seen = Vec::new();
        for _ in 0..4 {
            model.take(UNIX_EPOCH, Ok(vec![one.clone(), two.clone()]));
            seen.push(signs(&model));
        }
        for _ in 0..3 {
            model.take(UNIX_EPOCH, Ok(vec![two.clone()]));
            seen.push(signs(&model));
        }
        assert_eq!(seen, ["1 2+", "1 2+", "1 2+", "1 2 ", "1-2 ", "1-2 ", "2 "]);
    }

    #[test]
    fn only_what_changed_is_marked() {
        let mut changed = holding(1, 1, 1);
        (changed.adjustment, changed.value) = (2, Some(4));
        let model = model(&[&[holding(1, 1, 1)], &[changed]]);
        let row = &model.rows()[0];
        let marked = Column::ALL.into_iter().filter(|column| row.is_changed(*column)).collect::<Vec<_>>();
        assert_eq!((marked, row.sign()), (vec![Column::Adjustment, Column::Value], "*"));
    }

    #[test]
    fn a_row_that_comes_back_is_new() {
        let one = holding(1, 1, 1);
        assert_eq!(signs(&model(&[std::slice::from_ref(&one), &[], std::slice::from_ref(&one)])), "1+");
    }

    #[test]
    fn lists_of_threads_of_one_process_are_told_apart() {
        let twice = [holding(1, 1, 1), holding(1, 1, -3)];
        let model = model(&[&twice, &twice]);
        assert_eq!(signs(&model), "1 1 ");
        assert_eq!(model.counts(), Counts { holdings: 2, processes: 1, semaphores: 1 });
        assert_eq!(model.counts().to_string(), "2 holdings of 1 semaphore by 1 process");
    }

    #[test]
    fn a_failed_reading_keeps_the_rows() {
        let mut model = model(&[&[holding(1, 1, 1)]]);
        model.take(UNIX_EPOCH + Duration::from_secs(9), Err("no".into()));
        assert_eq!((signs(&model).as_str(), model.error.as_deref(), model.readings), ("1 ", Some("no"), 2));
        assert_eq!(model.read_at, Some(UNIX_EPOCH));
        model.take(UNIX_EPOCH, Ok(vec![]));
        assert_eq!((signs(&model).as_str(), model.error), ("1-", None));
    }

    #[test]
    fn every_column_orders_both_ways() {
        let mut model = model(&[&[holding(1, 3, 5), holding(2, 2, -5), holding(3, 1, 0)]]);
        assert_eq!(signs(&model), "3 2 1 ");
        let columns = Column::shown(false);
        let mut orders = Vec::new();
        while model.sort().0 != Column::Adjustment {
            model.sort_by_next(&columns);
            orders.push(model.sort().0);
        }
        assert_eq!(orders, [Column::Key, Column::Semaphore, Column::Adjustment]);
        assert_eq!(signs(&model), "2 3 1 ");
        model.reverse();
        assert_eq!(signs(&model), "1 3 2 ");
        for _ in 0..4 {
            model.sort_by_next(&columns);
        }
        assert_eq!(model.sort(), (Column::Pid, true));
        assert_eq!(signs(&model), "3 2 1 ");
    }

    #[test]
    fn the_selection_stays_with_its_row() {
        let all = |pids: &[i32]| pids.iter().map(|pid| holding(*pid, 1, 1)).collect::<Vec<_>>();
        let mut model = model(&[&all(&[2, 4, 6])]);
        model.move_by(1);
        model.take(UNIX_EPOCH, Ok(all(&[1, 2, 3, 4, 6])));
        assert_eq!(model.rows()[model.selected()].holding.pids, [4]);
        model.reverse();
        assert_eq!(model.rows()[model.selected()].holding.pids, [4]);
        model.move_by(isize::MIN);
        model.reverse();
        assert_eq!(model.selected(), 0);
        for _ in 0..3 {
            model.take(UNIX_EPOCH, Ok(vec![]));
        }
        assert_eq!((model.rows().len(), model.selected()), (0, 0));
        model.move_by(1);
        assert_eq!(model.selected(), 0);
    }

    #[test]
    fn the_window_follows_the_selection() {
        let mut model = model(&[&(1..=10).map(|pid| holding(pid, 1, 1)).collect::<Vec<_>>()]);
        assert_eq!(model.window(4), 0..4);
        model.move_by(3);
        assert_eq!(model.window(4), 0..4);
        model.move_by_pages(1);
        assert_eq!((model.selected(), model.window(4)), (7, 4..8));
        model.move_by(-2);
        assert_eq!(model.window(4), 4..8);
        model.move_by(isize::MAX);
        assert_eq!((model.selected(), model.window(4)), (9, 6..10));
        assert_eq!(model.window(0), 10..10);
        assert_eq!(model.window(99), 0..10);
        model.move_by(isize::MIN);
        assert_eq!((model.selected(), model.window(4)), (0, 0..4));
    }

    #[test]
    fn the_time_of_day() {
        assert_eq!(clock(UNIX_EPOCH + Duration::from_secs(86400 + 3661)), "01:01:01 UTC");
    }
}
