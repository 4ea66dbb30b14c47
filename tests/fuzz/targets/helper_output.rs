//! The output of a credential helper: a login, a list, or an error message. The first line of an input is the
//! name of the helper.

use crate::target::{Outcome, Target, drives_a_terminal, some};
use apptainer_remote::auth_file::helper::{first_line, is_login, is_suffix, user_in};
use serde_json::Value;

pub const TARGET: Target = Target::new(check, WORDS);

const SERVER: &str = "https://h.example";

const WORDS: &[&str] = &[
    "\"ServerURL\": ",
    "\"Username\": ",
    "\"Secret\": ",
    "\"username\": ",
    "\"https://h.example\": ",
    "\"https://index.docker.io/v1/\": ",
    "\"ada\"",
    "\"<token>\"",
    "\"\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "null",
    "{}",
    "[]",
    "{",
    "}",
    ",",
    "credentials not found in native keychain",
    "no usernames for https://h.example",
    "error: ",
    "\n",
    "\r\n",
    "\x1b[2J",
    "\u{2028}",
];

fn check(input: &[u8]) -> Outcome {
    let (login, user, words) = (is_login(input), user_in(input, SERVER), first_line(input));
    let value: Option<Value> = serde_json::from_slice(input).ok();
    let text = |key: &str| value.as_ref()?.get(key)?.as_str();
    if let Some(there) = login.filter(|_| value.as_ref().is_some_and(Value::is_object)) {
        let (Some(name), Some(secret)) = (text("Username"), text("Secret")) else {
            panic!("a login without a name or a secret");
        };
        assert_eq!(there, !(name.is_empty() && secret.is_empty()));
    }
    if user.is_some() {
        assert_eq!(user.as_deref(), text(SERVER));
    }
    if let Some(line) = &words {
        assert!(!line.trim().is_empty() && !line.contains(drives_a_terminal), "{line:?}");
        // An escape has at most ten characters.
        assert!(line.chars().count() <= 2000, "{} characters", line.chars().count());
    }
    let name = String::from_utf8_lossy(input.split(|byte| *byte == b'\n').next().unwrap_or_default());
    let named = is_suffix(&name);
    assert!(
        !named || !(name.is_empty() || name.contains(['/', '\0']) || name.starts_with(['.', '-'])),
        "{name:?}"
    );
    assert!(words.is_some() || String::from_utf8_lossy(input).trim().is_empty());
    Outcome::of((named, login, user.is_some(), words.map(|line| some(line.len()).min(2))))
}
