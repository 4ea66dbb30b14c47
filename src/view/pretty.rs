//! Tables for a terminal: comfy-table decides widths and wraps, and styles are put around its cells afterwards.

use super::screen::Screen;
use crate::message::escape;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

/// Narrower than this no address is wrapped.
const NARROWEST: usize = 12;

/// The look of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Plain,
    Bold,
    Good,
    Bad,
}

impl Style {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "\x1b[1m",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[31m",
        }
    }

    /// `text` in this style, on a screen that has colours.
    pub fn paint(self, text: &str, screen: Screen) -> String {
        if !screen.colour || self == Self::Plain || text.is_empty() {
            return text.to_string();
        }
        format!("{}{text}\x1b[0m", self.code())
    }
}

/// One cell; the text comes from anywhere and is escaped here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub style: Style,
}

impl Cell {
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::Plain)
    }
}

/// A table without lines: a bold head, two blanks between columns. `address` is the column that wraps where the
/// table is wider than the screen; names and flags never do. Where they alone do not fit, nothing wraps.
pub(super) fn table(head: &[&str], address: usize, rows: &[Vec<Cell>], screen: Screen) -> String {
    let rows: Vec<Vec<Cell>> = rows.iter().map(|row| escaped(row)).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !head.is_empty() {
        table.set_header(head);
    }
    for row in &rows {
        table.add_row(row.iter().map(|cell| cell.text.as_str()));
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if at != address {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let widths = table.column_max_content_widths();
    let others: usize = widths
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != address)
        .map(|(_, width)| usize::from(*width) + 2)
        .sum();
    let arrangement = if others + NARROWEST > screen.width {
        ContentArrangement::Disabled
    } else {
        ContentArrangement::Dynamic
    };
    table.set_content_arrangement(arrangement);
    // The blanks behind the last column count for comfy-table, and are cut below.
    table.set_width(u16::try_from(screen.width + 2).unwrap_or(u16::MAX));
    let mut text = String::new();
    let mut rows = rows.iter();
    for (at, line) in table.lines().enumerate() {
        let line = line.trim_end();
        let line = match () {
            () if at == 0 && !head.is_empty() => Style::Bold.paint(line, screen),
            // The rest of an address that was wrapped.
            () if address > 0 && line.starts_with(' ') => line.to_string(),
            () if address > 0 && screen.colour => {
                painted(line, rows.next().map_or(&[], Vec::as_slice), address, screen)
            }
            () => line.to_string(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// The row with nothing in it that drives a terminal, and with a first cell, by which a row is told from the rest of
/// a wrapped one.
fn escaped(row: &[Cell]) -> Vec<Cell> {
    let escaped = |cell: &Cell| Cell { text: escape(&cell.text).into_owned(), style: cell.style };
    let mut row: Vec<Cell> = row.iter().map(escaped).collect();
    if let Some(first) = row.first_mut().filter(|first| first.text.is_empty()) {
        first.text.push('-');
    }
    row
}

/// The first line of a row with the styles of its cells, which stand in it one after the other.
fn painted(line: &str, row: &[Cell], address: usize, screen: Screen) -> String {
    let (mut done, mut rest) = (String::new(), line);
    for (_, cell) in row.iter().enumerate().filter(|(at, cell)| *at != address && !cell.text.is_empty()) {
        if let Some(at) = rest.find(cell.text.as_str()) {
            done.push_str(&rest[..at]);
            done.push_str(&cell.style.paint(&cell.text, screen));
            rest = &rest[at + cell.text.len()..];
        }
    }
    done + rest
}
