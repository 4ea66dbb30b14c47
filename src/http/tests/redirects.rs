//! Which redirects are followed, and what is sent along.

use super::*;
use crate::peers::ca::{Ca, Identity};
use crate::peers::endpoint::Behaviour;

#[test]
fn redirects_are_followed() {
    for status in [301, 302, 303, 307, 308] {
        let endpoint = Endpoint::http();
        endpoint.set("/a", Behaviour::Redirect(status, "/b/c?d".into()));
        endpoint.set("/b/c", Behaviour::Redirect(status, format!("{}/library/version", endpoint.url())));
        let response = get(&http(), &endpoint.url(), "/a").unwrap();
        assert_eq!(
            (response.status, response.url.path(), response.left_origin),
            (200, "/library/version", false)
        );
        assert_eq!(endpoint.requests()[1].path, "/b/c?d");
    }
}

#[test]
fn redirect_loops_and_endless_redirects_are_errors() {
    let endpoint = Endpoint::http();
    endpoint.set("/a", Behaviour::Redirect(301, "/b".into()));
    endpoint.set("/b", Behaviour::Redirect(301, "/a".into()));
    let text = error_of(get(&http(), &endpoint.url(), "/a"));
    assert!(text.contains("redirects in a loop, back to") && text.ends_with("/a"), "{text}");
    endpoint.set("/self", Behaviour::Redirect(302, "/self".into()));
    assert!(error_of(get(&http(), &endpoint.url(), "/self")).contains("redirects in a loop"));
    for n in 0..20 {
        endpoint.set(&format!("/{n}"), Behaviour::Redirect(302, format!("/{}", n + 1)));
    }
    endpoint.forget();
    assert!(error_of(get(&http(), &endpoint.url(), "/0")).contains("more than 10 times, now to"));
    assert_eq!(endpoint.requests().len(), 11);
    assert_eq!(get(&http(), &endpoint.url(), "/10").unwrap().status, 404);
}

#[test]
fn redirects_from_https_to_http_or_to_other_schemes_are_errors() {
    let (ca, http_endpoint) = (Ca::generate(), Endpoint::http());
    let endpoint = Endpoint::https(ca.identity());
    endpoint.set(
        "/a",
        Behaviour::Redirect(
            302,
            format!("{}/canary?canary", http_endpoint.url().replace("//", "//u:canary@")),
        ),
    );
    let ask = Ask { base: &endpoint.url(), path: "/a", token: None, insecure: true };
    let text = ask.by(&http()).err().unwrap().to_string();
    assert!(
        text.contains("redirects from https to http://127.0.0.1:") && !text.contains("u:canary"),
        "{text}"
    );
    assert!(http_endpoint.requests().is_empty());
    for (to, expected) in [
        ("file:///etc/passwd", "redirects to an unsupported address: file:///etc/passwd"),
        ("http://", "redirects to an invalid address"),
    ] {
        http_endpoint.set("/a", Behaviour::Redirect(302, to.into()));
        let text = error_of(get(&http(), &http_endpoint.url(), "/a"));
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_redirect_from_http_to_https_verifies_the_certificate() {
    let (endpoint, stranger) = (Endpoint::http(), Endpoint::https(Identity::self_signed(false)));
    endpoint.set("/a", Behaviour::Redirect(302, format!("{}/library/version", stranger.url())));
    assert!(error_of(get(&http(), &endpoint.url(), "/a")).contains("self-signed"));
}

#[test]
fn the_token_is_sent_only_to_its_origin() {
    let (home, abroad, token) = (Endpoint::http(), Endpoint::http(), token());
    home.set("/a", Behaviour::Redirect(307, "/b".into()));
    home.set("/b", Behaviour::Redirect(307, format!("{}/c", abroad.url())));
    abroad.set("/c", Behaviour::Redirect(307, format!("{}/d", home.url())));
    let response = get_with_token(&http(), &home.url(), "/a", &token).unwrap();
    assert_eq!((response.status, response.left_origin), (404, true));
    for path in ["/a", "/b"] {
        assert_eq!(tokens_seen(&home, path), [Some("Bearer canary-token".to_string())]);
    }
    assert_eq!(tokens_seen(&abroad, "/c"), [None]);
    // After a redirect back to the first origin it is not sent either: another server chose that URL.
    assert_eq!(tokens_seen(&home, "/d"), [None]);
    assert!(error_of(response.at_home()).contains("another server, which is not sent the token"));
}

#[test]
fn a_redirect_without_a_location_is_a_response() {
    let endpoint = Endpoint::http();
    endpoint.set("/a", Behaviour::Body(302, "text/plain", "somewhere else".into()));
    assert_eq!(get(&http(), &endpoint.url(), "/a").unwrap().failure().status(), Some(302));
}

#[test]
fn a_long_location_is_truncated() {
    let endpoint = Endpoint::http();
    let long = format!("/{}", "x".repeat(5000));
    for to in [format!("ftp://elsewhere.test{long}"), format!("http://127.0.0.1:1{long}"), long.clone()] {
        endpoint.set("/a", Behaviour::Redirect(302, to));
        endpoint.set(&long, Behaviour::Redirect(302, long.clone()));
        let text = error_of(get(&http(), &endpoint.url(), "/a"));
        let shown = text.matches('x').count();
        assert!(text.contains("xx…") && (200..520).contains(&shown), "{shown}: {text}");
    }
}
