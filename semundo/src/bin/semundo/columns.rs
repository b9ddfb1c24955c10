//! The columns of a holding: title, text and order, the same on a terminal and in plain text.

use std::cmp::Ordering;

use ratatui::text::Span;
use semundo::holding::Holding;

use crate::print::printable;

/// So many other holders are named; of the rest only the number.
const OTHERS_NAMED: usize = 8;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The first process that shares the list, and how many more do.
    Pid,
    /// The name of the list's first thread.
    Command,
    /// The IPC namespace.
    Namespace,
    /// The set.
    Semid,
    /// The set's key.
    Key,
    /// The semaphore's number in the set.
    Semaphore,
    /// What the exit adds.
    Adjustment,
    /// The value now.
    Value,
    /// The value after the exit.
    After,
    /// Processes of other lists that hold the same semaphore.
    Others,
}

impl Column {
    /// All of them, from left to right.
    pub const ALL: [Self; 10] = [
        Self::Pid,
        Self::Command,
        Self::Namespace,
        Self::Semid,
        Self::Key,
        Self::Semaphore,
        Self::Adjustment,
        Self::Value,
        Self::After,
        Self::Others,
    ];

    /// Those that a narrow terminal does without, the least important first.
    pub const DISPENSABLE: [Self; 9] = [
        Self::Key,
        Self::Namespace,
        Self::Others,
        Self::After,
        Self::Value,
        Self::Command,
        Self::Adjustment,
        Self::Semaphore,
        Self::Semid,
    ];

    /// All, without the namespace where only one is looked at.
    pub fn shown(namespaces: bool) -> Vec<Self> {
        Self::ALL.into_iter().filter(|column| namespaces || *column != Self::Namespace).collect()
    }

    /// The heading.
    pub fn title(self) -> &'static str {
        match self {
            Self::Pid => "PID",
            Self::Command => "COMMAND",
            Self::Namespace => "NS",
            Self::Semid => "SEMID",
            Self::Key => "KEY",
            Self::Semaphore => "SEM",
            Self::Adjustment => "ADJ",
            Self::Value => "NOW",
            Self::After => "AFTER",
            Self::Others => "OTHERS",
        }
    }

    /// Whether it is aligned to the left.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Command | Self::Others)
    }

    /// The cell of a holding, `-` where there is nothing to tell. No character of it moves a terminal's cursor.
    pub fn text(self, holding: &Holding) -> String {
        let known = |value: Option<u16>| value.map_or("-".to_owned(), |value| value.to_string());
        match self {
            Self::Pid => match holding.pids.as_slice() {
                [] => "-".to_owned(),
                [pid] => pid.to_string(),
                [pid, more @ ..] => format!("{pid}+{}", more.len()),
            },
            Self::Command if holding.comm.is_empty() => "-".to_owned(),
            Self::Command => printable(&holding.comm),
            Self::Namespace => holding.ipc_namespace.to_string(),
            Self::Semid => holding.semid.to_string(),
            Self::Key => holding.key.map_or("-".to_owned(), |key| format!("{key:#010x}")),
            Self::Semaphore => holding.semaphore.to_string(),
            Self::Adjustment => format!("{:+}", holding.adjustment),
            Self::Value => known(holding.value),
            Self::After => known(holding.value_after),
            Self::Others => others(&holding.others),
        }
    }

    /// The order of two holdings by this column.
    pub fn compare(self, one: &Holding, other: &Holding) -> Ordering {
        match self {
            Self::Pid => one.pids.cmp(&other.pids),
            Self::Command => one.comm.cmp(&other.comm),
            Self::Namespace => one.ipc_namespace.cmp(&other.ipc_namespace),
            Self::Semid => one.semid.cmp(&other.semid),
            Self::Key => one.key.map(i32::cast_unsigned).cmp(&other.key.map(i32::cast_unsigned)),
            Self::Semaphore => one.semaphore.cmp(&other.semaphore),
            Self::Adjustment => one.adjustment.cmp(&other.adjustment),
            Self::Value => one.value.cmp(&other.value),
            Self::After => one.value_after.cmp(&other.value_after),
            Self::Others => one.others.len().cmp(&other.others.len()),
        }
    }
}

/// How many columns of a terminal a text takes.
pub fn width(text: &str) -> usize {
    Span::raw(text).width()
}

fn others(pids: &[i32]) -> String {
    if pids.is_empty() {
        return "-".to_owned();
    }
    let named: Vec<String> = pids.iter().take(OTHERS_NAMED).map(i32::to_string).collect();
    let more = pids.len() - named.len();
    if more == 0 { named.join(",") } else { format!("{},+{more}", named.join(",")) }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// One of a process `pid` in semaphore 0 of set `semid`, whose value is 5.
    pub fn holding(pid: i32, semid: i32, adjustment: i16) -> Holding {
        Holding {
            pids: vec![pid],
            comm: "some".into(),
            ipc_namespace: 1,
            semid,
            key: Some(77),
            semaphore: 0,
            adjustment,
            value: Some(5),
            value_after: Some((5 + adjustment).cast_unsigned()),
            others: vec![],
        }
    }

    #[test]
    fn cells() {
        let mut some = holding(7, 3, -2);
        some.comm = "a b\x1b[2J".into();
        some.key = Some(-1);
        some.others = (1..=10).collect();
        let cells = Column::ALL.map(|column| column.text(&some));
        assert_eq!(
            cells,
            ["7", "a?b?[2J", "1", "3", "0xffffffff", "0", "-2", "5", "3", "1,2,3,4,5,6,7,8,+2"].map(str::to_owned)
        );
        some.pids = vec![7, 8, 9];
        (some.key, some.value, some.value_after, some.others, some.comm) = (None, None, None, vec![], String::new());
        let cells = Column::ALL.map(|column| column.text(&some));
        assert_eq!(cells, ["7+2", "-", "1", "3", "-", "0", "-2", "-", "-", "-"].map(str::to_owned));
    }
}
