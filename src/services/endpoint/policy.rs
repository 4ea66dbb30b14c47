//! Two rules: when a cached discovery document serves, and which service may get a token.

use super::discovery::{self, Services};
use crate::http::{Address, HttpError, is_loopback};
use crate::services::Client;
use std::time::Duration;
use url::Url;

/// How long a copy of a discovery document serves without asking.
pub(crate) const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// How a command wants its services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// As they are now: login and status.
    Ask,
    /// A copy younger than [`FRESH`] will do, and an older one when the endpoint does not answer.
    PreferCache,
}

/// Where services come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From the endpoint: store them.
    Asked,
    /// From a copy that is young enough.
    Cached,
    /// From a copy that is too old, since the endpoint did not answer: say so in a WARNING.
    Stale(HttpError),
}

/// The services of `endpoint`, from itself or from `copy` with its age, as `freshness` allows.
///
/// # Errors
///
/// When the endpoint must be asked and its answer is a failure, or there is none and no copy either.
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

/// How well a token is kept on its way to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Verified https all the way, or this machine alone.
    None,
    /// Unverified: others on the network can read or take it. A login says so in a WARNING.
    Open,
}

/// Whether `service_uri`, which `endpoint` named, may get the endpoint's token: only over https if the
/// endpoint is a verified one; anything that it named if it is `--insecure`.
///
/// # Errors
///
/// One line that says why not.
pub(crate) fn may_get_token(endpoint: &Address, service_uri: &str) -> Result<Exposure, String> {
    let refuse = |why: &str| Err(format!("no token is sent to {}: {why}", discovery::redact(service_uri)));
    let service = match Url::parse(service_uri) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ => return refuse("this is neither an http nor an https address"),
    };
    match (endpoint.allows_insecure(), endpoint.url.scheme(), service.scheme()) {
        (true, ..) if is_loopback(&endpoint.url) && is_loopback(&service) => Ok(Exposure::None),
        (true, ..) => Ok(Exposure::Open),
        (false, "https", "https") => Ok(Exposure::None),
        (false, "https", _) => {
            refuse("over http others can read it, and the remote was not added with --insecure")
        }
        _ => refuse("its endpoint was asked over http without --insecure"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_a_token() {
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
            ("https://e", false, "http://s", "over http others can read it"),
            ("http://e", false, "https://s", "its endpoint was asked over http without --insecure"),
            ("https://e", true, "ftp://s", "neither an http nor an https address"),
            ("https://e", false, "s", "neither an http nor an https address"),
        ] {
            let answer = may_get_token(&Address::new(Url::parse(endpoint).unwrap(), insecure), service);
            let text = answer.unwrap_err();
            assert!(text.contains(reason), "{endpoint} {insecure} {service}: {text}");
        }
    }

    #[test]
    fn which_servers_are_this_machine() {
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
    fn the_reason_shows_no_password() {
        let reason =
            may_get_token(&Address::new(Url::parse("https://e").unwrap(), false), "http://u:canary@s/x?q")
                .unwrap_err();
        assert!(reason.contains("http://s/x") && !reason.contains("canary"), "{reason}");
    }
}
