//! Which services of an endpoint are up, and in which version.

use super::discovery::{Service, Services, service_url};
use crate::http::{Address, Get, HttpError, HttpErrorKind};
use crate::message::cut;
use crate::services::Client;
use crate::uri::public;
use serde::Deserialize;
use tokio::task::JoinSet;

/// How many services are asked at the same time.
const AT_ONCE: usize = 64;

/// One service in the table of `status`; name, version and address are the endpoint's own text, cut where it is
/// long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceState {
    /// The name in title case: `Library`.
    pub service: String,
    /// As the endpoint gave it, without user info.
    pub uri: String,
    /// Empty where the service is not OK, or has no version to tell.
    pub version: String,
    /// Why the service is not OK.
    pub problem: Option<HttpError>,
}

impl ServiceState {
    /// Whether the service is up.
    pub fn is_ok(&self) -> bool {
        self.problem.is_none()
    }

    /// `OK` or `N/A`.
    pub fn status(&self) -> &'static str {
        if self.is_ok() { "OK" } else { "N/A" }
    }

    /// A row from the outcome of asking for the version.
    pub fn new(name: &str, uri: &str, outcome: Result<String, HttpError>) -> Self {
        let (version, problem) = match outcome {
            Ok(version) => (version, None),
            Err(problem) => (String::new(), Some(problem)),
        };
        let version = cut(&version).into_owned();
        Self { service: title(&cut(name)), uri: cut(&public(uri)).into_owned(), version, problem }
    }
}

/// Asks all services at once for their `/version`; the rows are in the order of the names.
pub async fn check_all(http: &Client, services: &Services, endpoint: &Address) -> Vec<ServiceState> {
    let mut waiting = services.iter().map(|(name, service)| (name.to_string(), service.clone())).enumerate();
    let mut running = JoinSet::new();
    let mut rows: Vec<Option<ServiceState>> = vec![None; services.len()];
    loop {
        for (place, (name, service)) in waiting.by_ref().take(AT_ONCE - running.len()) {
            let (http, endpoint) = (http.clone(), endpoint.clone());
            running.spawn(async move { (place, check(&http, &name, &service, &endpoint).await) });
        }
        match running.join_next().await {
            Some(Ok((place, row))) => rows[place] = Some(row),
            // A task only ends like this when it panics, which is a fault of the program.
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

/// Whether a server that told no version is up all the same: it answered below 500. Most keyservers have no
/// `/version`.
fn is_up(error: &HttpError) -> bool {
    match &error.kind {
        HttpErrorKind::Status { status, .. } => *status < 500,
        HttpErrorKind::Unexpected(_) | HttpErrorKind::TooLarge(_) => true,
        _ => false,
    }
}

/// The version of the service at `uri`, which `endpoint` named and whose rules hold for it.
///
/// # Errors
///
/// When there is no answer, its status is not 200, or it names no version.
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
    parse_version(&response.body).ok_or_else(|| response.unexpected("the answer names no version"))
}

/// Whether the server is up, for one that has no `/version`: it answers below 500.
///
/// # Errors
///
/// When there is no answer, or its status is 500 or more.
pub async fn plain_check(http: &Client, to: &Address) -> Result<(), HttpError> {
    let limits = http.limits();
    let get = Get { to, login: None, accept: None, timeout: limits.version, limit: limits.json_bytes };
    match http.get(get).await {
        Ok(response) if response.status >= 500 => Err(response.failure()),
        // The page itself does not matter, nor how long it is.
        Err(HttpError { kind: HttpErrorKind::TooLarge(_), .. }) | Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The version in `{"data":{"version":…}}`, bounded; `None` where there is none.
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

/// Every word with a capital, as Go's `strings.Title` makes it.
fn title(name: &str) -> String {
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
    fn versions() {
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
    fn titles() {
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
