//! Names of remotes: what may be added, and how a refusal shows it. Each line of an input is a name, and as a
//! duration one of `--min-ttl`.

use crate::target::{Outcome, Target, drives_a_terminal};
use apptainer_remote::message::{escape, quoted};
use apptainer_remote::uri::RemoteName;

pub const TARGET: Target = Target::new(check, WORDS);

const WORDS: &[&str] = &[
    "lab",
    "DefaultRemote",
    "-",
    "--",
    "://",
    "https://ada:canary@h",
    "@",
    " ",
    "\t",
    "'",
    "\"",
    "$(x)",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{a0}",
    "é",
    "\n",
    "1h",
    "30days",
    "2weeks ",
    "1y",
    "5m 30s",
    "99999999999999999999s",
    "0.5h",
];

fn check(input: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(input);
    Outcome::all(text.split('\n').take(4).map(one))
}

fn one(text: &str) -> Outcome {
    assert!(!escape(text).contains(drives_a_terminal), "{:?}", escape(text));
    words_of_a_shell(text);
    let duration = humantime::parse_duration(text);
    if let Ok(duration) = duration {
        let again = humantime::parse_duration(&humantime::format_duration(duration).to_string());
        assert_eq!(again.ok(), Some(duration));
    }
    match RemoteName::parse(text) {
        Ok(name) => {
            assert_eq!(name.as_str(), text);
            assert!(!text.trim().is_empty() && !text.contains(char::is_control));
            Outcome::of((true, text.is_ascii(), text.contains(' '), duration.is_ok()))
        }
        Err(error) => {
            let error = error.to_string();
            assert!(!text.contains('@') || !error.contains("canary"), "{error}");
            assert!(!error.contains(char::is_control), "{error:?}");
            Outcome::refused(&error).and(duration.is_ok())
        }
    }
}

/// What a hint shows can be typed: quoted, it is one word of a shell, and that very text.
fn words_of_a_shell(text: &str) {
    if text.contains(drives_a_terminal) {
        return;
    }
    let shown = quoted(text);
    let mut word = String::new();
    let mut rest = shown.chars();
    while let Some(c) = rest.next() {
        match c {
            '\'' => word.extend(rest.by_ref().take_while(|c| *c != '\'')),
            '\\' => word.extend(rest.next()),
            _ => {
                assert!(!" \t$`\"!*?[]{}()<>|&;#~".contains(c) || c == '~' && !word.is_empty(), "{shown}");
                word.push(c);
            }
        }
    }
    assert_eq!(word, text, "{shown}");
}
