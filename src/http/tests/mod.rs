//! Tests of the client with real local servers.

mod early;
mod faults;
mod proxies;
mod redirects;
mod transport;

use super::{Address, Get, Http, HttpError, Limits, Login, Response, Settings};
use crate::peers::endpoint::Endpoint;
use crate::runtime::block_on;
use crate::secret::Secret;
use std::time::Duration;
use url::Url;

/// Enough for every server that responds, even on a busy machine.
pub(crate) const PATIENT: Duration = Duration::from_secs(10);
/// For servers that do not respond.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

pub(crate) fn limits(time: Duration) -> Limits {
    Limits { connect: PATIENT, stall: time, document: 100_000, failure: 2_000 }
}

/// A client without a proxy that trusts no certificates: even the system's are not read.
pub(crate) fn http() -> Http {
    with(settings(), PATIENT)
}

pub(crate) fn impatient() -> Http {
    with(settings(), SHORT)
}

pub(crate) fn with(settings: Settings, time: Duration) -> Http {
    Http::new(settings, limits(time))
}

pub(crate) fn settings() -> Settings {
    Settings { cert_file: Some("/dev/null".into()), cert_dirs: Some(Vec::new()), ..Settings::default() }
}

pub(crate) fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

pub(crate) fn token() -> Secret {
    Secret::new("canary-token".into())
}

/// A GET request for a path below `base`.
pub(crate) struct Ask<'a> {
    pub(crate) base: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a Secret>,
    pub(crate) insecure: bool,
}

impl Ask<'_> {
    pub(crate) fn by(&self, http: &Http) -> Result<Response, HttpError> {
        let url = url(&format!("{}{}", self.base, self.path));
        let (timeout, limit) = (http.limits().stall, 10_000);
        let get = Get {
            to: &Address::new(url, self.insecure),
            login: self.token.map(Login::Bearer),
            accept: None,
            timeout,
            limit,
        };
        block_on(http.get(get)).unwrap()
    }
}

/// A GET request without a token.
pub(crate) fn get(http: &Http, base: &str, path: &str) -> Result<Response, HttpError> {
    Ask { base, path, token: None, insecure: false }.by(http)
}

/// A GET request with the token, which may be sent over http.
pub(crate) fn get_with_token(
    http: &Http,
    base: &str,
    path: &str,
    token: &Secret,
) -> Result<Response, HttpError> {
    Ask { base, path, token: Some(token), insecure: true }.by(http)
}

/// The error of a request. Checks that it does not contain the token.
pub(crate) fn error_of<T>(result: Result<T, HttpError>) -> String {
    let error = result.err().expect("this must fail");
    let text = error.to_string();
    assert!(!format!("{error:?}{text}").contains("canary"), "{text}");
    text
}

/// The `Authorization` header of every request that an endpoint received for a path.
pub(crate) fn tokens_seen(endpoint: &Endpoint, path: &str) -> Vec<Option<String>> {
    let requests = endpoint.requests_for(path);
    requests.iter().map(|request| request.header("authorization").map(str::to_string)).collect()
}

/// A label of more than 63 characters fails in the resolver itself, so no name server is queried.
pub(crate) const UNRESOLVABLE: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.test";
