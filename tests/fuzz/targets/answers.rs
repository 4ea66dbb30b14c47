//! What the services of an endpoint answer: who is logged in, which version, and why not.

use crate::target::{Outcome, Target};
use apptainer_remote::secret::Secret;
use apptainer_remote::services::account::{Account, jwt_expiry};
use apptainer_remote::services::health::parse_version;
use apptainer_remote::services::message::from_body;

pub const TARGET: Target = Target::new(check, WORDS);

/// A token that the server may repeat.
const CANARY: &str = "canary-0123456789";

const WORDS: &[&str] = &[
    "{\"username\":\"ada\",\"email\":\"a@b\",\"realname\":\"A\"}",
    "\"oidc_user_meta\":{\"secret\":\"s\"}",
    "\"secret\":\"\"",
    "{\"data\":{\"version\":\"v1.2.3\"}}",
    "\"version\":",
    "{\"error\":{\"code\":401,\"message\":\"no\"}}",
    "{\"errors\":[{\"message\":\"denied\"}]}",
    "\"message\":",
    "\"error_description\":",
    "\"detail\":",
    CANARY,
    "canary-",
    "0123456789",
    "<html>",
    "\u{feff}",
    "\u{1b}[2J",
    "\\u001b",
    "\0",
    "null",
    "[]",
    "\n",
    "eyJhbGciOiJub25lIn0.",
    "eyJleHAiOjE3MDAwMDAwMDB9",
    ".c2ln",
];

fn check(input: &[u8]) -> Outcome {
    let account = Account::parse(input);
    if let Some(account) = &account {
        let shown = format!("{account:?}");
        assert!(account.oci_secret.is_none() || shown.ends_with("oci_secret: Some(Secret(…)) }"), "{shown}");
    }
    let version = parse_version(input);
    assert!(version.as_ref().is_none_or(|version| version.chars().count() <= 65), "{version:?}");
    let message = from_body(input, &[Secret::new(CANARY.into())]);
    if let Some(message) = &message {
        assert!(!message.is_empty() && message.chars().count() <= 201, "{message:?}");
        assert!(!message.contains(CANARY) && !message.contains('\n'), "{message:?}");
    }
    let token = Secret::new(String::from_utf8_lossy(input).into_owned());
    let expiry = jwt_expiry(&token);
    assert!(expiry.is_none_or(|seconds| seconds < 253_402_300_800), "{expiry:?}");
    Outcome::of((
        account.map(|account| (account.username.is_empty(), account.oci_secret.is_some())),
        version.map(|version| version.ends_with('…')),
        message.map(|message| (message.ends_with('…'), message.contains('…'))),
        expiry.is_some(),
    ))
}
