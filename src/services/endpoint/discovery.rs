//! Which services an endpoint has: `assets/config/config.prod.json`.

use crate::http::{Address, Get, HttpError, HttpErrorKind, below, brief};
use crate::message::cut;
use crate::services::Client;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

/// More services than this are no endpoint's, and would all be asked by `status`.
const MOST: usize = 256;
/// More entries than this are in no endpoint's document.
const MOST_ENTRIES: usize = 1024;
/// Longest address of a service, in bytes.
const LONGEST_URI: usize = 2048;

/// A service as its endpoint names it; all text is the endpoint's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The base address, as given: usually `https://…`, but nothing has been checked. Never empty.
    pub uri: String,
    /// The OCI registry behind a library.
    pub registry_uri: Option<String>,
}

/// The services of an endpoint by name: `library`, `keyserver`, `token`, `builder`, `consent` …
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    by_name: BTreeMap<String, Service>,
    skipped: Vec<String>,
}

impl Services {
    /// The service of this name.
    pub fn get(&self, name: &str) -> Option<&Service> {
        self.by_name.get(name)
    }

    /// All services in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Service)> {
        self.by_name.iter().map(|(name, service)| (name.as_str(), service))
    }

    /// How many services there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// A document may name no service at all.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Why entries of the document are not among the services, a line each, for DEBUG.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Adds a service unless one of this name is there; says whether it was added.
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

/// Asks `endpoint` (`https://host[:port][/path]`) for its services.
///
/// # Errors
///
/// When there is no answer, its status is not 200, or it is no service document.
pub async fn fetch(http: &Client, endpoint: &Address) -> Result<Services, HttpError> {
    fetch_within(http, endpoint, http.limits().discovery).await
}

/// As [`fetch`], with another patience.
///
/// # Errors
///
/// As [`fetch`].
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

/// Reads a service document: a map whose object-valued entries with a string `uri` are services. The
/// suffix `API` of a key is cut, and `keystore` is `keyserver`.
///
/// # Errors
///
/// One line that says what the text is instead.
pub fn parse(body: &[u8]) -> Result<Services, String> {
    // A map of our own, so that the order of the keys, and with it the winner of two keys for one
    // service, does not depend on how the JSON library is built. Values stay text: a tree of them would
    // take some fifty times the memory.
    let document: BTreeMap<String, &RawValue> = serde_json::from_slice(body).map_err(|_| describe(body))?;
    if document.len() > MOST_ENTRIES {
        return Err(format!("no service document: it has {} entries", document.len()));
    }
    let mut services = Services::default();
    for (key, entry) in &document {
        let service = match read_entry(entry) {
            Ok(service) => service,
            Err(why) => {
                services.skipped.push(format!("\"{}\" is no service: {why}", cut(key)));
                continue;
            }
        };
        let name = service_name(key);
        if !services.add(name, service) {
            services.skipped.push(format!(
                "\"{0}\" is left out: \"{1}\" is there already",
                cut(key),
                cut(name)
            ));
        }
    }
    match services.len() {
        0..=MOST => Ok(services),
        more => Err(format!("no service document: it names {more} services")),
    }
}

fn service_name(key: &str) -> &str {
    match key.strip_suffix("API").unwrap_or(key) {
        "keystore" => "keyserver",
        name => name,
    }
}

/// The two values of an entry that matter, of whatever type they are.
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
    let entry: Entry = serde_json::from_str(entry).map_err(|_| "one of its keys is there twice")?;
    let text = |value: Option<&RawValue>| {
        let text: Option<String> = serde_json::from_str(value?.get()).ok();
        text.filter(|text| !text.is_empty())
    };
    let uri = text(entry.uri).ok_or("it has no uri")?;
    let registry_uri = text(entry.registry_uri);
    if uri.len().max(registry_uri.as_ref().map_or(0, String::len)) > LONGEST_URI {
        return Err("its address is too long");
    }
    Ok(Service { uri, registry_uri })
}

/// What a text that is no JSON object is.
fn describe(body: &[u8]) -> String {
    let start = body.trim_ascii_start();
    let what = match serde_json::from_slice::<IgnoredAny>(body) {
        _ if start.is_empty() => "it is empty",
        _ if start.starts_with(b"<") => "it is a page of HTML",
        Ok(_) if start.starts_with(b"[") => "it is a list",
        Ok(_) => "it is a single value",
        Err(_) if start.starts_with(b"{") => "it is broken JSON",
        Err(_) => "it is not JSON",
    };
    format!("no service document: {what}")
}

/// The address of `path` below a service.
///
/// # Errors
///
/// [`HttpErrorKind::Setup`] when the endpoint gave the service an address that is none, or of another scheme.
pub fn service_url(service_uri: &str, path: &str) -> Result<Url, HttpError> {
    match Url::parse(service_uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(below(&url, path)),
        _ => {
            let kind = HttpErrorKind::Setup(
                "the endpoint names this address, which is neither http nor https".to_string(),
            );
            Err(HttpError::at(redact(service_uri), kind))
        }
    }
}

/// An address that could not be read, without what may be user and password in it, cut where it is long.
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
    fn a_full_document() {
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
        assert!(services.skipped().contains(&"\"env\" is no service: it has no uri".to_string()));
    }

    #[test]
    fn two_keys_for_one_service() {
        let body = r#"{"keystoreAPI": {"uri": "b"}, "keyserverAPI": {"uri": "a"}, "libraryAPI": {"uri": "d"}, "library": {"uri": "c"}}"#;
        assert_eq!(named(body), [("keyserver".into(), "a".into()), ("library".into(), "c".into())]);
        assert_eq!(parse(body.as_bytes()).unwrap().skipped().len(), 2);
    }

    #[test]
    fn what_is_no_document() {
        let table = [
            ("", "it is empty"),
            (" \n", "it is empty"),
            ("<!doctype html>", "it is a page of HTML"),
            ("[]", "it is a list"),
            ("null", "it is a single value"),
            ("\"x\"", "it is a single value"),
            ("{\"a\":", "it is broken JSON"),
            ("{} {}", "it is broken JSON"),
            ("hello", "it is not JSON"),
        ];
        for (body, expected) in table {
            assert_eq!(parse(body.as_bytes()), Err(format!("no service document: {expected}")), "{body}");
        }
        assert!(parse(b"{}").unwrap().is_empty());
        assert!(parse(format!("{{\"a\":{}}}", "[".repeat(100_000)).as_bytes()).is_err());
    }

    #[test]
    fn too_many_services() {
        let entries: Vec<_> = (0..300).map(|n| format!("\"s{n}\":{{\"uri\":\"u\"}}")).collect();
        assert!(parse(format!("{{{}}}", entries.join(",")).as_bytes()).unwrap_err().contains("300 services"));
        let entries: Vec<_> = (0..1025).map(|n| format!("\"s{n}\":0")).collect();
        assert!(parse(format!("{{{}}}", entries.join(",")).as_bytes()).unwrap_err().contains("1025 entries"));
    }

    #[test]
    fn entries_that_no_endpoint_has() {
        let long = "u".repeat(LONGEST_URI + 1);
        let body = format!(
            r#"{{"a":{{"uri":"{long}"}},"b":{{"uri":"b","registryUri":"{long}"}},"c":{{"uri":"1","uri":"2"}},"d":["d"]}}"#
        );
        let services = parse(body.as_bytes()).unwrap();
        assert!(services.is_empty(), "{services:?}");
        let reasons: Vec<_> = services.skipped().iter().filter_map(|line| line.split_once(": ")).collect();
        let reasons: Vec<_> = reasons.into_iter().map(|(_, why)| why).collect();
        let long = "its address is too long";
        assert_eq!(reasons, [long, long, "one of its keys is there twice", "not an object"]);
    }

    #[test]
    fn addresses_below() {
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
