//! The auth file: the changes by a login and a logout, and that everything else is kept.

use crate::target::{Outcome, Target, some};
use apptainer_remote::auth_file::{Document, Entry, key_of};
use apptainer_remote::secret::Secret;
use apptainer_remote::uri::ServiceUri;
use serde_json::{Map, Value};

pub const TARGET: Target = Target { large: 1 << 11, ..Target::new(check, WORDS) };

/// Used in the place of values.
const CANARY: &str = "canary";

/// `ada:pw`, the login that is added.
const LOGIN: &str = "YWRhOnB3";

const REGISTRIES: &[&str] = &["docker://docker.io", "docker://h.example", "docker://[::1]:5000"];

const WORDS: &[&str] = &[
    "\"auths\": {",
    "\"Auths\": {",
    "\"AUTHS\": null",
    "\"credHelpers\": {",
    "\"credhelpers\": {",
    "\"credsStore\": \"pass\"",
    "\"credsstore\": ",
    "\"auth\": ",
    "\"identitytoken\": ",
    "\"registrytoken\": ",
    "\"username\": ",
    "\"password\": ",
    "\"email\": ",
    "\"HttpHeaders\": ",
    "\"https://index.docker.io/v1/\": {}",
    "\"docker.io\": {}",
    "\"index.docker.io\": {}",
    "\"registry-1.docker.io\": ",
    "\"h.example\": {}",
    "\"H.example\": {}",
    "\"h.example/\": {}",
    "\"h.example/a/b\": {}",
    "\"http://h.example/v2/\": {}",
    "\"https://h.example:443\": {}",
    "\"h.example:443\": {}",
    "\"[::1]:5000\": {}",
    "\"[0::1]:5000/x\": null",
    "\"canary\"",
    "\"YWRhOnB3\"",
    "\"YWRh\"",
    "\"\"",
    "\"\\u001b\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud800\"",
    "\"\\u0061uths\"",
    "null",
    "true",
    "{}",
    "[]",
    "1.50",
    "-0.0",
    ",",
    ": ",
    "\n",
];

fn check(input: &[u8]) -> Outcome {
    let document = match Document::parse(Some(input)) {
        Ok(document) => document,
        Err(error) => return refused(input, &error),
    };
    let written = document.to_bytes();
    assert!(read(&written) == document, "{}", String::from_utf8_lossy(&written));
    assert!(read(&written).to_bytes() == written, "a second write gives another text");
    assert_eq!(format!("{document:?}"), format!("Document({:?})", document.registries()));
    let before = value(&written);
    assert_eq!(before, if input.trim_ascii().is_empty() { Value::Object(Map::new()) } else { value(input) });
    let known: Vec<String> = document.registries();
    let registries = REGISTRIES.iter().copied().chain(known.iter().take(4).map(String::as_str));
    let mut kinds = Vec::new();
    for text in registries {
        let registry = ServiceUri::from_stored(text).expect("what is shown can be typed");
        kinds.push((document.entry_of(&registry).map(kind), document.helper_for(&registry).is_some()));
        for auth in [Some(Secret::new(LOGIN.into())), None] {
            login(&document, &before, &registry, auth.as_ref());
        }
        logout(&document, &before, &registry);
    }
    let whole = Outcome::of((some(known.len()), !document.helpers().is_empty()));
    Outcome::all(kinds.into_iter().map(Outcome::of).chain([whole]))
}

fn refused(input: &[u8], error: &str) -> Outcome {
    // Messages contain keys, but no values.
    let names_a_key = error.starts_with("auths.")
        || error.starts_with("credHelpers.")
        || error.contains(": duplicate key \"");
    assert!(names_a_key || !error.contains(CANARY), "{error}");
    if let Some((line, column)) = place(error) {
        let lines = input.iter().filter(|byte| **byte == b'\n').count() + 1;
        assert!((1..=lines + 1).contains(&line) && column <= input.len() + 1, "{error}");
    }
    // A key may contain anything.
    let twice = error.contains(": duplicate key \"");
    Outcome::refused(if twice { "twice" } else { error.rsplit(": ").next().unwrap_or_default() })
}

fn place(error: &str) -> Option<(usize, usize)> {
    let mut parts = error.splitn(3, ':');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn login(document: &Document, before: &Value, registry: &ServiceUri, auth: Option<&Secret>) {
    let mut after = document.clone();
    after.store(registry, auth);
    let key = key_of(registry);
    assert_eq!(after.keys_of(registry), [key.as_str()]);
    let expected = if auth.is_some() { Entry::Secret } else { Entry::Empty };
    assert_eq!(after.entry_of(registry), Some(expected));
    assert_eq!(after.keys_below(registry), document.keys_below(registry));
    assert_eq!(after.helper_for(registry), document.helper_for(registry));
    let after = value(&after.to_bytes());
    let gone = document.keys_of(registry);
    same_besides(before, &after, &[&gone[..], &[key.as_str()]].concat());
    let (old, new) = (&auths(before)[&key], &auths(&after)[&key]);
    for (name, value) in old.as_object().into_iter().flatten() {
        let replaced = ["auth", "username", "password", "identitytoken", "registrytoken"];
        assert!(
            replaced.iter().any(|own| own.eq_ignore_ascii_case(name)) || new.get(name) == Some(value),
            "{name} is lost"
        );
    }
}

fn logout(document: &Document, before: &Value, registry: &ServiceUri) {
    let mut after = document.clone();
    let removed = after.remove(registry);
    assert_eq!(removed, document.keys_of(registry));
    assert_eq!((after.keys_of(registry).len(), after.entry_of(registry)), (0, None));
    assert_eq!(after == *document, removed.is_empty());
    let gone: Vec<&str> = removed.iter().map(String::as_str).collect();
    same_besides(before, &value(&after.to_bytes()), &gone);
}

/// Whether both have the same keys and values in the same order, except the given entries of `auths`.
fn same_besides(before: &Value, after: &Value, keys: &[&str]) {
    let rest = |document: &Value| -> Vec<(String, Value)> {
        let all = document.as_object().expect("an object").iter();
        let all = all.filter(|(key, _)| !key.eq_ignore_ascii_case("auths"));
        let entries = auths(document);
        let entries =
            entries.as_object().into_iter().flatten().filter(|(key, _)| !keys.contains(&key.as_str()));
        all.chain(entries).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    assert_eq!(rest(before), rest(after));
}

fn auths(document: &Value) -> Value {
    let mut all = document.as_object().expect("an object").iter();
    all.find(|(key, _)| key.eq_ignore_ascii_case("auths")).map(|(_, value)| value.clone()).unwrap_or_default()
}

fn kind(entry: Entry) -> u8 {
    match entry {
        Entry::Secret => 0,
        Entry::Empty => 1,
        Entry::Broken => 2,
    }
}

fn read(text: &[u8]) -> Document {
    Document::parse(Some(text)).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)))
}

fn value(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("it is JSON")
}
