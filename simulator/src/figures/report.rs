//! A table as text: 80 columns, with what is expected beside what is.

use std::fmt::{self, Display};

/// One table, with what is to be said about it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many expectations were missed.
    pub missed: usize,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Rows(Vec<Vec<String>>),
}

const WIDTH: usize = 80;

impl Report {
    /// One with this title.
    pub(super) fn new(name: &str, title: &str) -> Self {
        let mut report = Self::default();
        report.say(&format!("{name}: {title}"));
        report
    }

    /// Adds a paragraph, and ends the rows before it.
    pub(super) fn say(&mut self, text: &str) {
        self.parts.push(Part::Text(text.into()));
    }

    /// Begins rows with these words above their columns.
    pub(super) fn head(&mut self, words: &[&str]) {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        self.parts.push(Part::Rows(vec![words]));
    }

    /// Adds a row that nothing is expected of.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        if let Some(Part::Rows(rows)) = self.parts.last_mut() {
            rows.push(cells);
        }
    }

    /// Adds a row, and whether it is as expected.
    pub(super) fn check(&mut self, mut cells: Vec<String>, holds: bool) {
        cells.push(self.verdict(holds));
        self.row(cells);
    }

    /// The word for an expectation that holds, or for one that is missed, which is counted.
    pub(super) fn verdict(&mut self, holds: bool) -> String {
        self.missed += usize::from(!holds);
        String::from(if holds { "ok" } else { "MISSED" })
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => wrapped(text).iter().try_for_each(|line| writeln!(f, "{line}")),
            Part::Rows(rows) => aligned(rows).iter().try_for_each(|line| writeln!(f, "{line}")),
        })
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let is_full = lines.last().is_some_and(|line| WIDTH < line.len() + 1 + word.len());
        if is_full {
            lines.push(String::new());
        }
        let Some(line) = lines.last_mut() else { continue };
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}

/// The first column begins at the left, all others end at the right.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells =
            row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("  {cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            });
        cells.collect::<String>().trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_aligned_and_counts_what_is_missed() {
        let mut report = Report::new("heal", &"word ".repeat(20));
        report.head(&["N", "seconds", ""]);
        report.check(vec!["100".into(), "7".into()], true);
        report.check(vec!["1000".into(), "31".into()], false);
        let text = report.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[2..],
            ["  N     seconds", "  100         7      ok", "  1000       31  MISSED"]
        );
        assert!(lines.iter().all(|line| line.len() <= WIDTH));
        assert_eq!(report.missed, 1);
    }
}
