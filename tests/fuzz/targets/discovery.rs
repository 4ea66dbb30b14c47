//! The discovery document of an endpoint, and its copy in the cache.

use super::endpoint_uri::{CANARY, hides_password};
use crate::target::{Outcome, Target, some};
use apptainer_remote::http::Address;
use apptainer_remote::services::endpoint::cache::{decode, encode, file_name};
use apptainer_remote::services::endpoint::discovery::{Services, parse, service_url};
use serde_json::Value;
use std::time::Duration;
use url::Url;

pub const TARGET: Target = Target { large: 1 << 18, ..Target::new(check, WORDS) };

const WORDS: &[&str] = &[
    "\"libraryAPI\": ",
    "\"library\": ",
    "\"keystoreAPI\": ",
    "\"keyserverAPI\": ",
    "\"keyserver\": ",
    "\"tokenAPI\": ",
    "\"builderAPI\": ",
    "\"consentAPI\": ",
    "\"API\": ",
    "\"\": ",
    "\"uri\": ",
    "\"registryUri\": ",
    "{\"uri\": \"https://l.example\"}",
    "\"https://l.example/p/\"",
    "\"http://h:81\"",
    "\"ftp://h\"",
    "\"https://ada:canary@h.example/p?q#f\"",
    "\"ada:canary@h\"",
    "\"//ada:canary@h\"",
    "\"data:canary@x\"",
    "\"\\u001b[2J\"",
    "\"\\ud800\"",
    "null",
    "[]",
    "{}",
    "<html>",
    "\"version\": 1",
    "\"services\": [",
    "\"insecure\": false",
    "\"time\": 9",
    ",",
    "\n",
];

const NOW: u64 = 1_700_000_000;

fn check(input: &[u8]) -> Outcome {
    let endpoint = Url::parse("https://h.example/p/").unwrap();
    assert!(file_name(&endpoint).ends_with(".services.json"));
    // Anything in the cache is read as if this program could have written it.
    let cached = decode(input, &Address::new(endpoint.clone(), false), NOW);
    if let Some((services, _)) = &cached {
        stored(&endpoint, services);
    }
    let services = match parse(input) {
        Ok(services) => services,
        Err(what) => {
            assert!(what.starts_with("not a discovery document: ") && what.len() < 80, "{what}");
            return Outcome::refused(&what).and(cached.is_some());
        }
    };
    // Unused texts are not decoded, so they may contain half of a surrogate pair.
    let Ok(document) = serde_json::from_slice::<Value>(input) else {
        return Outcome::of((some(services.len()), cached.is_some()));
    };
    let entries = document.as_object().expect("a map");
    assert_eq!(services.len() + services.skipped().len(), entries.len());
    assert!(services.len() <= 256);
    stored(&endpoint, &services);
    let kinds = services.iter().map(|(name, service)| {
        assert!(!service.uri.is_empty() && name != "keystore", "{name}");
        assert_eq!(services.get(name), Some(service));
        let given = entries.values().any(|entry| entry["uri"].as_str() == Some(&service.uri));
        assert!(given, "{name}: {service:?}");
        let known = matches!(name, "library" | "keyserver");
        Outcome::of((address(&service.uri), service.registry_uri.is_some(), known))
    });
    let whole = Outcome::of((some(services.len()), some(services.skipped().len()), cached.is_some()));
    Outcome::all(kinds.chain([whole]))
}

/// Requests go to paths below the service's address; an unusable address is shown without its password.
fn address(uri: &str) -> bool {
    match service_url(uri, "v1/token-status") {
        Ok(url) => {
            assert!(matches!(url.scheme(), "http" | "https") && url.has_host(), "{url}");
            assert!(url.path().ends_with("/v1/token-status") && url.query().is_none(), "{url}");
            assert!(url.fragment().is_none(), "{url}");
            true
        }
        Err(error) => {
            // The text after the last `@` is shown. If the host is known, an `@` after it belongs to the path.
            let behind = uri.rsplit_once('@').is_some_and(|(_, behind)| behind.contains(CANARY));
            let told = behind || Url::parse(uri).is_ok_and(|url| url.has_host());
            assert!(told || hides_password(uri, &error.to_string()), "{error}");
            let shown = Url::parse(&error.url).ok().filter(Url::has_host);
            assert!(shown.is_none_or(|url| url.username().is_empty() && url.query().is_none()), "{error}");
            false
        }
    }
}

/// A cached copy is only used for the same endpoint with the same security, and with its age.
fn stored(endpoint: &Url, services: &Services) {
    let verified = Address::new(endpoint.clone(), false);
    let bytes = encode(&verified, services, NOW);
    let (again, age) = decode(&bytes, &verified, NOW + 5).expect("what was stored is read");
    assert!(again.iter().eq(services.iter()) && age == Duration::from_secs(5));
    assert_eq!(decode(&bytes, &verified, NOW - 1).map(|(_, age)| age), Some(Duration::MAX));
    assert!(decode(&bytes, &Address::new(endpoint.clone(), true), NOW).is_none());
    assert!(decode(&bytes, &Address::new(Url::parse("https://h.example/q").unwrap(), false), NOW).is_none());
}
