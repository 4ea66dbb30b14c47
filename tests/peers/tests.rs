//! Tests of the peers themselves, without the program's own client.

use super::ca::{Ca, Identity};
use super::endpoint::{Behaviour, DISCOVERY, Endpoint, IDENTITY, TOKEN_STATUS, USER};
use super::gate::Gate;
use super::proxy::Proxy;
use super::sif::{self, Sif};
use super::wire::TICK;
use crate::skip::skipped;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

/// Sends the lines of a request head and reads to the end.
fn ask(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(format!("{head}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(endpoint: &Endpoint, path: &str) -> String {
    ask(endpoint.address(), &format!("GET {path} HTTP/1.1\r\nHost: x"))
}

#[test]
fn an_endpoint_responds_like_a_real_one() {
    let endpoint = Endpoint::http();
    assert!(endpoint.url().ends_with(&endpoint.host()));
    assert!(get(&endpoint, DISCOVERY).contains(&format!("\"uri\":\"{}/library\"", endpoint.url())));
    assert!(get(&endpoint, "/token/version").contains("v1.2.3-token"));
    assert!(get(&endpoint, "/nothing").starts_with("HTTP/1.1 404"));
    endpoint.accept_token("t1");
    let head = |path: &str| format!("GET {path} HTTP/1.1\r\nAuthorization: Bearer t1");
    assert!(ask(endpoint.address(), &head(TOKEN_STATUS)).starts_with("HTTP/1.1 200"));
    assert!(ask(endpoint.address(), &head(IDENTITY)).ends_with(USER));
    endpoint.revoke_tokens();
    assert!(ask(endpoint.address(), &head(TOKEN_STATUS)).starts_with("HTTP/1.1 401"));
    assert_eq!(endpoint.requests_for(TOKEN_STATUS)[0].header("authorization"), Some("Bearer t1"));
    assert_eq!(endpoint.connections(), 6);
    endpoint.forget();
    assert!(endpoint.requests().is_empty());
}

#[test]
fn an_endpoint_misbehaves_as_configured() {
    let endpoint = Endpoint::http();
    let slow = Duration::from_millis(60);
    endpoint.set_services(&[("libraryAPI", "https://elsewhere")]);
    assert!(get(&endpoint, DISCOVERY).ends_with(r#"{"libraryAPI":{"uri":"https://elsewhere"}}"#));
    endpoint.reset(DISCOVERY);
    assert!(get(&endpoint, DISCOVERY).contains("tokenAPI"));
    let table = [
        (Behaviour::Raw(b"nonsense".to_vec()), "nonsense"),
        (Behaviour::Json(500, "{}".into()), "HTTP/1.1 500"),
        (Behaviour::Body(200, "text/html", "<p>".into()), "HTTP/1.1 200"),
        (Behaviour::Redirect(301, "/y".into()), "HTTP/1.1 301"),
        (Behaviour::Close, ""),
    ];
    for (behaviour, expected) in table {
        endpoint.set("/x", behaviour);
        assert!(get(&endpoint, "/x?query").starts_with(expected), "{expected}");
    }
    for behaviour in [Behaviour::Silent, Behaviour::Drip(slow), Behaviour::Endless] {
        endpoint.set("/x", behaviour);
        let mut stream = TcpStream::connect(endpoint.address()).unwrap();
        stream.set_read_timeout(Some(slow)).unwrap();
        stream.write_all(b"GET /x HTTP/1.1\r\n\r\n").unwrap();
        let _ = stream.read(&mut [0; 100]);
    }
    endpoint.keep_alive();
    assert!(get(&Endpoint::http(), "/library/version").contains("Connection: close"));
}

#[test]
fn responses_wait_at_a_gate() {
    let endpoint = Endpoint::http();
    for (gate, for_all) in [(Gate::closed(), false), (Gate::for_all(2), true)] {
        endpoint.forget();
        endpoint.set("/x", Behaviour::Held(gate.clone()));
        std::thread::scope(|scope| {
            let first = scope.spawn(|| get(&endpoint, "/x"));
            while endpoint.requests().is_empty() {
                std::thread::sleep(TICK);
            }
            std::thread::sleep(2 * TICK);
            assert!(!first.is_finished());
            if for_all {
                assert!(get(&endpoint, "/x").starts_with("HTTP/1.1 404"));
            } else {
                gate.open();
            }
            assert!(first.join().unwrap().starts_with("HTTP/1.1 404"));
        });
    }
}

#[test]
fn certificates_are_written_as_pem() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, path) = (Ca::generate(), dir.path().join("ca.pem"));
    ca.write(&path);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), ca.pem());
    Identity::self_signed(true).write(&path);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    for identity in [ca.identity(), ca.identity_for("x.test"), ca.expired(), ca.not_yet_valid()] {
        assert!(Endpoint::https(identity).url().starts_with("https://127.0.0.1:"));
    }
    if Endpoint::has_ipv6() {
        assert!(
            Endpoint::start("::1", Some(Identity::self_signed(false))).url().starts_with("https://[::1]:")
        );
    }
}

#[test]
fn a_proxy_records_its_requests() {
    let endpoint = Endpoint::http();
    let proxy = Proxy::start(endpoint.address(), Some("Basic x"));
    let address = proxy.host().parse().unwrap();
    assert!(ask(address, "GET http://h.test/a HTTP/1.1").starts_with("HTTP/1.1 407"));
    let head = "GET http://h.test/library/version HTTP/1.1\r\nProxy-Authorization: Basic x";
    assert!(ask(address, head).contains("v1.2.3-library"));
    assert_eq!(proxy.requests()[1].path, "http://h.test/library/version");
    assert_eq!(endpoint.requests()[0].path, "/library/version");
}

/// The key of an invalid signature.
const FINGERPRINT: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

#[test]
fn a_written_sif_file_is_understood_by_siftool() {
    let (dir, definition) = (tempfile::tempdir().unwrap(), b"bootstrap: scratch\n");
    let plain = Sif::new("arm64").filled(10_000).object(sif::DEFINITION, "definition", definition);
    let siftool = |what: &str, more: &[&str]| {
        let output = Command::new("siftool").arg(what).args(more).arg(dir.path().join("x.sif")).output();
        let output = output.ok()?;
        assert!(output.status.success(), "siftool {what}: {}", String::from_utf8_lossy(&output.stderr));
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for (image, objects) in [(plain.clone(), 2), (plain.signed(FINGERPRINT), 3)] {
        image.write(&dir.path().join("x.sif"));
        let Some(header) = siftool("header", &[]) else {
            return skipped("needs a tool: siftool is not installed");
        };
        assert!(header.contains("arm64"), "{header}");
        let list = siftool("list", &[]).unwrap();
        assert!(list.contains("FS (Squashfs/*System/arm64)"), "{list}");
        assert_eq!(list.contains("Signature (SHA-256)"), objects == 3, "{list}");
        assert_eq!(list.lines().filter(|line| line.starts_with(char::is_numeric)).count(), objects, "{list}");
        assert_eq!(siftool("dump", &["2"]).unwrap().as_bytes(), definition);
        if objects == 3 {
            let info = siftool("info", &["3"]).unwrap();
            assert!(info.replace(' ', "").to_uppercase().contains(FINGERPRINT), "{info}");
        }
    }
}

#[test]
fn a_library_inspects_sif_files() {
    let look = |image: Sif| sif::look(&image.bytes()).unwrap();
    let expected = |signed, fingerprints: &[&str]| sif::Look {
        arch: Some("riscv64"),
        signed,
        fingerprints: fingerprints.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(look(Sif::new("riscv64")), expected(false, &[]));
    assert_eq!(look(Sif::new("riscv64").signed(FINGERPRINT)), expected(true, &[FINGERPRINT]));
    assert_eq!(look(Sif::new("riscv64").signed(&"0".repeat(40))), expected(true, &[]));
    assert_eq!(look(Sif::new("unknown")).arch, None);
    assert_eq!(sif::look(b"#!/bin/sh"), None);
    let filled =
        Sif::with_partition("amd64", b"hsqs").object(sif::JSON, "j", b"{}").object(sif::GENERIC, "g", b"x");
    assert_eq!(filled.clone().filled(9_999).bytes().len(), filled.bytes().len() + 8_192);
}
