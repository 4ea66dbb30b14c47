//! Which services of an endpoint are up, and their versions.

use super::discovery::{Service, Services, service_url};
use crate::http::{Address, Get, HttpError, HttpErrorKind};
use crate::message::cut;
use crate::services::Client;
use crate::uri::public;
use serde::Deserialize;
use tokio::task::JoinSet;

/// The maximum number of concurrent requests.
const AT_ONCE: usize = 64;

/// One service in the table of `status`. Name, version and URI are the endpoint's own text; long ones are truncated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceState {
    /// The name in title case: `Library`.
    pub service: String,
    /// As the endpoint gave it, but without user info.
    pub uri: String,
    /// Empty if the service is not OK or reports no version.
    pub version: String,
    /// Why the service is not OK.
    pub problem: Option<HttpError>,
}

impl ServiceState {
    pub fn is_ok(&self) -> bool {
        self.problem.is_none()
    }

    /// `OK` or `N/A`.
    pub fn status(&self) -> &'static str {
        if self.is_ok() { "OK" } else { "N/A" }
    }

    /// Creates a row from the result of the version request.
    pub fn new(name: &str, uri: &str, outcome: Result<String, HttpError>) -> Self {
        let (version, problem) = match outcome {
            Ok(version) => (version, None),
            Err(problem) => (String::new(), Some(problem)),
        };
        let version = cut(&version).into_owned();
        Self { service: title(&cut(name)), uri: cut(&public(uri)).into_owned(), version, problem }
    }
}

/// Queries `/version` of all services at the same time. The rows are sorted by service name; `arrived` gets the index
/// of each as soon as it is known.
pub async fn check_all(
    http: &Client,
    services: &Services,
    endpoint: &Address,
    arrived: impl Fn(usize, &ServiceState),
) -> Vec<ServiceState> {
    let mut waiting = services.iter().map(|(name, service)| (name.to_string(), service.clone())).enumerate();
    let mut running = JoinSet::new();
    let mut rows: Vec<Option<ServiceState>> = vec![None; services.len()];
    loop {
        for (place, (name, service)) in waiting.by_ref().take(AT_ONCE - running.len()) {
            let (http, endpoint) = (http.clone(), endpoint.clone());
            running.spawn(async move { (place, check(&http, &name, &service, &endpoint).await) });
        }
        match running.join_next().await {
            Some(Ok((place, row))) => {
                arrived(place, &row);
                rows[place] = Some(row);
            }
            // A task fails only if it panics, which is a bug.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => return rows.into_iter().flatten().collect(),
        }
    }
}

async fn check(http: &Client, name: &str, service: &Service, endpoint: &Address) -> ServiceState {
    let outcome = match version(http, &service.uri, endpoint).await {
        Err(error) if name == "keyserver" && is_up(&error) => Ok(String::new()),
        outcome => outcome,
    };
    ServiceState::new(name, &service.uri, outcome)
}

/// Whether a server that reported no version is still up: it responded with a status below 500. Most keyservers have no
/// `/version`.
fn is_up(error: &HttpError) -> bool {
    match &error.kind {
        HttpErrorKind::Status { status, .. } => *status < 500,
        HttpErrorKind::Unexpected(_) | HttpErrorKind::TooLarge(_) => true,
        _ => false,
    }
}

/// The version of the service at `uri`, which is a service of `endpoint`. The request uses the `insecure` setting of
/// `endpoint`.
///
/// # Errors
///
/// No response, a status other than 200, or a response without a version.
pub async fn version(http: &Client, uri: &str, endpoint: &Address) -> Result<String, HttpError> {
    let limits = http.limits();
    let to = endpoint.at(service_url(uri, "version")?);
    let get = Get {
        to: &to,
        login: None,
        accept: Some("application/json"),
        timeout: limits.version,
        limit: limits.version_bytes,
    };
    let response = http.get(get).await?.ok()?;
    parse_version(&response.body).ok_or_else(|| response.unexpected("the response contains no version"))
}

/// Checks whether a server without a `/version` is up: it responds with a status below 500.
///
/// # Errors
///
/// No response, or a status of 500 or more.
pub async fn plain_check(http: &Client, to: &Address) -> Result<(), HttpError> {
    let limits = http.limits();
    let get = Get { to, login: None, accept: None, timeout: limits.version, limit: limits.json_bytes };
    match http.get(get).await {
        Ok(response) if response.status >= 500 => Err(response.failure()),
        // The content and the length of the page do not matter.
        Err(HttpError { kind: HttpErrorKind::TooLarge(_), .. }) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The version in `{"data":{"version":…}}`, truncated if it is long; `None` if there is none.
pub fn parse_version(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Envelope {
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        version: String,
    }
    let Envelope { data: Data { version } } = serde_json::from_slice(body).ok()?;
    Some(cut(&version).into_owned())
}

/// Capitalizes every word, like Go's `strings.Title`.
pub fn title(name: &str) -> String {
    let mut inside = false;
    let capital = |c: char| {
        let first = !std::mem::replace(&mut inside, c.is_alphanumeric() || c == '_');
        if first { c.to_uppercase().next().unwrap_or(c) } else { c }
    };
    name.chars().map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_are_parsed() {
        assert_eq!(
            parse_version(br#"{"data":{"version":"v1.2.3","apiVersion":"2"}}"#).as_deref(),
            Some("v1.2.3")
        );
        for bad in
            ["", "[]", "{}", "null", r#"{"version":"1"}"#, r#"{"data":null}"#, r#"{"data":{"version":1}}"#]
        {
            assert_eq!(parse_version(bad.as_bytes()), None, "{bad}");
        }
        let long = format!(r#"{{"data":{{"version":"{}"}}}}"#, "ä".repeat(1000));
        assert_eq!(parse_version(long.as_bytes()).unwrap().chars().count(), crate::message::LONGEST + 1);
    }

    #[test]
    fn every_word_is_capitalized() {
        for (name, expected) in
            [("library", "Library"), ("my-own", "My-Own"), ("a_b c", "A_b C"), ("", ""), ("éa", "Éa")]
        {
            assert_eq!(title(name), expected);
        }
    }

    proptest! {
        #[test]
        fn no_version_panics(body: Vec<u8>, version in "\\PC{0,100}", name in "\\PC{0,10}") {
            parse_version(&body);
            parse_version(serde_json::json!({"data": {"version": version}}).to_string().as_bytes());
            title(&name);
        }
    }
}
