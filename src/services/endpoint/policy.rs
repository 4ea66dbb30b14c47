//! Two rules: when a cached discovery document is used, and which services may get a token.

use super::discovery::{self, Services};
use crate::http::{Address, HttpError, is_loopback};
use crate::services::Client;
use std::time::Duration;
use url::Url;

/// How long a cached discovery document is used without a request.
pub(crate) const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether a command accepts cached services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Always send a request: for login and status.
    Ask,
    /// Use a copy younger than [`FRESH`], or an older one if the endpoint does not respond.
    PreferCache,
}

/// Where services come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From the endpoint. The caller stores them in the cache.
    Asked,
    /// From a fresh copy.
    Cached,
    /// From an old copy, because the endpoint did not respond. The caller prints a WARNING.
    Stale(HttpError),
}

/// The services of `endpoint`, from the endpoint or from `copy` (with its age), as `freshness` allows.
///
/// # Errors
///
/// A request was needed and failed. If there was no response, an old copy is used instead.
pub(crate) async fn obtain(
    http: &Client,
    endpoint: &Address,
    copy: Option<(Services, Duration)>,
    freshness: Freshness,
) -> Result<(Services, Origin), HttpError> {
    let copy = copy.filter(|_| freshness == Freshness::PreferCache);
    let stale = match copy {
        Some((services, age)) if age < FRESH => return Ok((services, Origin::Cached)),
        copy => copy.map(|(services, _)| services),
    };
    match (discovery::fetch(http, endpoint).await, stale) {
        (Ok(services), _) => Ok((services, Origin::Asked)),
        (Err(error), Some(services)) if error.is_no_answer() => Ok((services, Origin::Stale(error))),
        (Err(error), _) => Err(error),
    }
}

/// How exposed a token is in transit to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Verified https, or loopback.
    None,
    /// Plain http or unverified https: others on the network can read the token. A login prints a WARNING.
    Open,
}

/// Whether the service at `service_uri`, which `endpoint` gave, may get the endpoint's token. If the endpoint is
/// `--insecure`, any service may. Otherwise both the endpoint and the service must use https.
///
/// # Errors
///
/// One line that says why not.
pub(crate) fn may_get_token(endpoint: &Address, service_uri: &str) -> Result<Exposure, String> {
    let refuse =
        |why: &str| Err(format!("refusing to send the token to {}: {why}", discovery::redact(service_uri)));
    let service = match Url::parse(service_uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => return refuse("it is neither an http nor an https URL"),
    };
    match (endpoint.allows_insecure(), endpoint.url.scheme(), service.scheme()) {
        (true, ..) if is_loopback(&endpoint.url) && is_loopback(&service) => Ok(Exposure::None),
        (true, ..) => Ok(Exposure::Open),
        (false, "https", "https") => Ok(Exposure::None),
        (false, "https", _) => refuse("it uses plain http, and the remote was not added with --insecure"),
        _ => refuse("its endpoint uses plain http without --insecure"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_sent_only_to_allowed_services() {
        let refused: Option<Exposure> = None;
        let table = [
            ("https://e", false, "https://s", Some(Exposure::None)),
            ("https://e", false, "http://s", refused),
            ("https://127.0.0.1", false, "http://127.0.0.1", refused),
            ("http://e", false, "https://s", refused),
            ("http://e", true, "http://s", Some(Exposure::Open)),
            ("http://e", true, "https://s", Some(Exposure::Open)),
            ("https://e", true, "https://e", Some(Exposure::Open)),
            ("http://127.0.0.1:80", true, "http://localhost:81", Some(Exposure::None)),
            ("http://[::1]", true, "http://[::1]/x", Some(Exposure::None)),
            ("http://127.0.0.1", true, "http://elsewhere", Some(Exposure::Open)),
            ("http://127.0.0.1", true, "http://evil-localhost", Some(Exposure::Open)),
            ("http://127.0.0.1", true, "http://localhost.evil.test", Some(Exposure::Open)),
            ("http://evil-localhost", true, "http://127.0.0.1", Some(Exposure::Open)),
            ("https://e", true, "ftp://e", refused),
            ("https://e", true, "s/library", refused),
            ("https://e", false, "", refused),
        ];
        for (endpoint, insecure, service, expected) in table {
            let answer = may_get_token(&Address::new(Url::parse(endpoint).unwrap(), insecure), service);
            assert_eq!(answer.ok(), expected, "{endpoint} {insecure} {service}");
        }
    }

    #[test]
    fn each_refusal_has_its_reason() {
        for (endpoint, insecure, service, reason) in [
            ("https://e", false, "http://s", "it uses plain http"),
            ("http://e", false, "https://s", "its endpoint uses plain http without --insecure"),
            ("https://e", true, "ftp://s", "neither an http nor an https URL"),
            ("https://e", false, "s", "neither an http nor an https URL"),
        ] {
            let answer = may_get_token(&Address::new(Url::parse(endpoint).unwrap(), insecure), service);
            let text = answer.unwrap_err();
            assert!(text.contains(reason), "{endpoint} {insecure} {service}: {text}");
        }
    }

    #[test]
    fn loopback_urls_are_recognized() {
        for (url, expected) in [
            ("http://localhost", true),
            ("http://LOCALHOST:81/x", true),
            ("http://127.0.0.1", true),
            ("http://127.255.0.9", true),
            ("http://[::1]", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://evil-localhost", false),
            ("http://evil.localhost", false),
            ("http://localhost.evil.test", false),
            ("http://localhosts", false),
            ("http://128.0.0.1", false),
            ("http://0.0.0.0", false),
            ("http://[::2]", false),
            ("http://[::ffff:128.0.0.1]", false),
            ("file:///localhost", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn errors_contain_no_password() {
        let reason =
            may_get_token(&Address::new(Url::parse("https://e").unwrap(), false), "http://u:canary@s/x?q")
                .unwrap_err();
        assert!(reason.contains("http://s/x") && !reason.contains("canary"), "{reason}");
    }
}
