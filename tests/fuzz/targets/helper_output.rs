//! What a credential helper prints, and the name that it is called by. The first line of an input is taken for
//! the name.

use crate::target::{Outcome, Target, drives_a_terminal};
use apptainer_remote::auth_file::helper::{first_line, is_login, is_suffix, user_in};

pub const TARGET: Target = Target::new(check, WORDS);

const WORDS: &[&str] = &[
    "pass",
    "ecr-login",
    "../",
    "-",
    "\n",
    "{\"ServerURL\":\"h\",\"Username\":\"ada\",\"Secret\":\"canary\"}",
    "\"Username\":\"\"",
    "\"Secret\":\"\"",
    "\"Secret\":null",
    "{\"h\":\"ada\"}",
    "null",
    "{}",
    "[]",
    "credentials not found in native keychain",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{9b}",
    "\t",
    ",",
    ":",
];

fn check(input: &[u8]) -> Outcome {
    let name = input.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let name = std::str::from_utf8(name).is_ok_and(|name| {
        let suffix = is_suffix(name);
        assert!(!suffix || !(name.is_empty() || name.contains(['/', '\0']) || name.starts_with(['.', '-'])));
        suffix
    });
    let words = first_line(input);
    if let Some(words) = &words {
        assert!(!words.is_empty() && !words.contains(drives_a_terminal), "{words:?}");
        assert!(words.chars().count() <= 200 * "\\u{10ffff}".len(), "{} characters", words.chars().count());
    }
    let (login, user) = (is_login(input), user_in(input, "h"));
    // No answer is both, and one that is none is only words.
    assert!(login.is_none() || user.is_none() || input.windows(3).any(|window| window == b"\"h\""));
    Outcome::of((name, words.map(|words| words.contains('\\')), login, user.map(|user| user.is_empty())))
}
