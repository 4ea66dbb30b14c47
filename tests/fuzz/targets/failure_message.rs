//! The server's own message in the body of a failure: one line of bounded length, without the secrets that were
//! sent.

use crate::target::{Outcome, Target, some};
use apptainer_remote::http::message::from_body;
use apptainer_remote::secret::Secret;

pub const TARGET: Target = Target::new(check, WORDS);

/// Sent with the request.
const SECRET: &str = "canary-token";

const WORDS: &[&str] = &[
    "\"error\": ",
    "\"message\": ",
    "\"errors\": [",
    "\"error_description\": ",
    "\"detail\": ",
    "{\"error\": {\"code\": 404, \"message\": \"",
    "canary-token",
    "canary-",
    "token",
    "\"canary\\u002dtoken\"",
    "\u{feff}",
    "<html>",
    "{",
    "}",
    "[",
    "]",
    "\"\"",
    "null",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\u{2028}",
];

fn check(input: &[u8]) -> Outcome {
    let secrets = [Secret::new(SECRET.into())];
    let Some(message) = from_body(input, &secrets) else { return Outcome::of(()) };
    assert!(!message.contains(SECRET), "{message:?}");
    assert!(!message.is_empty() && message.chars().count() <= 201, "{message:?}");
    assert!(message.trim() == message && !message.contains(['\n', '\r', '\t']), "{message:?}");
    let shortened = message.ends_with('…');
    Outcome::of((some(message.len()), shortened, input.first().filter(|byte| byte.is_ascii_punctuation())))
}
