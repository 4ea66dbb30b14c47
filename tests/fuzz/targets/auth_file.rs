//! The auth file of docker and podman: what is read can be written and is the same, and a login or a logout
//! changes nothing but the registry's own entries.

use crate::target::{Outcome, Target, some};
use apptainer_remote::auth_file::{Document, Entry, key_of};
use apptainer_remote::secret::Secret;
use apptainer_remote::uri::ServiceUri;
use serde_json::{Map, Value};

pub const TARGET: Target = Target { runs: 8000, ..Target::new(check, WORDS) };

/// Stands where a login would.
const CANARY: &str = "Y2FuYXJ5OmNhbmFyeQ==";

const WORDS: &[&str] = &[
    "{\"auths\":{",
    "\"auths\":",
    "\"AUTHS\":",
    "\"credHelpers\":{",
    "\"credsStore\":\"pass\"",
    "\"auth\":\"Y2FuYXJ5OmNhbmFyeQ==\"",
    "\"identitytoken\":\"Y2FuYXJ5OmNhbmFyeQ==\"",
    "\"registrytoken\":",
    "\"username\":\"ada\"",
    "\"password\":",
    "\"email\":",
    "\"h.example\":{}",
    "\"h.example:443\":{}",
    "\"https://h.example/v1/\":{}",
    "\"https://index.docker.io/v1/\":",
    "\"docker.io\":",
    "\"registry-1.docker.io\":",
    "\"h.example/part\":",
    "\"HttpHeaders\":{\"X\":1}",
    "\"\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud800\"",
    "null",
    "true",
    "1e400",
    "1.0",
    "123456789012345678901234567890",
    "{}",
    "[]",
    ",",
    ":",
    "\n\t",
];

/// Registries whose keys are in the words.
const REGISTRIES: [&str; 4] =
    ["docker://h.example", "docker://h.example:443", "oras://docker.io", "docker://[::1]:5000"];

fn check(input: &[u8]) -> Outcome {
    let document = match Document::parse(Some(input)) {
        Ok(document) => document,
        Err(error) => {
            assert!(
                !error.contains(CANARY) || error.starts_with("auths.") || error.starts_with("credH"),
                "{error}"
            );
            // What stands before the reason is a place or a key.
            return Outcome::refused(error.rsplit(": ").next().unwrap_or_default());
        }
    };
    let written = document.to_bytes();
    let again = Document::parse(Some(&written)).expect("what is written can be read");
    assert_eq!(again.to_bytes(), written);
    assert_eq!(members(&written), members(input), "nothing is lost by a write");
    for uri in document.registries() {
        assert!(ServiceUri::from_stored(&uri).is_some(), "{uri}");
    }
    Outcome::all(REGISTRIES.iter().map(|registry| one(&written, &ServiceUri::parse(registry).unwrap().uri)))
}

/// The members of the file, in no order; a blank one has none.
fn members(text: &[u8]) -> Map<String, Value> {
    if text.trim_ascii().is_empty() { Map::new() } else { serde_json::from_slice(text).unwrap() }
}

/// A login, and a logout again.
fn one(text: &[u8], registry: &ServiceUri) -> Outcome {
    let read = || Document::parse(Some(text)).expect("it was read before");
    let (before, mut document) = (read(), read());
    let helper = before.helper_for(registry).map(String::from);
    document.store(registry, Some(&Secret::new("bmV3OmxvZ2lu".into())));
    assert_eq!(document.keys_of(registry), [key_of(registry)]);
    assert_eq!(document.entry_of(registry), Some(Entry::Secret));
    others_are_kept(&before, &document, registry);
    assert_eq!(document.helper_for(registry).map(String::from), helper);
    assert!(!document.remove(registry).is_empty());
    assert!(document.keys_of(registry).is_empty() && document.entry_of(registry).is_none());
    others_are_kept(&before, &document, registry);
    let mut removed = read();
    let keys = removed.remove(registry);
    assert_eq!(keys.is_empty(), before.keys_of(registry).is_empty());
    others_are_kept(&before, &removed, registry);
    let entry = before.entry_of(registry).map(|entry| std::mem::discriminant(&entry));
    Outcome::of((entry, some(keys.len()), some(before.keys_below(registry).len()), helper.is_some()))
}

/// Every member but the entries of `registry` is what and where it was.
fn others_are_kept(before: &Document, after: &Document, registry: &ServiceUri) {
    let rest = |document: &Document| {
        let own: Vec<String> = document.keys_of(registry).into_iter().map(String::from).collect();
        let mut members = members(&document.to_bytes());
        for (name, member) in &mut members {
            if name.eq_ignore_ascii_case("auths")
                && let Some(auths) = member.as_object_mut()
            {
                auths.retain(|key, _| !own.contains(key));
            }
        }
        // No auths, empty ones and null are one.
        members.retain(|name, member| !(name.eq_ignore_ascii_case("auths") && is_empty(member)));
        members
    };
    assert_eq!(rest(before), rest(after));
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(Map::is_empty)
}
