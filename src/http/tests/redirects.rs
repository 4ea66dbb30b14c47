//! Where redirects may lead, and what goes with them.

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
fn circles_and_endless_ways_end() {
    let endpoint = Endpoint::http();
    endpoint.set("/a", Behaviour::Redirect(301, "/b".into()));
    endpoint.set("/b", Behaviour::Redirect(301, "/a".into()));
    let text = error_of(get(&http(), &endpoint.url(), "/a"));
    assert!(text.contains("round in a circle, back to") && text.ends_with("/a"), "{text}");
    endpoint.set("/self", Behaviour::Redirect(302, "/self".into()));
    assert!(error_of(get(&http(), &endpoint.url(), "/self")).contains("round in a circle"));
    for n in 0..20 {
        endpoint.set(&format!("/{n}"), Behaviour::Redirect(302, format!("/{}", n + 1)));
    }
    endpoint.forget();
    assert!(error_of(get(&http(), &endpoint.url(), "/0")).contains("more than 10 times, now to"));
    assert_eq!(endpoint.requests().len(), 11);
    assert_eq!(get(&http(), &endpoint.url(), "/10").unwrap().status, 404);
}

#[test]
fn never_from_https_to_http_and_only_to_the_web() {
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
    assert!(text.contains("on from https to http://127.0.0.1:") && !text.contains("u:canary"), "{text}");
    assert!(http_endpoint.requests().is_empty());
    for (to, expected) in
        [("file:///etc/passwd", "on to file:///etc/passwd"), ("http://", "to what is no address")]
    {
        http_endpoint.set("/a", Behaviour::Redirect(302, to.into()));
        let text = error_of(get(&http(), &http_endpoint.url(), "/a"));
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn from_http_to_https_the_certificate_counts() {
    let (endpoint, stranger) = (Endpoint::http(), Endpoint::https(Identity::self_signed(false)));
    endpoint.set("/a", Behaviour::Redirect(302, format!("{}/library/version", stranger.url())));
    assert!(error_of(get(&http(), &endpoint.url(), "/a")).contains("self-signed"));
}

#[test]
fn the_token_stays_with_its_origin() {
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
    // Back at home it is not sent any more either: the way there was somebody else's.
    assert_eq!(tokens_seen(&home, "/d"), [None]);
    assert!(error_of(response.at_home()).contains("another server and gets no token"));
}

#[test]
fn a_redirect_to_nowhere_is_an_answer() {
    let endpoint = Endpoint::http();
    endpoint.set("/a", Behaviour::Body(302, "text/plain", "somewhere else".into()));
    assert_eq!(get(&http(), &endpoint.url(), "/a").unwrap().failure().status(), Some(302));
}

#[test]
fn a_long_location_is_cut() {
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
