//! The file format of a cached discovery document in `remote-cache/`, and the name of its file.
//!
//! No I/O: the caller reads and writes the file and passes in the time.

use super::discovery::{Service, Services};
use crate::http::Address;
use ring::digest;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use url::Url;

/// The version of the format. A file with another version is ignored.
const VERSION: u32 = 1;
/// The maximum length of the slug, so that the name is valid on every file system.
const SLUG: usize = 64;

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    /// Compared when reading, because the file name alone proves nothing.
    url: String,
    /// The document was received over http or unverified https. It must not be used if the endpoint is no longer
    /// insecure.
    insecure: bool,
    /// Seconds since 1970.
    time: u64,
    services: Vec<StoredService>,
}

#[derive(Serialize, Deserialize)]
struct StoredService {
    name: String,
    uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registry_uri: Option<String>,
}

/// `<slug>-<16 hex digits of SHA-256 of the canonical URL>.services.json`.
///
/// Apptainer reads `<slug>.json` in the same directory. This name does not conflict with it.
pub fn file_name(endpoint: &Url) -> String {
    let url = canonical(endpoint);
    let hash = digest::digest(&digest::SHA256, url.as_bytes());
    let hash: String = hash.as_ref()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{hash}.services.json", slug(&url))
}

/// The content of the file for the `services` of `endpoint`, fetched at `now` (seconds since 1970).
pub fn encode(endpoint: &Address, services: &Services, now: u64) -> Vec<u8> {
    let services = services.iter().map(|(name, service)| StoredService {
        name: name.to_string(),
        uri: service.uri.clone(),
        registry_uri: service.registry_uri.clone(),
    });
    let stored = Stored {
        version: VERSION,
        url: canonical(&endpoint.url),
        insecure: endpoint.allows_insecure(),
        time: now,
        services: services.collect(),
    };
    let mut bytes = serde_json::to_vec(&stored).expect("text and numbers are always JSON");
    bytes.push(b'\n');
    bytes
}

/// The cached services of `endpoint` in `bytes`, and their age at `now`. `None` if the file is for another endpoint,
/// was fetched with another `insecure` setting, or is invalid. If the file's time is in the future, a clock was or is
/// wrong, and the age is [`Duration::MAX`].
pub fn decode(bytes: &[u8], endpoint: &Address, now: u64) -> Option<(Services, Duration)> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    let asked = (VERSION, canonical(&endpoint.url), endpoint.allows_insecure());
    if (stored.version, stored.url, stored.insecure) != asked {
        return None;
    }
    let age = now.checked_sub(stored.time).map_or(Duration::MAX, Duration::from_secs);
    let services = stored
        .services
        .into_iter()
        .map(|stored| (stored.name, Service { uri: stored.uri, registry_uri: stored.registry_uri }));
    Some((services.collect(), age))
}

/// The canonical form of an endpoint's URL: without user info, query, fragment, and trailing slash. The URL type has
/// already normalized host and port.
fn canonical(endpoint: &Url) -> String {
    crate::http::shown(endpoint).trim_end_matches('/').to_string()
}

/// Host, port and path in characters that are valid on every file system.
fn slug(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let mut slug = String::new();
    for c in rest.chars().take(SLUG) {
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') => slug.push(c.to_ascii_lowercase()),
            _ if slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.trim_matches(['-', '.']).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(url: &Url, insecure: bool) -> Address {
        Address::new(url.clone(), insecure)
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn services() -> Services {
        let library = Service { uri: "https://l".into(), registry_uri: Some("https://r".into()) };
        [("library", library), ("token", Service { uri: "https://t\u{1b}".into(), registry_uri: None })]
            .into_iter()
            .collect()
    }

    #[test]
    fn file_names_are_short_and_unique() {
        let name = file_name(&url("https://cloud.sylabs.io"));
        assert!(name.starts_with("cloud.sylabs.io-") && name.ends_with(".services.json"), "{name}");
        assert_eq!(name.len(), "cloud.sylabs.io-0123456789abcdef.services.json".len());
        assert_eq!(name, file_name(&url("HTTPS://u:p@Cloud.Sylabs.IO:443/?q#f")));
        for other in [
            "http://cloud.sylabs.io",
            "https://cloud-sylabs.io",
            "https://cloud.sylabs.io:8443",
            "https://cloud.sylabs.io/a",
        ] {
            assert_ne!(name, file_name(&url(other)));
        }
        assert!(file_name(&url("https://[::1]:8443/a/../b c")).starts_with("1-8443-b-20c-"));
        assert!(file_name(&url(&format!("https://h/{}", "x/".repeat(500)))).len() < 120);
    }

    #[test]
    fn stored_services_are_read_back() {
        let here = url("https://h:8443/x");
        let bytes = encode(&address(&here, false), &services(), 1000);
        assert_eq!(decode(&bytes, &address(&here, false), 1060), Some((services(), Duration::from_secs(60))));
        assert_eq!(
            decode(&bytes, &address(&url("https://h:8443/x/"), false), 1000),
            Some((services(), Duration::ZERO))
        );
    }

    #[test]
    fn files_of_other_endpoints_are_ignored() {
        let here = url("https://h");
        let bytes = encode(&address(&here, true), &services(), 1000);
        assert_eq!(decode(&bytes, &address(&here, false), 1000), None);
        assert_eq!(decode(&bytes, &address(&url("https://g"), true), 1000), None);
        assert_eq!(decode(&bytes, &address(&url("http://h"), true), 1000), None);
        for broken in [&b""[..], b"{}", b"[]", &bytes[..bytes.len() - 4]] {
            assert_eq!(decode(broken, &address(&here, true), 1000), None);
        }
    }

    #[test]
    fn a_file_from_the_future_has_the_maximum_age() {
        let here = url("https://h");
        let bytes = encode(&address(&here, false), &services(), 1000);
        assert_eq!(decode(&bytes, &address(&here, false), 999).unwrap().1, Duration::MAX);
    }

    proptest! {
        #[test]
        fn no_file_panics(bytes: Vec<u8>, now: u64) {
            decode(&bytes, &address(&url("https://h"), false), now);
        }
    }
}
