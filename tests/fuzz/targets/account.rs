//! Information from servers about a user: the library's user, the expiry of a token, the token of a token
//! server, and the version of a service.

use crate::target::{Outcome, Target, some};
use apptainer_remote::message::LONGEST;
use apptainer_remote::secret::Secret;
use apptainer_remote::services::endpoint::account::{Account, jwt_expiry};
use apptainer_remote::services::endpoint::health::{ServiceState, parse_version};
use apptainer_remote::services::registry::check::parse_token;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

pub const TARGET: Target = Target::new(check, WORDS);

const WORDS: &[&str] = &[
    "\"username\": ",
    "\"email\": ",
    "\"realname\": ",
    "\"oidc_user_meta\": ",
    "\"secret\": ",
    "\"exp\": ",
    "\"iat\": ",
    "\"data\": ",
    "\"version\": ",
    "\"apiVersion\": ",
    "\"token\": ",
    "\"access_token\": ",
    "\"expires_in\": ",
    "\"ada\"",
    "\"canary\"",
    "\"v1.2.3-rc.1\"",
    "\"\"",
    "\"\\u001b[2J\"",
    "\"\\ud83d\\ude00\"",
    "\"\\udc00\"",
    "null",
    "true",
    "{",
    "}",
    "[",
    "]",
    ",",
    "1700000000",
    "253402300799.9",
    "1.7e9",
    "-1",
    "eyJhbGciOiJIUzI1NiJ9",
    "eyJleHAiOjE3MDAwMDAwMDB9",
    ".",
    "=",
];

fn check(input: &[u8]) -> Outcome {
    let value: Option<Value> = serde_json::from_slice(input).ok();
    let account = Account::parse(input);
    if let Some(account) = &account {
        assert!(!format!("{account:?}").contains("canary") || shows(account), "{account:?}");
    }
    let version = parse_version(input);
    if let Some(version) = &version {
        assert!(version.chars().count() <= LONGEST + 1, "{version}");
        let row = ServiceState::new(version, "https://h.example", Ok(version.clone()));
        assert!(row.is_ok() && row.service.chars().count() == version.chars().count(), "{}", row.service);
    }
    let token = parse_token(input);
    if let (Some(token), Some(value @ Value::Object(_))) = (&token, &value) {
        let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty());
        assert_eq!(Some(token.expose()), text("access_token").or_else(|| text("token")));
    }
    let ends = [expiry(input), payload(input)];
    let account = account
        .map(|account| [&account.username, &account.email, &account.realname].map(|text| text.is_empty()));
    Outcome::of((account, version.map(|text| some(text.len())), token.is_some(), ends))
}

/// The secret of an account is never shown.
fn shows(account: &Account) -> bool {
    [&account.username, &account.email, &account.realname].iter().any(|text| text.contains("canary"))
}

/// The input as a token.
fn expiry(token: &[u8]) -> Option<bool> {
    let token = Secret::new(String::from_utf8_lossy(token).into_owned());
    let seconds = jwt_expiry(&token)?;
    // The expiry must be a date that can be formatted.
    let shown = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string();
    assert_eq!(shown.len(), "2026-12-24T18:00:00Z".len(), "{shown}");
    Some(seconds == 0)
}

/// The input as the payload of a token.
fn payload(input: &[u8]) -> Option<bool> {
    let end = expiry(format!("e30.{}.x", URL_SAFE_NO_PAD.encode(input)).as_bytes());
    // Only the expiry is read, so other texts may have any bytes.
    let claims = String::from_utf8_lossy(input);
    assert!(end.is_none() || serde_json::from_str::<serde::de::IgnoredAny>(&claims).is_ok());
    end
}
