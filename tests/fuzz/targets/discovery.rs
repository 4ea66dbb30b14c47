//! The document that names the services of an endpoint: its own text may say anything, and is bounded.

use crate::target::{Outcome, Target, some};
use apptainer_remote::services::discovery::parse;
use serde_json::Value;

pub const TARGET: Target = Target::new(check, WORDS);

const WORDS: &[&str] = &[
    "{\"libraryAPI\":{\"uri\":\"https://l.example\"}}",
    "\"keystoreAPI\":",
    "\"keyserver\":",
    "\"keyserverAPI\":",
    "\"tokenAPI\":",
    "\"API\":",
    "\"APIAPI\":",
    "\"\":",
    "{\"uri\":\"https://x.example/y\"}",
    "\"registryUri\":\"https://r.example\"",
    "\"uri\":\"\"",
    "\"uri\":null",
    "\"uri\":[]",
    "\"\\u001b[2J\"",
    "<html>",
    "null",
    "[]",
    "{}",
    ",",
];

fn check(input: &[u8]) -> Outcome {
    let services = match parse(input) {
        Ok(services) => services,
        Err(error) => {
            assert!(error.starts_with("no service document: ") && error.len() < 100, "{error}");
            return Outcome::refused(&error);
        }
    };
    let document: Value = serde_json::from_slice(input).expect("it was read");
    let entries = document.as_object().expect("it is a map");
    assert_eq!(services.len() + services.skipped().len(), entries.len());
    assert!(services.len() <= 256);
    for (name, service) in services.iter() {
        assert!(!service.uri.is_empty());
        let given = entries.values().any(|entry| entry["uri"].as_str() == Some(&service.uri));
        assert!(given, "{name}: {service:?}");
        assert!(name != "keystore");
        assert_eq!(services.get(name), Some(service));
    }
    let registries = services.iter().filter(|(_, service)| service.registry_uri.is_some()).count();
    let both = services.get("keyserver").is_some() && services.get("token").is_some();
    Outcome::of((some(services.len()), some(services.skipped().len()), some(registries), both))
}
