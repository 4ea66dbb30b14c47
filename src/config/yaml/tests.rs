//! Recorded files, hostile texts, and property tests.

use super::*;
use crate::config::{Config, Credential, Endpoint, Keyserver};
use crate::secret::Secret;
use proptest::prelude::*;
use serde::Deserialize;
use std::time::{Duration, Instant};

fn fixture<T: for<'de> Deserialize<'de>>(name: &str) -> T {
    let path = format!("{}/tests/fixtures/conformance/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[derive(Deserialize)]
struct Reading {
    name: String,
    text: String,
    apptainer: Recorded,
}

#[derive(Deserialize)]
struct Recorded {
    list: serde_json::Value,
    add: serde_json::Value,
    after_add: Option<String>,
}

/// Intentional differences from the real programs: name, whether we accept the file, reason.
const READ_OTHERWISE: &[(&str, bool, &str)] = &[
    ("newline", true, "a file of blank lines is an empty layer"),
    ("comment", true, "a file of comments is an empty layer"),
    ("remotes null2", true, "they crash on the next add"),
    ("remote null tilde", true, "they crash"),
    ("null name", false, "they lose the remote on the next write"),
    ("null word name", false, "they lose the remote on the next write"),
    ("two docs", false, "they lose the second document on the next write"),
    ("garbage after end", false, "they lose the rest on the next write"),
    ("second doc broken", false, "they lose the rest on the next write"),
    ("unknown top", true, "a warning when reading, an error before a write"),
    ("unknown in remote", true, "a warning when reading, an error before a write"),
    ("lowercase key", true, "an unknown key: a warning when reading, an error before a write"),
    ("alias bomb", false, "they reject it too"),
    ("yaml directive", true, "either result is fine"),
    ("nel", false, "either result is fine"),
];

#[test]
fn recorded_files_are_read_like_the_real_programs_do() {
    let cases: Vec<Reading> = fixture("reading.json");
    assert!(cases.len() >= 70);
    for case in cases {
        let ours = read(case.text.as_bytes());
        if let Some((_, accepted, why)) = READ_OTHERWISE.iter().find(|(name, ..)| *name == case.name) {
            if *why != "either result is fine" {
                assert_eq!(ours.is_ok(), *accepted, "{}: {why}: {ours:?}", case.name);
            }
            continue;
        }
        assert_eq!(ours.is_ok(), case.apptainer.list == 0, "{}: {ours:?}", case.name);
        let Ok(ours) = ours else { continue };
        if case.apptainer.add == 0 {
            let mut expected = read(case.apptainer.after_add.unwrap().as_bytes()).unwrap().config;
            expected.remotes.remove("zz");
            assert_eq!(ours.config, expected, "{}", case.name);
        }
    }
}

#[test]
fn every_error_has_a_position() {
    for case in fixture::<Vec<Reading>>("reading.json") {
        if let Err(error) = read(case.text.as_bytes()) {
            assert!(error.place.is_some(), "{}: {error}", case.name);
        }
    }
}

#[test]
fn errors_name_line_column_and_key_and_never_a_value() {
    for (text, shown) in [
        (
            "Remotes:\n  lab:\n    Token: canary\n    System: canary\n",
            "4:13: Remotes.lab.System: expected true or false",
        ),
        ("Remotes:\n  lab:\n    Token: [canary]\n", "3:12: Remotes.lab.Token: expected a string"),
        ("Remotes:\n  lab: {Token: canary}\n  lab: {}\n", "3:3: Remotes.lab: duplicate key"),
        ("Active: a\nActive: b\n", "2:1: Active: duplicate key"),
        ("Remotes:\n  lab:\n    Token: \"canary\n", "invalid YAML"),
        ("Remotes:\n  lab:\n    Token: canary: canary\n", "invalid YAML"),
        ("Remotes:\n  lab:\n    Token: *canary\n", "invalid YAML"),
        ("Credentials:\n  - {URI: x, Auth: canary, Insecure: canary}\n", "Credentials.0.Insecure"),
        ("canary\n", "expected a mapping"),
        ("Active: a\n---\nActive: canary\n", "only one YAML document"),
        ("Active: \x1b[31mcanary\n", "1:9: control characters"),
    ] {
        let error = read(text.as_bytes()).expect_err(text);
        assert!(error.to_string().contains(shown), "{text}: {error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{text}: {error:?}");
    }
    let error = read(b"Active: a\nRemotes:\n  \xff: {}\n").unwrap_err();
    assert_eq!(error.place, Some(Place { line: 3, column: 3 }));
}

#[test]
fn unknown_keys_are_reported_with_their_position() {
    let parsed = read(b"Foo: {a: [1]}\nRemotes:\n  lab:\n    Bar: canary\n    URI: h\n").unwrap();
    let shown: Vec<_> =
        parsed.unknown.iter().map(|u| (u.place.line, u.place.column, u.key.as_str())).collect();
    assert_eq!(shown, [(1, 1, "Foo"), (4, 5, "Remotes.lab.Bar")]);
    assert_eq!(parsed.config.remotes["lab"].uri, "h");
    let text = "Remotes: {a: {eyJhbGciOiJub25lIn0.canary.c2ln: x, Token:canary: y, eyJhbGciOiJub25lIn0.canary.c z: w}}";
    let parsed = read(text.as_bytes()).unwrap();
    let shown: Vec<_> = parsed.unknown.iter().map(|unknown| unknown.key.as_str()).collect();
    assert_eq!(shown, ["Remotes.a.eyJh…", "Remotes.a.Token…", "Remotes.a.eyJh…"]);
}

#[test]
fn content_that_the_real_programs_reject_is_a_concern() {
    for text in [
        "# only this\n",
        "Remotes:\n",
        "Remotes:\n  a:\n",
        "Credentials:\n  -\n",
        "Remotes:\n  a: {Keyservers: [~]}\n",
    ] {
        assert_eq!(read(text.as_bytes()).unwrap().concerns.len(), 1, "{text}");
    }
    for text in ["", "~\n", "{}\n", "Remotes: {}\n", "Credentials:\n"] {
        assert!(read(text.as_bytes()).unwrap().concerns.is_empty(), "{text}");
    }
}

#[test]
fn hostile_texts_are_refused_quickly() {
    let mut bomb = String::from("a0: &a0 {k: v}\n");
    for level in 1..60 {
        bomb += &format!("a{level}: &a{level}\n  <<: [*a{0}, *a{0}]\n", level - 1);
    }
    bomb += "Remotes: *a59\n";
    let servers = format!("Remotes:\n  a: &x {{Keyservers: &k [{}]}}\n", "{URI: u},".repeat(3000));
    let many = (0..3000).fold(servers, |text, at| format!("{text}  r{at}: *x\n"));
    for (what, text) in [
        ("flow maps", "{a: ".repeat(100_000)),
        ("block lists", "- ".repeat(1 << 20)),
        ("flow lists", "[".repeat(1 << 20)),
        ("merges of merges", bomb),
        ("aliases of lists", many),
        ("scalars without end", format!("x: [{}]", "a,".repeat(4_000_000))),
        ("65 MiB", "#".repeat(65 << 20)),
        ("itself", "Remotes: &a {b: *a}\n".into()),
    ] {
        let begun = Instant::now();
        let result = read(text.as_bytes());
        // Not a benchmark. A refusal takes moments even on a busy machine. Without one, it would take hours or all
        // memory.
        assert!(begun.elapsed() < Duration::from_secs(300), "{what}");
        assert!(result.is_err(), "{what}");
    }
}

#[test]
fn at_most_a_hundred_thousand_remotes_are_read() {
    let text = |count: usize| {
        (0..count).fold(String::from("Remotes:\n"), |text, at| text + &format!("  r{at}: {{URI: h}}\n"))
    };
    assert_eq!(read(text(100_000).as_bytes()).unwrap().config.remotes.len(), 100_000);
    assert!(read(text(100_001).as_bytes()).is_err());
}

#[derive(Deserialize)]
struct Written {
    steps: Vec<Vec<String>>,
    file: String,
}

#[test]
fn recorded_files_are_written_byte_for_byte() {
    for set in fixture::<Vec<Written>>("writing.json") {
        let config = read(set.file.as_bytes()).unwrap().config;
        let ours = String::from_utf8(write(&config)).unwrap();
        let plain = |name: &String| {
            name.len() <= 128 && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        if set.steps.iter().all(|step| plain(&step[4])) {
            assert_eq!(ours, set.file);
        } else {
            assert_eq!(read(ours.as_bytes()).unwrap().config, config);
        }
    }
}

#[test]
fn a_layer_with_every_field_is_written_and_read_back() {
    let config = Config {
        active: "lab".into(),
        remotes: [(
            "lab".to_string(),
            Endpoint {
                uri: "//[::1]:8443/a%20b".into(),
                token: Some(Secret::new("0123".into())),
                system: true,
                exclusive: true,
                insecure: true,
                keyservers: vec![Keyserver {
                    uri: "hkp://k.example".into(),
                    external: true,
                    ..Keyserver::default()
                }],
            },
        )]
        .into(),
        credentials: vec![
            Credential { uri: "docker://r.example".into(), ..Credential::default() },
            Credential {
                uri: "https://k.example".into(),
                auth: Some(Secret::new("Basic YTpi==".into())),
                insecure: true,
            },
        ],
    };
    let text = String::from_utf8(write(&config)).unwrap();
    assert_eq!(
        text,
        "Active: lab\nRemotes:\n    lab:\n        URI: //[::1]:8443/a%20b\n        Token: \"0123\"\n        System: true\n        Exclusive: true\n        Insecure: true\n        Keyservers:\n            - URI: hkp://k.example\n              Skip: false\n              External: true\n              Insecure: false\nCredentials:\n    - URI: docker://r.example\n      Insecure: false\n    - URI: https://k.example\n      Auth: Basic YTpi==\n      Insecure: true\n"
    );
    assert_eq!(read(text.as_bytes()).unwrap().config, config);
}

/// Strings that are easily misread.
fn tricky() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-+]?[0-9_.:eExXob]{1,8}",
        "[-?:,\\[\\]{}#&*!|>'\"%@` a]{1,6}",
        "[A-Za-z0-9._-]{1,140}",
        "\\PC{1,12}",
        any::<String>(),
        prop::sample::select(vec![
            "",
            "~",
            "null",
            "yes",
            "off",
            "<<",
            "---",
            "...",
            "2020-01-01",
            "1e3",
            ".inf",
            "0o7",
            "a: b",
            "a #b",
            "-",
            "? x"
        ])
        .prop_map(String::from),
    ]
}

proptest! {
    #[test]
    fn written_files_are_read_back_unchanged(names in prop::collection::btree_set(tricky(), 0..6), uri in tricky(), token in tricky(), active in tricky()) {
        let endpoint = Endpoint { uri, token: Secret::non_empty(token.clone()), ..Endpoint::default() };
        let config = Config {
            active,
            remotes: names.into_iter().map(|name| (name, endpoint.clone())).collect(),
            credentials: vec![Credential { uri: token.clone(), auth: Secret::non_empty(token), insecure: true }],
        };
        let bytes = write(&config);
        let back = read(&bytes);
        prop_assert!(back.is_ok(), "{}: {}", back.unwrap_err(), String::from_utf8_lossy(&bytes));
        prop_assert_eq!(back.unwrap().config, config);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_yaml_like_text_panics(text in "([A-Za-z:\\-?&*!|>%@\\[\\]{}<, \n\t\"'~#]|Remotes|URI|Token|Keyservers|<<|\n  ){0,60}") {
        let _ = read(text.as_bytes());
    }
}
