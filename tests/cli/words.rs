//! Plain English: the turns that a native speaker stumbles over are in no text, document, comment or test name.

use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Turns of phrase, each with what to write.
const BANNED: [(&str, &str); 22] = [
    ("besides,", "also"),
    ("as against", "compared with"),
    ("stands there", "is there, exists"),
    ("stands in the way", "prevents"),
    ("what there is", "say what it is"),
    ("nobody is asked", "no server is queried"),
    ("the way cannot be gone", "a parent directory is inaccessible"),
    ("is no scheme", "unsupported scheme"),
    ("is no name", "invalid name"),
    ("is no address", "invalid address"),
    ("is no place", "cannot hold"),
    ("there is no place for", "cannot store"),
    ("so that this one could", "say what failed"),
    ("whom it belongs to", "who owns it"),
    ("are the business of", "are passed to"),
    ("its word for", "what it says"),
    ("cannot be had", "is not available"),
    ("is not borne", "is refused"),
    ("what can be borne", "what is tolerated"),
    ("to the real ones", "to Apptainer"),
    ("in other words", "an equivalent URI"),
    ("nevertheless", "anyway"),
];

/// Every text of the project, without recordings, generated pages and this list.
fn files() -> Vec<PathBuf> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_str().unwrap();
            if entry.is_dir() {
                if !["fixtures", "corpus", "golden"].contains(&name) {
                    walk(&entry, found);
                }
            } else if [".rs", ".md"].iter().any(|end| name.ends_with(end)) && name != "words.rs" {
                found.push(entry);
            }
        }
    }
    let mut found = vec![Path::new(ROOT).join("README.md")];
    for directory in ["src", "docs", "tests"] {
        walk(&Path::new(ROOT).join(directory), &mut found);
    }
    found
}

/// `X is no Y` in place of `X is not a Y`; "there is no Y" and "is no longer" are good English.
fn is_inverted(line: &str) -> bool {
    line.match_indices(" is no ").any(|(at, _)| {
        let rest = &line[at + " is no ".len()..];
        !line[..at].ends_with("there") && !["longer", "good"].iter().any(|word| rest.starts_with(word))
    })
}

#[test]
fn no_text_has_a_banned_turn() {
    let (files, mut found) = (files(), Vec::new());
    assert!(files.len() > 200, "the files were found");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            if is_inverted(&lower) {
                found.push(format!("{}:{}: {line}", file.strip_prefix(ROOT).unwrap().display(), number + 1));
            }
            for (turn, better) in BANNED.iter().filter(|(turn, _)| lower.contains(turn)) {
                let file = file.strip_prefix(ROOT).unwrap().display();
                found.push(format!("{file}:{}: {turn:?}; better: {better}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
