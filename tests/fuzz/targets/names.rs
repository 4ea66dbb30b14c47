//! Names of remotes, and external text in messages, in suggested commands and in JSON.

use super::endpoint_uri::hides_password;
use crate::target::{Outcome, Target, drives_a_terminal};
use apptainer_remote::message::{escape, quoted};
use apptainer_remote::uri::{EndpointUri, RemoteName, is_service};
use apptainer_remote::view::json;

pub const TARGET: Target = Target { large: 1 << 18, ..Target::new(check, WORDS) };

const WORDS: &[&str] = &[
    "My-Cloud_1",
    "DefaultRemote",
    "-x",
    "--",
    "://",
    "https://",
    "ada:canary@",
    "canary",
    "@",
    "'",
    "'\\''",
    "\"",
    "\\",
    "\\x1b",
    "$(id)",
    "`id`",
    ";",
    "&",
    "|",
    "*",
    "~",
    "!",
    " ",
    "\u{3000}",
    "\u{9b}31m",
    "\x1b]0;x\x07",
    "\u{202e}",
];

fn check(input: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(input);
    let safe = escape(&text);
    assert!(!safe.contains(drives_a_terminal), "{safe:?}");
    assert_eq!(escape(&safe), safe, "safe text is unchanged");
    assert_eq!(safe == text, !text.contains(drives_a_terminal));
    let line = json::line(&text);
    assert!(line.ends_with('\n') && !line.trim_end_matches('\n').contains(drives_a_terminal), "{line:?}");
    assert_eq!(serde_json::from_str::<String>(&line).expect("it is JSON"), text);
    let word = quoted(&text);
    assert_eq!(unquoted(&word), text, "{word}");
    match RemoteName::parse(&text) {
        Ok(name) => {
            assert_eq!((name.as_str(), name.to_string().as_str()), (&*text, &*text));
            // A name is not an address or an option, and not invisible.
            assert!(!is_service(&text) && !text.starts_with('-') && !text.trim().is_empty());
            assert!(!text.contains(char::is_control), "{text:?}");
            Outcome::of((safe == text, word == text, EndpointUri::from_stored(&text).is_some()))
        }
        Err(error) => {
            let error = error.to_string();
            assert!(hides_password(&text, &error), "{error}");
            assert!(!text.contains('@') || !error.contains("canary"), "{error}");
            assert!(!error.contains(char::is_control), "{error:?}");
            Outcome::refused(error.rsplit_once(": a remote").map_or(&error, |(_, rule)| rule))
        }
    }
}

/// Parses a word as a shell does: only quotes, escaped quotes and characters that need neither may occur.
fn unquoted(word: &str) -> String {
    let (mut text, mut inside, mut chars) = (String::new(), false, word.chars());
    while let Some(c) = chars.next() {
        match c {
            '\'' => inside = !inside,
            c if inside => text.push(c),
            '\\' => text.extend(chars.next()),
            c => {
                assert!(c.is_alphanumeric() || "_-./:@%+=,".contains(c), "{c:?} means something to a shell");
                text.push(c);
            }
        }
    }
    assert!(!inside, "{word} does not end");
    text
}
