//! Discovers the services of an endpoint from `assets/config/config.prod.json`.

use crate::http::{Address, Get, HttpError, HttpErrorKind, below, brief};
use crate::message::cut;
use crate::services::Client;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

/// The maximum number of services. No real endpoint has more, and `status` sends a request to each.
const MOST: usize = 256;
/// The maximum number of entries in a document. No real endpoint has more.
const MOST_ENTRIES: usize = 1024;
/// The longest URI of a service, in bytes.
const LONGEST_URI: usize = 2048;

/// A service in an endpoint's discovery document. All strings are the endpoint's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The base URI, as given: usually `https://…`, but not validated. Never empty.
    pub uri: String,
    /// The OCI registry of a library.
    pub registry_uri: Option<String>,
}

/// The services of an endpoint by name: `library`, `keyserver`, `token`, `builder`, `consent` …
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    by_name: BTreeMap<String, Service>,
    skipped: Vec<String>,
}

impl Services {
    pub fn get(&self, name: &str) -> Option<&Service> {
        self.by_name.get(name)
    }

    /// All services, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Service)> {
        self.by_name.iter().map(|(name, service)| (name.as_str(), service))
    }

    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// A document may contain no services.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Why entries of the document were ignored, one line each, for DEBUG.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Adds a service if there is none with this name. Returns whether it was added.
    pub(super) fn add(&mut self, name: &str, service: Service) -> bool {
        let free = !self.by_name.contains_key(name);
        if free {
            self.by_name.insert(name.to_string(), service);
        }
        free
    }
}

impl<N: Into<String>> FromIterator<(N, Service)> for Services {
    fn from_iter<I: IntoIterator<Item = (N, Service)>>(services: I) -> Self {
        let by_name = services.into_iter().map(|(name, service)| (name.into(), service)).collect();
        Self { by_name, skipped: Vec::new() }
    }
}

/// Fetches the services of `endpoint` (`https://host[:port][/path]`).
///
/// # Errors
///
/// No response, a status other than 200, or a response that is not a discovery document.
pub async fn fetch(http: &Client, endpoint: &Address) -> Result<Services, HttpError> {
    fetch_within(http, endpoint, http.limits().discovery).await
}

/// Like [`fetch`], with another timeout.
///
/// # Errors
///
/// Those of [`fetch`].
pub async fn fetch_within(
    http: &Client,
    endpoint: &Address,
    timeout: Duration,
) -> Result<Services, HttpError> {
    let to = endpoint.below("assets/config/config.prod.json");
    let limits = http.limits();
    let get = Get {
        to: &to,
        login: None,
        accept: Some("application/json"),
        timeout,
        limit: limits.discovery_bytes,
    };
    let response = http.get(get).await?.ok()?;
    parse(&response.body).map_err(|what| response.unexpected(what))
}

/// Parses a discovery document: a JSON object in which each entry that is an object with a string `uri` is a service.
/// Removes the suffix `API` from the keys and renames `keystore` to `keyserver`.
///
/// # Errors
///
/// One line that says what the text is instead.
pub fn parse(body: &[u8]) -> Result<Services, String> {
    // Parse into our own map, so that the order of the keys does not depend on how the JSON library is built: if two
    // keys are for one service, the first one wins. Keep the values as text, because a tree of them would need about
    // fifty times the memory.
    let document: BTreeMap<String, &RawValue> = serde_json::from_slice(body).map_err(|_| describe(body))?;
    if document.len() > MOST_ENTRIES {
        return Err(format!("not a discovery document: it has {} entries", document.len()));
    }
    let mut services = Services::default();
    for (key, entry) in &document {
        let service = match read_entry(entry) {
            Ok(service) => service,
            Err(why) => {
                services.skipped.push(format!("\"{}\" is not a service: {why}", cut(key)));
                continue;
            }
        };
        let name = service_name(key);
        if !services.add(name, service) {
            services.skipped.push(format!(
                "\"{0}\" is ignored: there is already a \"{1}\"",
                cut(key),
                cut(name)
            ));
        }
    }
    match services.len() {
        0..=MOST => Ok(services),
        more => Err(format!("not a discovery document: it has {more} services")),
    }
}

fn service_name(key: &str) -> &str {
    match key.strip_suffix("API").unwrap_or(key) {
        "keystore" => "keyserver",
        name => name,
    }
}

/// The two fields of an entry that are used, of any type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow, default)]
    uri: Option<&'a RawValue>,
    #[serde(borrow, default)]
    registry_uri: Option<&'a RawValue>,
}

fn read_entry(entry: &RawValue) -> Result<Service, &'static str> {
    let entry = Some(entry.get()).filter(|text| text.starts_with('{')).ok_or("not an object")?;
    let entry: Entry = serde_json::from_str(entry).map_err(|_| "one of its keys is repeated")?;
    let text = |value: Option<&RawValue>| {
        let text: Option<String> = serde_json::from_str(value?.get()).ok();
        text.filter(|text| !text.is_empty())
    };
    let uri = text(entry.uri).ok_or("it has no uri")?;
    let registry_uri = text(entry.registry_uri);
    if uri.len().max(registry_uri.as_ref().map_or(0, String::len)) > LONGEST_URI {
        return Err("its URI is too long");
    }
    Ok(Service { uri, registry_uri })
}

/// Describes text that is not a JSON object.
fn describe(body: &[u8]) -> String {
    let start = body.trim_ascii_start();
    let what = match serde_json::from_slice::<IgnoredAny>(body) {
        _ if start.is_empty() => "it is empty",
        _ if start.starts_with(b"<") => "it is an HTML page",
        Ok(_) if start.starts_with(b"[") => "it is a list",
        Ok(_) => "it is a single value",
        Err(_) if start.starts_with(b"{") => "it is broken JSON",
        Err(_) => "it is not JSON",
    };
    format!("not a discovery document: {what}")
}

/// The URL of `path` below a service.
///
/// # Errors
///
/// [`HttpErrorKind::Setup`] if the endpoint gave the service an invalid URI or one that is neither http nor https.
pub fn service_url(service_uri: &str, path: &str) -> Result<Url, HttpError> {
    match Url::parse(service_uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(below(&url, path)),
        _ => {
            let kind = HttpErrorKind::Setup(
                "the endpoint gave this address, which is neither http nor https".to_string(),
            );
            Err(HttpError::at(redact(service_uri), kind))
        }
    }
}

/// A URI, which may be invalid, for display: without a possible user and password, and truncated if it is long.
pub(super) fn redact(uri: &str) -> String {
    match (Url::parse(uri), uri.rsplit_once('@')) {
        (Ok(url), _) if url.has_host() => brief(&url),
        (_, Some((_, behind))) => format!("…@{}", cut(behind)),
        (_, None) => cut(uri).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(body: &str) -> Vec<(String, String)> {
        let services = parse(body.as_bytes()).unwrap();
        services.iter().map(|(name, service)| (name.to_string(), service.uri.clone())).collect()
    }

    #[test]
    fn a_full_document_is_parsed() {
        let body = r#"{
            "libraryAPI": {"uri": "https://l.example/library", "registryUri": "https://l.example/registry"},
            "keystoreAPI": {"uri": "https://k.example"}, "tokenAPI": {"uri": "https://t.example"},
            "builderAPI": {"uri": "https://b.example", "managerUri": "https://m.example"},
            "env": {"name": "prod"}, "logging": {"console": true}, "params": 1, "list": [], "nothing": null,
            "odd": {"uri": 7}, "emptyAPI": {"uri": ""}
        }"#;
        let services = parse(body.as_bytes()).unwrap();
        let names: Vec<_> = services.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["builder", "keyserver", "library", "token"]);
        assert_eq!(
            services.get("library").unwrap().registry_uri.as_deref(),
            Some("https://l.example/registry")
        );
        assert_eq!(services.get("keyserver").unwrap().uri, "https://k.example");
        assert_eq!(services.skipped().len(), 7);
        assert!(services.skipped().contains(&"\"env\" is not a service: it has no uri".to_string()));
    }

    #[test]
    fn the_first_of_two_keys_for_one_service_is_used() {
        let body = r#"{"keystoreAPI": {"uri": "b"}, "keyserverAPI": {"uri": "a"}, "libraryAPI": {"uri": "d"}, "library": {"uri": "c"}}"#;
        assert_eq!(named(body), [("keyserver".into(), "a".into()), ("library".into(), "c".into())]);
        assert_eq!(parse(body.as_bytes()).unwrap().skipped().len(), 2);
    }

    #[test]
    fn invalid_documents_are_described() {
        let table = [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("<!doctype html>", "it is an HTML page"),
            ("[]", "it is a list"),
            ("null", "it is a single value"),
            ("\"x\"", "it is a single value"),
            ("{\"a\":", "it is broken JSON"),
            ("{} {}", "it is broken JSON"),
            ("hello", "it is not JSON"),
        ];
        for (body, expected) in table {
            assert_eq!(
                parse(body.as_bytes()),
                Err(format!("not a discovery document: {expected}")),
                "{body}"
            );
        }
        assert!(parse(b"{}").unwrap().is_empty());
        assert!(parse(format!("{{\"a\":{}}}", "[".repeat(100_000)).as_bytes()).is_err());
    }

    #[test]
    fn too_many_services_are_an_error() {
        let entries: Vec<_> = (0..300).map(|n| format!("\"s{n}\":{{\"uri\":\"u\"}}")).collect();
        assert!(parse(format!("{{{}}}", entries.join(",")).as_bytes()).unwrap_err().contains("300 services"));
        let entries: Vec<_> = (0..1025).map(|n| format!("\"s{n}\":0")).collect();
        assert!(parse(format!("{{{}}}", entries.join(",")).as_bytes()).unwrap_err().contains("1025 entries"));
    }

    #[test]
    fn invalid_entries_are_ignored() {
        let long = "u".repeat(LONGEST_URI + 1);
        let body = format!(
            r#"{{"a":{{"uri":"{long}"}},"b":{{"uri":"b","registryUri":"{long}"}},"c":{{"uri":"1","uri":"2"}},"d":["d"]}}"#
        );
        let services = parse(body.as_bytes()).unwrap();
        assert!(services.is_empty(), "{services:?}");
        let reasons: Vec<_> = services.skipped().iter().filter_map(|line| line.split_once(": ")).collect();
        let reasons: Vec<_> = reasons.into_iter().map(|(_, why)| why).collect();
        let long = "its URI is too long";
        assert_eq!(reasons, [long, long, "one of its keys is repeated", "not an object"]);
    }

    #[test]
    fn paths_are_appended_to_service_uris() {
        for base in ["https://h:1/a", "https://h:1/a/", "https://h:1/a//?q#f"] {
            assert_eq!(below(&Url::parse(base).unwrap(), "version").as_str(), "https://h:1/a/version");
        }
        assert_eq!(service_url("http://h", "v1/x").unwrap().as_str(), "http://h/v1/x");
        for bad in ["", "h/library", "file:///etc/passwd", "javascript:alert(1)", "hkp://h", "//u:canary@h"] {
            let error = service_url(bad, "version").unwrap_err();
            assert!(error.to_string().contains("neither http nor https"), "{error}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>) {
            let _ = parse(&body);
        }

        #[test]
        fn no_json_panics(key in "\\PC{0,12}", uri in "\\PC{0,30}", tail in "[{}\\[\\]\":,a0]{0,12}") {
            let body = serde_json::json!({ key: { "uri": uri.clone() } }).to_string();
            if let Ok(services) = parse(body.as_bytes()) {
                for (_, service) in services.iter() {
                    let _ = service_url(&service.uri, "version");
                }
            }
            let _ = parse(format!("{body}{tail}").as_bytes());
            let _ = parse(tail.as_bytes());
        }
    }
}
