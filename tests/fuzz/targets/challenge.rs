//! `WWW-Authenticate`: what is read is there, and no refusal repeats any of it.

use crate::target::{Outcome, Target, some};
use apptainer_remote::services::challenge::{Challenge, parse};

pub const TARGET: Target = Target::new(check, WORDS);

const WORDS: &[&str] = &[
    "Basic ",
    "Bearer ",
    "Negotiate ",
    "realm=",
    "service=",
    "scope=",
    "\"https://auth.example/token\"",
    "\"repository:a/b:pull,push\"",
    "\"\\\"\"",
    "\"",
    "\\",
    ",",
    ", ",
    "=",
    "==",
    " ",
    "\t",
    "charset=\"UTF-8\"",
    "error=invalid_token",
    "abc.def-ghi_jkl~mno+pqr/==",
];

const NAMES: [&str; 6] = ["realm", "service", "scope", "error", "charset", "nobody"];

fn check(input: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(input);
    let challenges = match parse(&text) {
        Ok(challenges) => challenges,
        Err(why) => return Outcome::refused(why),
    };
    let again = challenges.iter().map(written).collect::<Vec<_>>().join(", ");
    let again = parse(&again).unwrap_or_else(|why| panic!("{why}: {again:?}"));
    assert_eq!(again.len(), challenges.len());
    for (challenge, again) in challenges.iter().zip(&again) {
        assert!(!challenge.scheme.is_empty() && challenge.scheme == challenge.scheme.to_ascii_lowercase());
        assert_eq!(challenge.scheme, again.scheme);
        for name in NAMES {
            assert_eq!(challenge.param(name), again.param(name), "{name}");
            assert!(challenge.param(name).is_none_or(|value| value.len() <= text.len()));
        }
    }
    let known = |name| challenges.iter().filter(|challenge| challenge.param(name).is_some()).count();
    let schemes = ["basic", "bearer"].map(|scheme| challenges.iter().any(|one| one.scheme == scheme));
    Outcome::of((some(challenges.len()), schemes, some(known("realm")), some(known("scope"))))
}

/// As the header's rules have it, with the parameters that are looked for.
fn written(challenge: &Challenge) -> String {
    let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
    let one = |name: &&str| challenge.param(name).map(|value| format!("{name}=\"{}\"", quoted(value)));
    format!("{} {}", challenge.scheme, NAMES.iter().filter_map(one).collect::<Vec<_>>().join(", "))
}
