//! Tables for a terminal. comfy-table determines widths and wraps, and styles are added to its output afterwards.

use super::screen::Screen;
use crate::message::escape;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

/// An address column narrower than this is not wrapped.
const NARROWEST: usize = 12;

/// The style of a cell.
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

    /// `text` in this style, if the screen has colours.
    pub fn paint(self, text: &str, screen: Screen) -> String {
        if !screen.colour || self == Self::Plain || text.is_empty() {
            return text.to_string();
        }
        format!("{}{text}\x1b[0m", self.code())
    }
}

/// A cell of a table. The text may come from outside and is escaped when the table is printed.
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

/// Formats a table without borders: a bold header and two spaces between columns. If the table is wider than the
/// screen, the `address` column wraps; names and flags never do. If the other columns alone do not fit, nothing
/// wraps. Rows whose first cell is the address are shown without styles.
pub(super) fn table(head: &[&str], address: usize, rows: &[Vec<Cell>], screen: Screen) -> String {
    let rows: Vec<Vec<Cell>> = rows.iter().map(|row| escaped(row, !head.is_empty())).collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !head.is_empty() {
        table.set_header(head);
    }
    for row in &rows {
        table.add_row(row.iter().map(|cell| cell.text.as_str()));
    }
    let widths = table.column_max_content_widths();
    let content: usize = widths.iter().map(|width| usize::from(*width)).sum();
    // One blank between columns is better than an address that wraps.
    let gaps = widths.len().saturating_sub(1);
    let gap = if (content + gaps..content + 2 * gaps).contains(&screen.width) { 1 } else { 2 };
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, gap));
        if at != address {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let gap = usize::from(gap);
    let others = content - widths.get(address).map_or(0, |width| usize::from(*width)) + gap * gaps;
    let arrangement = if others + NARROWEST > screen.width {
        ContentArrangement::Disabled
    } else {
        ContentArrangement::Dynamic
    };
    table.set_content_arrangement(arrangement);
    // comfy-table counts the spaces after the last column, which are removed below.
    table.set_width(u16::try_from(screen.width.saturating_add(gap)).unwrap_or(u16::MAX));
    let mut text = String::new();
    let mut rows = rows.iter().peekable();
    for (at, line) in table.lines().enumerate() {
        let line = line.trim_end();
        let line = if at == 0 && !head.is_empty() {
            Style::Bold.paint(line, screen)
        } else if let Some(row) = rows.next_if(|row| begins(line, row)) {
            painted(line, row, address, screen)
        } else {
            // A continuation line of a wrapped address.
            line.to_string()
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Whether `line` is the first line of `row`. Continuation lines of a wrapped address only have spaces below the
/// first cell.
fn begins(line: &str, row: &[Cell]) -> bool {
    row.first().is_some_and(|first| line.starts_with(first.text.trim_end()))
}

/// The row with escaped text. In a table with a header, the first cells are names; an empty one is replaced by
/// "-", because the first cell distinguishes a row from the continuation of a wrapped one.
fn escaped(row: &[Cell], is_named: bool) -> Vec<Cell> {
    let escaped = |cell: &Cell| Cell { text: escape(&cell.text).into_owned(), style: cell.style };
    let mut row: Vec<Cell> = row.iter().map(escaped).collect();
    if let Some(first) = row.first_mut().filter(|first| is_named && first.text.trim().is_empty()) {
        first.text = "-".into();
    }
    row
}

/// Adds the styles of the row's cells to its first line. Cells before the address are searched for from the left,
/// and cells after it from the right, because the address may contain the same text. It may also be only partly
/// in this line.
fn painted(line: &str, row: &[Cell], address: usize, screen: Screen) -> String {
    let (mut before, mut behind, mut rest) = (String::new(), String::new(), line);
    for cell in row.iter().take(address) {
        if let Some((blanks, others)) = rest.split_once(cell.text.as_str()) {
            before = before + blanks + &cell.style.paint(&cell.text, screen);
            rest = others;
        }
    }
    for cell in row.iter().skip(address + 1).rev() {
        if let Some((others, blanks)) = rest.rsplit_once(cell.text.as_str()) {
            behind = cell.style.paint(&cell.text, screen) + blanks + &behind;
            rest = others;
        }
    }
    before + rest + &behind
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: [&str; 3] = ["NAME", "STATUS", "URI"];

    fn row(name: &str, good: bool, uri: &str) -> Vec<Cell> {
        let (status, style) = if good { ("OK", Style::Good) } else { ("N/A", Style::Bad) };
        vec![name.into(), Cell::styled(status, style), uri.into()]
    }

    fn lines(rows: &[Vec<Cell>], width: usize, colour: bool) -> Vec<String> {
        let text = table(&HEAD, 2, rows, Screen { width, colour });
        text.lines().map(String::from).collect()
    }

    #[test]
    fn styles_match_their_rows_for_any_name() {
        for name in [" a", "   ", "", "\u{3000}", "OK", "N/A OK", "a  OK", "研究室", "\u{1b}[2J"] {
            let rows =
                [row(name, false, "h/long/address/of/it"), row("b", true, "h"), row(name, false, "OK")];
            for width in [30, 35, 80] {
                let lines = lines(&rows, width, true);
                let plain = lines.iter().map(|line| line.contains('\x1b')).collect::<Vec<_>>();
                let painted: Vec<_> = lines[1..].iter().filter(|line| line.contains('\x1b')).collect();
                assert_eq!(painted.len(), 3, "{name:?} {width} {plain:?} {lines:#?}");
                for (line, code) in painted.iter().zip(["31mN/A", "32mOK", "31mN/A"]) {
                    assert!(line.contains(&format!(" \x1b[{code}\x1b[0m ")), "{name:?} {width} {lines:#?}");
                }
            }
        }
    }

    #[test]
    fn styles_are_not_added_inside_the_address() {
        let rows = [vec![Cell::from("a"), "book.OK/OK".into(), Cell::styled("OK", Style::Good)]];
        let text = table(&["NAME", "URI", "STATUS"], 1, &rows, Screen { width: 80, colour: true });
        assert!(text.ends_with("a     book.OK/OK  \x1b[32mOK\x1b[0m\n"), "{text:?}");
    }

    #[test]
    fn styles_do_not_change_the_text() {
        let rows = [row("研究室", false, "kenkyu.example.jp/path/to"), row("b", true, "")];
        for width in [20, 30, 60, 80] {
            let mut bare = lines(&rows, width, true).join("\n");
            for code in ["\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m"] {
                bare = bare.replace(code, "");
            }
            assert_eq!(bare, lines(&rows, width, false).join("\n"), "{width}");
        }
    }

    #[test]
    fn wide_characters_take_two_columns_and_only_addresses_wrap() {
        let rows = [row("研究室", true, "kenkyu.example.jp/path"), row("lab", false, "h")];
        assert_eq!(
            lines(&rows, 30, false),
            [
                "NAME    STATUS  URI",
                "研究室  OK      kenkyu.example",
                "                .jp/path",
                "lab     N/A     h"
            ]
        );
        let one_line = ["NAME    STATUS  URI", "研究室  OK      kenkyu.example.jp/path", "lab     N/A     h"];
        for width in [0, 1, 20, 38, 80, usize::MAX] {
            assert_eq!(lines(&rows, width, false), one_line, "{width}");
        }
    }

    #[test]
    fn one_blank_between_columns_is_better_than_a_wrapped_address() {
        let rows = [row("lab", false, "lab.example.com"), row("b", true, "h")];
        let wide = ["NAME  STATUS  URI", "lab   N/A     lab.example.com", "b     OK      h"];
        let narrow = ["NAME STATUS URI", "lab  N/A    lab.example.com", "b    OK     h"];
        for (width, expected) in [(40, wide), (29, wide), (28, narrow), (27, narrow)] {
            assert_eq!(lines(&rows, width, false), expected, "{width}");
        }
        assert_eq!(lines(&rows, 26, false).len(), 4, "it wraps only then");
    }

    #[test]
    fn a_table_without_rows_has_only_a_header() {
        assert_eq!(lines(&[], 80, false), ["NAME  STATUS  URI"]);
        assert_eq!(table(&[], 0, &[], Screen { width: 80, colour: true }), "");
    }
}
