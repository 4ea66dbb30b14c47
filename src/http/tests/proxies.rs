//! Requests through a proxy.

use super::*;
use crate::peers::ca::Ca;
use crate::peers::proxy::Proxy;

/// `user:canary`.
const BASIC: &str = "Basic dXNlcjpjYW5hcnk=";

fn through(proxy: &str, settings: Settings) -> Http {
    let (http_proxy, https_proxy) = (Some(proxy.to_string()), Some(proxy.to_string()));
    with(Settings { http_proxy, https_proxy, ..settings }, PATIENT)
}

#[test]
fn http_sends_the_whole_url_to_the_proxy() {
    let endpoint = Endpoint::http();
    let proxy = Proxy::start(endpoint.address(), Some(BASIC));
    let http = through(&format!("user:canary@{}", proxy.host()), settings());
    let token = token();
    let response = get_with_token(&http, "http://endpoint.test:81", "/library/version", &token).unwrap();
    assert_eq!(response.status, 200);
    assert_eq!(proxy.requests()[0].path, "http://endpoint.test:81/library/version");
    assert_eq!(endpoint.requests()[0].header("authorization"), Some("Bearer canary-token"));
}

#[test]
fn https_goes_through_a_tunnel_that_sees_no_token() {
    let (ca, dir) = (Ca::generate(), tempfile::tempdir().unwrap());
    let file = dir.path().join("ca.pem");
    ca.write(&file);
    let endpoint = Endpoint::https(ca.identity());
    let proxy = Proxy::start(endpoint.address(), Some(BASIC));
    let http = through(
        &format!("http://user:canary@{}", proxy.host()),
        Settings { ca_files: vec![file], ..settings() },
    );
    let token = token();
    let ask =
        Ask { base: "https://endpoint.test", path: "/library/version", token: Some(&token), insecure: false };
    assert_eq!(ask.by(&http).unwrap().status, 200);
    let seen = proxy.requests();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("CONNECT", "endpoint.test:443"));
    assert_eq!(seen[0].header("authorization"), None);
    assert_eq!(tokens_seen(&endpoint, "/library/version"), [Some("Bearer canary-token".to_string())]);
}

#[test]
fn loopback_and_exceptions_use_no_proxy() {
    let endpoint = Endpoint::http();
    let proxy = Proxy::start(endpoint.address(), None);
    let http = through(&proxy.host(), Settings { no_proxy: Some("*.test".into()), ..settings() });
    assert_eq!(get(&http, &endpoint.url(), "/library/version").unwrap().status, 200);
    let error = get(&http, &format!("http://{UNRESOLVABLE}"), "/x").err().unwrap();
    assert_eq!(error.proxy, None);
    assert!(proxy.requests().is_empty());
}

#[test]
fn a_proxy_that_refuses_is_named_without_its_password() {
    let endpoint = Endpoint::http();
    let proxy = Proxy::start(endpoint.address(), Some("Basic else"));
    let http = through(&format!("http://user:canary@{}", proxy.host()), settings());
    let text = error_of(get(&http, "https://endpoint.test", "/x"));
    let expected = "the proxy refused: proxy authorization required (through the proxy http://";
    assert!(text.contains(expected) && text.ends_with(&format!("{})", proxy.host())), "{text}");
    let refused = get(&http, "http://endpoint.test", "/x").unwrap();
    assert_eq!(refused.status, 407);
}

#[test]
fn an_unreachable_or_unsupported_proxy_is_an_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let http = through(&format!("user:canary@127.0.0.1:{port}"), settings());
    for scheme in ["http", "https"] {
        let text = error_of(get(&http, &format!("{scheme}://endpoint.test"), "/x"));
        let expected = format!("/x: connection refused (through the proxy http://127.0.0.1:{port})");
        assert!(text.ends_with(&expected), "{text}");
    }
    let text = error_of(get(&through("socks5://u:canary@h:1", settings()), "http://endpoint.test", "/x"));
    assert!(text.contains("HTTP_PROXY is a SOCKS proxy"), "{text}");
}
