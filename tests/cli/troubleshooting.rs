//! docs/troubleshooting.md explains messages that the program prints: each one in a heading occurs in the source.

use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Shorter fragments, such as ` is `, occur anywhere.
const SHORTEST: usize = 8;

/// The code below a directory, without comments and tests. Each message is on one line, as it is printed.
fn code(directory: &Path, out: &mut String) {
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        match entry.file_name().unwrap().to_str().unwrap() {
            "tests" | "tests.rs" => {}
            _ if entry.is_dir() => code(&entry, out),
            _ => {
                let text = fs::read_to_string(&entry).unwrap();
                let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let mut continued = false;
                for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
                    out.push_str(if continued { line.trim_start() } else { line }.trim_end_matches('\\'));
                    continued = line.ends_with('\\');
                    if !continued {
                        out.push('\n');
                    }
                }
            }
        }
    }
}

/// A word in capitals, or the program's name, which the code inserts.
fn is_placeholder(word: &str) -> bool {
    let has = |test: fn(&char) -> bool| word.chars().any(|c| test(&c));
    has(char::is_ascii_uppercase) && !has(char::is_ascii_lowercase) || word == "apptainer"
}

/// The parts of a message between its placeholders. A context and its cause are also separate in the code.
fn fragments(message: &str) -> Vec<String> {
    let mut fragments = vec![String::new()];
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = rest.find(|c| !word(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let (part, after) = rest.split_at(length);
        if is_placeholder(part) || part == ":" && after.starts_with(' ') {
            fragments.push(String::new());
        } else {
            fragments.last_mut().unwrap().push_str(part);
        }
        rest = after;
    }
    let trimmed = fragments.iter().map(|part| part.trim_matches(|c: char| !c.is_alphanumeric()).to_string());
    trimmed.filter(|fragment| fragment.len() >= SHORTEST).collect()
}

#[test]
fn every_message_in_a_heading_is_printed() {
    let document = fs::read_to_string(Path::new(ROOT).join("docs/troubleshooting.md")).unwrap();
    let mut source = String::new();
    code(&Path::new(ROOT).join("src"), &mut source);
    let source = source.replace("\\\"", "\"");
    let headings: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(headings.len() > 30, "the headings were found");
    let mut missing = Vec::new();
    for heading in headings {
        let message = heading.strip_prefix('`').and_then(|message| message.strip_suffix('`')).expect(heading);
        let fragments = fragments(message);
        assert!(!fragments.is_empty(), "{heading}: only placeholders");
        let absent = fragments.into_iter().filter(|fragment| !source.contains(fragment));
        missing.extend(absent.map(|fragment| format!("{heading}: {fragment:?} is not in src/")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
