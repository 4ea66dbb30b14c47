//! TLS: which certificates are accepted, and the errors for the others.

use super::*;
use crate::http::{HttpErrorKind, error::Tls};
use crate::peers::ca::{Ca, Identity};
use std::path::Path;

fn trusting(path: &Path) -> Http {
    with(Settings { ca_files: vec![path.into()], ..settings() }, PATIENT)
}

fn problem(http: &Http, endpoint: &Endpoint) -> Tls {
    match get(http, &endpoint.url(), "/library/version").err().map(|error| error.kind) {
        Some(HttpErrorKind::Tls(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_private_authority_can_be_configured_in_three_ways() {
    let (ca, dir) = (Ca::generate(), tempfile::tempdir().unwrap());
    let endpoint = Endpoint::https(ca.identity());
    let file = dir.path().join("ca.pem");
    ca.write(&file);
    let ways = [
        Settings { ca_files: vec![file.clone()], ..settings() },
        Settings { cert_file: Some(file.clone()), ..settings() },
        Settings { cert_dirs: Some(vec!["/nonexistent".into(), dir.path().into()]), ..settings() },
    ];
    for settings in ways {
        let http = with(settings, PATIENT);
        assert_eq!(get(&http, &endpoint.url(), "/library/version").unwrap().status, 200);
        let by_name = endpoint.url().replace("127.0.0.1", "localhost");
        assert_eq!(get(&http, &by_name, "/library/version").unwrap().status, 200);
    }
}

#[test]
fn an_authority_that_is_not_in_the_system_is_unknown() {
    let endpoint = Endpoint::https(Ca::generate().identity());
    let system = with(Settings::default(), PATIENT);
    assert_eq!(problem(&system, &endpoint), Tls::UnknownIssuer);
    assert_eq!(problem(&http(), &endpoint), Tls::UnknownIssuer);
    let error = get(&http(), &endpoint.url(), "/x").err().unwrap();
    assert!(error.hint().unwrap().contains("--ca-file") && !error.is_no_answer());
    assert!(endpoint.requests().is_empty());
}

#[test]
fn expired_future_and_misnamed_certificates_are_rejected() {
    let (ca, dir) = (Ca::generate(), tempfile::tempdir().unwrap());
    let file = dir.path().join("ca.pem");
    ca.write(&file);
    let http = trusting(&file);
    let table = [
        (ca.expired(), Tls::Expired, "the server's certificate has expired"),
        (ca.not_yet_valid(), Tls::NotYetValid, "the server's certificate is not valid yet"),
        (
            ca.identity_for("other.example"),
            Tls::WrongName,
            "the server's certificate is for a different host name",
        ),
    ];
    for (identity, expected, words) in table {
        let endpoint = Endpoint::https(identity);
        assert_eq!(problem(&http, &endpoint), expected);
        assert_eq!(error_of(get(&http, &endpoint.url(), "/x")), format!("{}/x: {words}", endpoint.url()));
        let anyway = Ask { base: &endpoint.url(), path: "/library/version", token: None, insecure: true };
        assert_eq!(anyway.by(&http).unwrap().status, 200);
    }
}

#[test]
fn self_signed_certificates_are_accepted_only_if_trusted() {
    let dir = tempfile::tempdir().unwrap();
    for authority in [false, true] {
        let (identity, file) = (Identity::self_signed(authority), dir.path().join("own.pem"));
        identity.write(&file);
        let endpoint = Endpoint::https(identity);
        assert_eq!(problem(&http(), &endpoint), Tls::UnknownIssuer, "authority {authority}");
        assert_eq!(get(&trusting(&file), &endpoint.url(), "/library/version").unwrap().status, 200);
        let other = Endpoint::https(Identity::self_signed(authority));
        assert_eq!(problem(&trusting(&file), &other), Tls::UnknownIssuer, "authority {authority}");
        let misnamed = Identity::self_signed(authority);
        misnamed.write(&file);
        let elsewhere = Endpoint::start("127.0.0.2", Some(misnamed));
        assert_eq!(problem(&trusting(&file), &elsewhere), Tls::WrongName, "authority {authority}");
    }
}

#[test]
fn a_trusted_self_signed_certificate_can_expire() {
    let (identity, dir) = (Identity::expired_authority(), tempfile::tempdir().unwrap());
    let file = dir.path().join("own.pem");
    identity.write(&file);
    let endpoint = Endpoint::https(identity);
    assert_eq!(problem(&trusting(&file), &endpoint), Tls::Expired);
    assert!(endpoint.requests().is_empty());
}

#[test]
fn a_server_that_requires_a_client_certificate_is_an_error() {
    let (ca, dir) = (Ca::generate(), tempfile::tempdir().unwrap());
    let file = dir.path().join("ca.pem");
    ca.write(&file);
    let endpoint = Endpoint::https(ca.identity().for_clients_of(&ca));
    let text = error_of(get(&trusting(&file), &endpoint.url(), "/x"));
    assert!(
        text.ends_with("/x: the server requires a client certificate, which is not supported yet"),
        "{text}"
    );
    assert!(endpoint.requests().is_empty());
}

#[test]
fn invalid_certificate_files_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("junk.pem");
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n").unwrap();
    let endpoint = Endpoint::https(Ca::generate().identity());
    let missing = dir.path().join("missing.pem");
    let (pipe, large) = (dir.path().join("pipe"), dir.path().join("large"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::create_dir(&large).unwrap();
    let too_large = large.join("zeros.crt");
    std::fs::File::create(&too_large).unwrap().set_len((16 << 20) + 1).unwrap();
    let table = [
        (Settings { ca_files: vec![file.clone()], ..settings() }, "--ca-file", "contains no PEM certificate"),
        (
            Settings { cert_file: Some(file.clone()), ..settings() },
            "SSL_CERT_FILE",
            "contains no PEM certificate",
        ),
        (Settings { ca_files: vec![missing.clone()], ..settings() }, "--ca-file", "no such file"),
        (Settings { cert_file: Some(dir.path().into()), ..settings() }, "SSL_CERT_FILE", "is a directory"),
        (Settings { cert_dirs: Some(vec![missing]), ..settings() }, "SSL_CERT_DIR", "no such directory"),
        (Settings { ca_files: vec!["/dev/zero".into()], ..settings() }, "--ca-file", "not a regular file"),
        (Settings { ca_files: vec!["/dev/null".into()], ..settings() }, "--ca-file", "not a regular file"),
        (Settings { cert_file: Some("/dev/zero".into()), ..settings() }, "/dev/zero", "not a regular file"),
        (Settings { cert_file: Some(pipe.clone()), ..settings() }, "SSL_CERT_FILE", "not a regular file"),
        (Settings { ca_files: vec![pipe], ..settings() }, "--ca-file", "not a regular file"),
        (Settings { ca_files: vec![too_large.clone()], ..settings() }, "--ca-file", "larger than 16 MiB"),
        (Settings { cert_file: Some(too_large), ..settings() }, "SSL_CERT_FILE", "larger than 16 MiB"),
        (
            Settings { cert_dirs: Some(vec![large.clone()]), ..settings() },
            "SSL_CERT_DIR",
            "larger than 16 MiB",
        ),
        (Settings { cert_directories: vec![large], ..settings() }, "zeros.crt", "larger than 16 MiB"),
    ];
    for (settings, by, what) in table {
        let http = with(settings, PATIENT);
        let text = error_of(get(&http, &endpoint.url(), "/x"));
        assert!(text.contains(by) && text.contains(what), "{text}");
        // Without TLS none of the files is read.
        assert_eq!(get(&http, &Endpoint::http().url(), "/library/version").unwrap().status, 200);
    }
}

#[test]
fn https_to_an_http_server_and_the_reverse_are_errors() {
    let plain = Endpoint::http();
    let text = error_of(get(&http(), &plain.url().replace("http", "https"), "/x"));
    assert!(text.contains("the server does not support https"), "{text}");
    let tls = Endpoint::https(Ca::generate().identity());
    assert!(get(&http(), &tls.url().replace("https", "http"), "/x").is_err());
}

#[test]
fn ipv6_works() {
    if Endpoint::has_ipv6() {
        let (ca, dir) = (Ca::generate(), tempfile::tempdir().unwrap());
        let file = dir.path().join("ca.pem");
        ca.write(&file);
        let endpoint = Endpoint::start("::1", Some(ca.identity()));
        assert_eq!(get(&trusting(&file), &endpoint.url(), "/library/version").unwrap().status, 200);
    }
}
