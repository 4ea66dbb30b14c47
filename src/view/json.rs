//! JSON output in which control and invisible characters are written as escapes, so it cannot control a terminal.

use crate::message::is_unsafe;
use serde::Serialize;
use std::fmt::Write as _;

/// `value` on one line.
pub fn line(value: &impl Serialize) -> String {
    safe(serde_json::to_string(value))
}

/// `value` over several lines, indented.
pub fn pretty(value: &impl Serialize) -> String {
    safe(serde_json::to_string_pretty(value))
}

fn safe(text: serde_json::Result<String>) -> String {
    let text = text.expect("documents of text, numbers and booleans are JSON");
    let mut safe = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        // A line break is part of the layout here; within strings it is already escaped.
        if is_unsafe(c) && c != '\n' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe.push('\n');
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_no_control_characters_and_parses_to_the_same_text() {
        let text = "c\u{9b}31m\u{7f}\u{202e}\u{61c}\u{1b}ü\u{2066}\u{e0041}\u{200b}\"\n";
        for written in [line(&[text]), pretty(&[text])] {
            assert!(!written.trim_end().replace('\n', "").chars().any(is_unsafe), "{written:?}");
            let read: Vec<String> = serde_json::from_str(&written).unwrap();
            assert_eq!(read, [text]);
        }
        assert_eq!(line(&"\u{ad}\u{e0041}"), "\"\\u00ad\\udb40\\udc41\"\n");
        assert_eq!(line(&["x"]), "[\"x\"]\n");
        assert_eq!(pretty(&["x"]), "[\n  \"x\"\n]\n");
    }
}
