//! How a model looks on a terminal, of any size and with or without colours.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row as TableRow, Table};

use super::model::{Model, Row, clock};
use crate::columns::{Column, width};

/// What the keys do, and what the signs before rows mean.
const HELP: [(&str, &str); 9] = [
    ("q Esc Ctrl-C", "quit"),
    ("space", "pause, go on"),
    ("s", "order by the next column"),
    ("r", "reverse the order"),
    ("Up Down", "select another row"),
    ("PgUp PgDn", "a page up or down"),
    ("Home End", "first and last row"),
    ("? h", "this help"),
    ("", "+ new  * changed  - gone"),
];

/// How the view is set up.
pub struct View {
    /// The source's name.
    pub source: &'static str,
    /// The time between two readings.
    pub interval: Duration,
    /// Whether colours may be used.
    pub colours: bool,
    /// Whether the column of namespaces is shown.
    pub namespaces: bool,
    /// Whether readings are paused.
    pub paused: bool,
    /// Whether the help is shown.
    pub help: bool,
}

impl View {
    /// The columns that there would be on a wide terminal.
    pub fn columns(&self) -> Vec<Column> {
        Column::shown(self.namespaces)
    }

    /// Draws all of it. Where there is little height, the table is what stays.
    pub fn draw(&self, model: &mut Model, frame: &mut Frame) {
        let height = frame.area().height;
        let [header, table, status] = Layout::vertical([
            Constraint::Length(if height >= 8 { 2 } else { 0 }),
            Constraint::Fill(1),
            Constraint::Length(if height >= 4 { 1 } else { 0 }),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(self.header(model)), header);
        self.draw_table(model, frame, table);
        frame.render_widget(self.status(model), status);
        if self.help {
            draw_help(frame);
        }
    }

    fn header(&self, model: &Model) -> Vec<Line<'static>> {
        let (sort, reversed) = model.sort();
        let every = format!("every {} s", self.interval.as_secs_f64());
        let at = model.read_at.map_or("not read yet".to_owned(), clock);
        let order = if reversed { "descending" } else { "ascending" };
        vec![
            Line::from(vec![
                Span::styled("semundo watch", Modifier::BOLD),
                Span::raw(format!("  {at}  {every}  by {}", self.source)),
            ]),
            Line::raw(format!("{}, {order} by {}", model.counts(), sort.title())),
        ]
    }

    fn status(&self, model: &Model) -> Line<'static> {
        match (&model.error, self.paused) {
            (Some(error), _) => {
                let text = error.lines().map(str::trim).collect::<Vec<_>>().join("; ");
                Line::styled(format!("not read: {text}"), self.colour(Color::Red).add_modifier(Modifier::BOLD))
            }
            (None, true) => {
                Line::styled("PAUSED: space goes on", self.colour(Color::Yellow).add_modifier(Modifier::BOLD))
            }
            (None, false) => Line::styled("q quit  space pause  s sort  r reverse  ? help", Modifier::DIM),
        }
    }

    fn draw_table(&self, model: &mut Model, frame: &mut Frame, area: Rect) {
        let header_height = u16::from(area.height > 1);
        let window = model.window((area.height - header_height.min(area.height)).into());
        let (columns, widths) = fit(self.columns(), model.rows(), area.width.into());
        let (sort, _) = model.sort();

        let titles = columns.iter().map(|column| {
            let modifier = if *column == sort { Modifier::UNDERLINED | Modifier::BOLD } else { Modifier::BOLD };
            cell(*column, column.title().to_owned(), modifier.into())
        });
        let header = TableRow::new(std::iter::once(Cell::from("")).chain(titles)).height(header_height);
        let selected = model.selected();
        let rows = window.map(|place| {
            let row = &model.rows()[place];
            let style = self.row_style(row);
            let cells = columns.iter().map(|column| {
                let marked = row.is_changed(*column) && !row.is_new();
                let style = if marked { self.colour(Color::Yellow).add_modifier(Modifier::BOLD) } else { Style::new() };
                cell(*column, column.text(&row.holding), style)
            });
            let style = if place == selected { style.add_modifier(Modifier::REVERSED) } else { style };
            TableRow::new(std::iter::once(Cell::from(row.sign())).chain(cells)).style(style)
        });
        let widths = std::iter::once(1).chain(widths).map(Constraint::Length);
        let mut table = Table::new(rows, widths);
        if header_height == 1 {
            table = table.header(header);
        }
        frame.render_widget(table, area);
    }

    fn row_style(&self, row: &Row) -> Style {
        if row.is_gone() {
            Style::new().add_modifier(Modifier::DIM | Modifier::CROSSED_OUT)
        } else if row.is_new() {
            self.colour(Color::Green)
        } else {
            Style::new()
        }
    }

    fn colour(&self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }
}

fn cell(column: Column, text: String, style: Style) -> Cell<'static> {
    let line = Line::styled(text, style);
    Cell::from(if column.is_text() { line } else { line.right_aligned() })
}

/// The columns that fit beside the sign, and the width of each: its widest cell's. The last one takes what is left.
fn fit(mut columns: Vec<Column>, rows: &[Row], available: usize) -> (Vec<Column>, Vec<u16>) {
    let widest = |column: &Column| match column {
        // It may be cut off.
        Column::Others => width(column.title()),
        _ => rows.iter().map(|row| width(&column.text(&row.holding))).fold(width(column.title()), usize::max),
    };
    let mut widths: Vec<usize> = columns.iter().map(widest).collect();
    for column in Column::DISPENSABLE {
        if widths.iter().map(|width| 1 + width).sum::<usize>() < available {
            break;
        }
        if let Some(place) = columns.iter().position(|shown| *shown == column) {
            columns.remove(place);
            widths.remove(place);
        }
    }
    if columns.last() == Some(&Column::Others) {
        let before: usize = widths[..widths.len() - 1].iter().map(|width| 1 + width).sum();
        widths[columns.len() - 1] = available - 1 - before - 1;
    }
    let widths = widths.into_iter().map(|width| u16::try_from(width).unwrap_or(u16::MAX));
    (columns, widths.collect())
}

fn draw_help(frame: &mut Frame) {
    let keys = HELP.iter().map(|(keys, _)| width(keys)).fold(0, usize::max);
    let lines: Vec<Line> = HELP.iter().map(|(key, what)| Line::raw(format!("{key:keys$}  {what}"))).collect();
    let widest = lines.iter().map(Line::width).fold(0, usize::max);
    let area = frame.area().centered(
        Constraint::Length(u16::try_from(widest + 2).unwrap_or(u16::MAX)),
        Constraint::Length(u16::try_from(lines.len() + 2).unwrap_or(u16::MAX)),
    );
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("Help")), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::tests::holding;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::buffer::Buffer;
    use semundo::holding::Holding;
    use std::time::UNIX_EPOCH;

    fn view() -> View {
        let interval = Duration::from_millis(1500);
        View { source: "bpf", interval, colours: true, namespaces: false, paused: false, help: false }
    }

    fn model(readings: &[&[Holding]]) -> Model {
        let mut model = Model::default();
        for reading in readings {
            model.take(UNIX_EPOCH, Ok(reading.to_vec()));
        }
        model
    }

    fn drawn(view: &View, model: &mut Model, width: u16, height: u16) -> Buffer {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(model, frame)).unwrap();
        terminal.backend().buffer().clone()
    }

    /// The lines without the blanks at their ends.
    fn text(buffer: &Buffer) -> Vec<String> {
        let line = |y| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..buffer.area.height).map(|y| line(y).trim_end().to_owned()).collect()
    }

    fn changed() -> Model {
        let mut changed = holding(1, 65536, -3);
        changed.others = vec![20, 300];
        model(&[&[holding(1, 65536, -1), holding(2, 65536, 1)], &[changed, holding(3, 9, 1)]])
    }

    #[test]
    fn a_wide_terminal_shows_all() {
        assert_eq!(
            text(&drawn(&view(), &mut changed(), 80, 8)),
            [
                "semundo watch  00:00:00 UTC  every 1.5 s  by bpf",
                "2 holdings of 2 semaphores by 2 processes, ascending by SEMID",
                "  PID COMMAND SEMID        KEY SEM ADJ NOW AFTER OTHERS",
                "+   3 some        9 0x0000004d   0  +1   5     6 -",
                "*   1 some    65536 0x0000004d   0  -3   5     2 20,300",
                "-   2 some    65536 0x0000004d   0  +1   5     6 -",
                "",
                "q quit  space pause  s sort  r reverse  ? help",
            ]
        );
        let namespaces = View { namespaces: true, ..view() };
        assert!(text(&drawn(&namespaces, &mut changed(), 80, 8))[2].contains("COMMAND NS SEMID"));
    }

    #[test]
    fn a_narrow_terminal_shows_what_matters() {
        let titles = |width| text(&drawn(&view(), &mut changed(), width, 8))[2].clone();
        assert_eq!(titles(57), "  PID COMMAND SEMID        KEY SEM ADJ NOW AFTER OTHERS");
        assert_eq!(titles(52), "  PID COMMAND SEMID SEM ADJ NOW AFTER OTHERS");
        assert_eq!(titles(30), "  PID COMMAND SEMID SEM ADJ");
        assert_eq!(titles(20), "  PID SEMID SEM ADJ");
        assert_eq!(titles(12), "  PID SEMID");
        assert_eq!(titles(6), "  PID");
    }

    #[test]
    fn no_size_is_too_small() {
        let help = View { help: true, paused: true, namespaces: true, ..view() };
        for width in (0..30).chain([57, 200]) {
            for height in 0..12 {
                for view in [&view(), &help] {
                    drawn(view, &mut changed(), width, height);
                    drawn(view, &mut Model::default(), width, height);
                }
            }
        }
        let mut last = changed();
        last.move_by(isize::MAX);
        assert_eq!(text(&drawn(&view(), &mut last, 20, 1)), ["-   2 65536   0  +1"]);
    }

    #[test]
    fn marks_and_the_selection_have_their_looks() {
        let buffer = drawn(&view(), &mut changed(), 80, 8);
        assert_eq!(buffer[(4, 3)].fg, Color::Green);
        let reversed = |y| buffer[(4, y)].modifier.contains(Modifier::REVERSED);
        assert_eq!((3..6).map(reversed).collect::<Vec<_>>(), [true, false, false]);
        assert!(buffer[(4, 5)].modifier.contains(Modifier::CROSSED_OUT));
        let adjustment = text(&buffer)[4].find("-3").and_then(|at| u16::try_from(at).ok()).unwrap();
        assert_eq!((buffer[(adjustment, 4)].fg, buffer[(4, 4)].fg), (Color::Yellow, Color::Reset));
    }

    #[test]
    fn without_colours_there_are_none() {
        let mut model = changed();
        model.error = Some("no".into());
        let plain = View { colours: false, paused: true, ..view() };
        let buffer = drawn(&plain, &mut model, 80, 8);
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
    }

    #[test]
    fn the_status_tells_errors_and_pauses() {
        let mut model = changed();
        let paused = View { paused: true, ..view() };
        assert_eq!(text(&drawn(&paused, &mut model, 80, 8))[7], "PAUSED: space goes on");
        model.error = Some("cannot:\n  first\x1b[2J".into());
        let buffer = drawn(&paused, &mut model, 80, 8);
        assert_eq!(text(&buffer)[7], "not read: cannot:; first[2J");
        assert!(text(&buffer)[4].starts_with("*   1"), "the rows stay");
    }

    #[test]
    fn the_help_lies_above_the_table() {
        let help = View { help: true, ..view() };
        let lines = text(&drawn(&help, &mut changed(), 80, 24));
        assert!(lines.iter().any(|line| line.contains("PgUp PgDn")), "{lines:#?}");
    }
}
