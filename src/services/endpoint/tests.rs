//! Tests of the requests to an endpoint and its services, with local servers.

use crate::http::tests::*;
use crate::http::{Address, HttpError, HttpErrorKind};
use crate::peers::endpoint::Endpoint;
use crate::peers::endpoint::{Behaviour, DISCOVERY, IDENTITY, TOKEN_STATUS};
use crate::peers::gate::Gate;
use crate::runtime::block_on;
use crate::services::endpoint::account::{Account, TokenVerdict, identity, token_status};
use crate::services::endpoint::discovery::Service;
use crate::services::endpoint::discovery::{Services, fetch};
use crate::services::endpoint::health::{check_all, plain_check};
use crate::services::endpoint::policy::{FRESH, Freshness, Origin, obtain};
use crate::services::{Client, Limits};
use std::time::Duration;

fn with(time: Duration) -> Client {
    let limits = Limits {
        connect: PATIENT,
        discovery: time,
        token: time,
        identity: time,
        version: time,
        keyserver: time,
        listing: time,
        helper: time,
        library: time,
        pace: PATIENT,
        pause: Duration::from_millis(10),
        discovery_bytes: 20_000,
        version_bytes: 1 << 16,
        json_bytes: 10_000,
        library_bytes: 100_000,
        error_bytes: 2_000,
    };
    Client::new(settings(), limits)
}

fn http() -> Client {
    with(PATIENT)
}

/// The address of an endpoint that was added with `--insecure`.
fn open(endpoint: &Endpoint) -> Address {
    Address::new(url(&endpoint.url()), true)
}

/// An endpoint that allows insecure services. No request is sent to the endpoint itself.
fn anywhere() -> Address {
    Address::new(url("http://endpoint.invalid"), true)
}

fn discover(endpoint: &Endpoint) -> Result<Services, HttpError> {
    block_on(fetch(&http(), &open(endpoint))).unwrap()
}

fn verdict(http: &Client, endpoint: &Endpoint) -> Result<TokenVerdict, HttpError> {
    block_on(token_status(http, &format!("{}/token/", endpoint.url()), &open(endpoint), &token())).unwrap()
}

fn account(endpoint: &Endpoint) -> Result<Account, HttpError> {
    block_on(identity(&http(), &format!("{}/library", endpoint.url()), &open(endpoint), Some(&token())))
        .unwrap()
}

#[test]
fn services_are_discovered() {
    let endpoint = Endpoint::http();
    let services = discover(&endpoint).unwrap();
    let names: Vec<_> = services.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["builder", "consent", "keyserver", "library", "token"]);
    assert_eq!(services.get("token").unwrap().uri, format!("{}/token", endpoint.url()));
    let below = url(&format!("{}/path/", endpoint.url()));
    endpoint.set(&format!("/path{DISCOVERY}"), Behaviour::Json(200, "{}".into()));
    assert!(block_on(fetch(&http(), &Address::new(below, true))).unwrap().unwrap().is_empty());
}

#[test]
fn failed_discovery_is_an_error() {
    let endpoint = Endpoint::http();
    let json = |status, body: &str| Behaviour::Json(status, body.into());
    let table = [
        (json(204, ""), "204 No Content"),
        (json(401, ""), "401 Unauthorized"),
        (json(404, r#"{"message":"gone"}"#), "404 Not Found: gone"),
        (json(500, "<html>"), "500 Internal Server Error"),
        (json(200, "[]"), "not a discovery document: it is a list"),
        (json(200, ""), "not a discovery document: it is empty"),
        (Behaviour::Body(200, "text/html", "<html>".into()), "not a discovery document: it is an HTML page"),
        (Behaviour::Endless, "the response is longer than 20000 bytes"),
    ];
    for (behaviour, expected) in table {
        endpoint.set(DISCOVERY, behaviour);
        assert_eq!(error_of(discover(&endpoint)), format!("{}{DISCOVERY}: {expected}", endpoint.url()));
    }
}

#[test]
fn a_copy_is_used_while_fresh_or_if_the_endpoint_does_not_respond() {
    let endpoint = Endpoint::http();
    let copy: Services =
        [("library", Service { uri: "copy".into(), registry_uri: None })].into_iter().collect();
    let (young, old) = (FRESH / 2, FRESH * 2);
    let get = |freshness, age| {
        block_on(obtain(&http(), &open(&endpoint), Some((copy.clone(), age)), freshness)).unwrap()
    };
    assert_eq!(get(Freshness::PreferCache, young).unwrap(), (copy.clone(), Origin::Cached));
    assert!(endpoint.requests().is_empty());
    let day = Duration::from_secs(86_400);
    assert_eq!(get(Freshness::PreferCache, day - Duration::from_secs(1)).unwrap().1, Origin::Cached);
    assert_eq!(get(Freshness::PreferCache, day).unwrap().1, Origin::Asked);
    assert_eq!(get(Freshness::PreferCache, old).unwrap().1, Origin::Asked);
    assert_eq!(get(Freshness::Ask, young).unwrap().0.len(), 5);
    endpoint.set(DISCOVERY, Behaviour::Close);
    let (services, origin) = get(Freshness::PreferCache, old).unwrap();
    assert_eq!(services, copy);
    assert!(matches!(origin, Origin::Stale(error) if error.is_no_answer()));
    assert!(get(Freshness::Ask, young).is_err());
    endpoint.set(DISCOVERY, Behaviour::Json(404, String::new()));
    assert!(get(Freshness::PreferCache, old).is_err(), "an endpoint that returns 404 has responded");
}

#[test]
fn a_token_is_checked() {
    let endpoint = Endpoint::http();
    endpoint.accept_token("canary-token");
    assert_eq!(verdict(&http(), &endpoint), Ok(TokenVerdict::Valid));
    for status in [401, 403, 404, 406] {
        endpoint.set(TOKEN_STATUS, Behaviour::Json(status, r#"{"error":{"message":"who?"}}"#.into()));
        match verdict(&http(), &endpoint).unwrap() {
            TokenVerdict::Invalid(error) => {
                assert_eq!(error.status(), Some(status));
                assert!(error_of(Err::<(), _>(error)).contains("who?"));
            }
            TokenVerdict::Valid => panic!("{status}"),
        }
    }
    for status in [201, 204, 400, 418, 429, 500, 503] {
        endpoint.set(TOKEN_STATUS, Behaviour::Json(status, String::new()));
        assert_eq!(verdict(&http(), &endpoint).unwrap_err().status(), Some(status));
    }
    endpoint.set(TOKEN_STATUS, Behaviour::Silent);
    assert_eq!(verdict(&with(SHORT), &endpoint).unwrap_err().kind, HttpErrorKind::Timeout(SHORT));
}

#[test]
fn redirects_to_other_servers_are_not_trusted() {
    let (endpoint, abroad) = (Endpoint::http(), Endpoint::http());
    abroad.set("/login", Behaviour::Json(200, r#"{"username":"mallory"}"#.into()));
    for path in [TOKEN_STATUS, IDENTITY] {
        endpoint.set(path, Behaviour::Redirect(302, format!("{}/login", abroad.url())));
    }
    assert!(matches!(verdict(&http(), &endpoint).unwrap_err().kind, HttpErrorKind::Redirect(_)));
    assert!(matches!(account(&endpoint).unwrap_err().kind, HttpErrorKind::Redirect(_)));
    assert_eq!(tokens_seen(&abroad, "/login"), [None, None]);
}

#[test]
fn the_user_of_a_token_is_read() {
    let endpoint = Endpoint::http();
    assert_eq!(account(&endpoint).unwrap_err().status(), Some(401));
    endpoint.accept_token("canary-token");
    let account_found = account(&endpoint).unwrap();
    assert_eq!((account_found.username.as_str(), account_found.email.as_str()), ("ada", "ada@example.com"));
    assert_eq!(account_found.oci_secret.unwrap().expose(), "oci-canary");
    for body in ["<html>canary", "[]", r#"{"oidc_user_meta":"canary"}"#] {
        endpoint.set(IDENTITY, Behaviour::Json(200, body.into()));
        assert!(error_of(account(&endpoint)).ends_with("the response does not describe a user"));
    }
}

#[test]
fn all_services_are_queried_concurrently() {
    let endpoint = Endpoint::http();
    // No request is answered before all have arrived.
    let gate = Gate::for_all(5);
    for service in ["library", "keystore", "token", "builder", "consent"] {
        endpoint.set(&format!("/{service}/version"), Behaviour::Held(gate.clone()));
    }
    let services = discover(&endpoint).unwrap();
    let rows = block_on(check_all(&http(), &services, &anywhere(), |_, _| ())).unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.service.as_str()).collect();
    assert_eq!(names, ["Builder", "Consent", "Keyserver", "Library", "Token"]);
    assert!(rows.iter().all(|row| row.status() == "OK"));
    assert_eq!(rows[2].version, "v1.2.3-keystore");
}

#[test]
fn services_that_are_down_have_a_reason() {
    let endpoint = Endpoint::http();
    endpoint.set("/silent/version", Behaviour::Silent);
    endpoint.set("/html/version", Behaviour::Body(200, "text/html", "<p>".into()));
    endpoint.set("/broken/version", Behaviour::Json(503, r#"{"message":"later"}"#.into()));
    let uri = |path: &str| Service { uri: format!("{}/{path}", endpoint.url()), registry_uri: None };
    let odd = Service { uri: "ftp://h".into(), registry_uri: None };
    let services: Services = [
        ("ok", uri("ok/")),
        ("silent", uri("silent")),
        ("html", uri("html")),
        ("broken", uri("broken")),
        ("odd", odd),
    ]
    .into_iter()
    .collect();
    let http = with(Duration::from_millis(1500));
    let rows = block_on(check_all(&http, &services, &anywhere(), |_, _| ())).unwrap();
    let problems: Vec<_> = rows
        .iter()
        .map(|row| (row.status(), row.problem.as_ref().map(|p| p.kind.to_string()).unwrap_or_default()))
        .collect();
    assert_eq!(problems[0], ("N/A", "503 Service Unavailable: later".into()));
    assert_eq!(problems[1], ("N/A", "the response contains no version".into()));
    assert!(problems[2].1.contains("neither http nor https"));
    assert_eq!(problems[3], ("OK", String::new()));
    assert_eq!(problems[4], ("N/A", "timed out after 1.5 s".into()));
    // A trailing slash in the URI is not doubled.
    assert_eq!(endpoint.requests_for("/ok/version").len(), 1);
    assert_eq!(rows[3].uri, uri("ok/").uri);
}

#[test]
fn many_services_are_queried_in_batches() {
    let endpoint = Endpoint::http();
    let service = Service { uri: format!("{}/s", endpoint.url()), registry_uri: None };
    let services: Services = (0..150).map(|n| (format!("s{n:03}"), service.clone())).collect();
    let rows = block_on(check_all(&http(), &services, &anywhere(), |_, _| ())).unwrap();
    assert_eq!(rows.len(), 150);
    assert!(rows.iter().all(|row| row.is_ok()) && rows.is_sorted_by_key(|row| row.service.clone()));
}

#[test]
fn a_server_without_a_version_is_checked() {
    let endpoint = Endpoint::http();
    let check = || block_on(plain_check(&http(), &open(&endpoint))).unwrap();
    for behaviour in
        [Behaviour::Json(404, String::new()), Behaviour::Json(200, String::new()), Behaviour::Endless]
    {
        endpoint.set("/", behaviour);
        assert_eq!(check(), Ok(()));
    }
    endpoint.set("/", Behaviour::Json(502, String::new()));
    assert_eq!(check().unwrap_err().status(), Some(502));
    endpoint.set("/", Behaviour::Close);
    assert!(check().is_err());
}
