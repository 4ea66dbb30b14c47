//! `remote.yaml`: the parsed settings are written so that they are parsed as the same, and no message contains
//! a value.

use crate::target::{Outcome, Target, some};
use apptainer_remote::config::Config;
use apptainer_remote::config::yaml::{Parsed, Place, YamlError, read, write};
use std::fs;
use std::path::Path;

pub const TARGET: Target = Target { seeds: recorded, ..Target::new(check, WORDS) };

/// Longer than any key that a message shows in full.
const CANARY: &str = "canary-0123456789012345678901234567890123456789";

const WORDS: &[&str] = &[
    "Active: ",
    "Remotes:",
    "Credentials:",
    "URI: ",
    "Token: ",
    "System: ",
    "Exclusive: ",
    "Insecure: ",
    "Keyservers:",
    "Skip: ",
    "External: ",
    "Auth: ",
    "true",
    "false",
    "yes",
    "off",
    "~",
    "null",
    "<<: ",
    "*a",
    "&a ",
    "&b ",
    "*b",
    "!!str ",
    "!!binary ",
    "!<x> ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "- ",
    "? ",
    ": ",
    "# ",
    "|\n",
    ">-\n",
    "|2+\n",
    "{}",
    "[]",
    "[a, b]",
    "\"\\x1b\"",
    "\"\\u2028\"",
    "''",
    "\n",
    "\n    ",
    "\r\n",
    "\t",
    "a: b",
    "{URI: h}",
    "https://k.example",
    "//h:1/p",
    CANARY,
    "2020-01-01",
];

/// The texts for which the results of the real programs are recorded.
fn recorded() -> Vec<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/conformance/reading.json");
    let cases: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    cases.as_array().unwrap().iter().map(|case| case["text"].as_str().unwrap().as_bytes().to_vec()).collect()
}

fn check(input: &[u8]) -> Outcome {
    let text = Text::new(input);
    match read(input) {
        Ok(parsed) => accepted(&text, &parsed),
        Err(error) => {
            check_place(&text, &error);
            Outcome::refused(&error.message).and(depth(&error))
        }
    }
}

fn accepted(text: &Text, parsed: &Parsed) -> Outcome {
    parsed.concerns.iter().for_each(|concern| check_place(text, concern));
    for unknown in &parsed.unknown {
        assert!(text.has(unknown.place), "{unknown:?}");
        assert!(may_show(&unknown.key), "{unknown:?}");
    }
    let written = write(&parsed.config);
    let again =
        read(&written).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&written)));
    assert!(
        again.config == parsed.config,
        "{} is read as {:?}",
        String::from_utf8_lossy(&written),
        again.config
    );
    assert!(again.unknown.is_empty() && again.concerns.is_empty(), "{again:?}");
    assert!(write(&again.config) == written, "a second write gives another text");
    let words = (some(parsed.unknown.len()), some(parsed.concerns.len()));
    Outcome::all([shape(&parsed.config), Outcome::of(words)].into_iter())
}

/// The position is within the text, and the message contains nothing that may be a token.
fn check_place(text: &Text, error: &YamlError) {
    if let Some(place) = error.place {
        assert!(text.has(place), "{error:?}");
    }
    assert!(!error.message.contains(CANARY), "{error:?}");
    assert!(error.key.as_deref().is_none_or(may_show), "{error:?}");
}

/// The size of a text.
struct Text {
    lines: usize,
    bytes: usize,
}

impl Text {
    fn new(input: &[u8]) -> Self {
        // The parser knows more line ends than the line feed, but a text has at most this many lines.
        let ends = input.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
        Self { lines: ends + 1, bytes: input.len() }
    }

    /// Lines and columns are counted from 1; an error may also be at the end of the text.
    fn has(&self, place: Place) -> bool {
        (1..=self.lines + 1).contains(&place.line) && (1..=self.bytes + 2).contains(&place.column)
    }
}

/// A long key is cut, except for the name of a remote.
fn may_show(key: &str) -> bool {
    !key.contains(CANARY) || key.starts_with("Remotes.")
}

fn depth(error: &YamlError) -> usize {
    error.key.as_ref().map_or(0, |key| key.matches('.').count().min(4) + 1)
}

fn shape(config: &Config) -> Outcome {
    let remotes = config.remotes.values().map(|remote| {
        let flags =
            [remote.system, remote.exclusive, remote.insecure, remote.token.is_some(), remote.uri.is_empty()];
        (flags, some(remote.keyservers.len()))
    });
    let logins = config.credentials.iter().filter(|login| login.auth.is_some()).count();
    let whole = (config.active.is_empty(), some(config.credentials.len()), some(logins));
    Outcome::all(remotes.map(Outcome::of).chain([Outcome::of(whole)]))
}
