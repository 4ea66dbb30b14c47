//! Output in three forms: JSON for programs, plain text for pipes, which scripts parse byte by byte, and
//! formatted text for terminals.

pub mod json;
mod plain;
mod pretty;
mod screen;

pub use pretty::{Cell, Style};
pub use screen::{Screen, Sink};

use serde::Serialize;

/// The output of a command.
pub trait View {
    /// The document of `--json`; see docs/json.md.
    fn document(&self) -> impl Serialize;

    /// The text for `sink`. In a pipe it is byte for byte like that of the real programs, if they have this
    /// output.
    fn text(&self, sink: Sink) -> String;
}

/// The text of `view` for `sink`, as JSON if requested.
pub fn render(view: &impl View, as_json: bool, sink: Sink) -> String {
    match (as_json, sink) {
        (true, Sink::Pipe) => json::line(&view.document()),
        (true, Sink::Terminal(_)) => json::pretty(&view.document()),
        (false, _) => view.text(sink),
    }
}

/// A table for `sink`. `address` is the index of the column that may wrap on a terminal.
pub fn table(head: &[&str], address: usize, rows: &[Vec<Cell>], sink: Sink) -> String {
    match sink {
        Sink::Pipe => {
            let head = head.iter().map(|title| Cell::from(*title)).collect::<Vec<_>>();
            let head = (!head.is_empty()).then_some(head);
            let rows: Vec<Vec<&str>> = head
                .iter()
                .chain(rows)
                .map(|row| row.iter().map(|cell| cell.text.as_str()).collect())
                .collect();
            plain::layout(&rows)
        }
        Sink::Terminal(screen) => pretty::table(head, address, rows, screen),
    }
}
