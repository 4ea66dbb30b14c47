//! Addresses of registries and keyservers. Each line of an input is a separate address.

use super::endpoint_uri::{equivalence, hides_password, reason};
use crate::target::{Outcome, Target};
use apptainer_remote::auth_file::{HUB_KEY, key_of};
use apptainer_remote::uri::{ServiceScheme, ServiceUri};

pub const TARGET: Target = Target { large: 1 << 15, ..Target::new(check, WORDS) };

const WORDS: &[&str] = &[
    "docker://",
    "oras://",
    "http://",
    "https://",
    "hkp://",
    "hkps://",
    "DOCKER://",
    "ftp://",
    "://",
    "//",
    "/",
    "@",
    ":",
    "?",
    "#",
    "\\",
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "h.example",
    "H.EXAMPLE",
    "[::1]",
    "127.0.0.1",
    "localhost",
    ":443",
    ":80",
    ":11371",
    ":5000",
    ":0",
    ":65536",
    "/v1/",
    "/a//b/../c",
    "..",
    "%2e",
    "bücher.example",
    "xn--bcher-kva.example",
    "ada:canary@",
    "canary",
    "\n",
];

fn check(input: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(input);
    let lines: Vec<&str> = text.split('\n').take(4).collect();
    let uris: Vec<ServiceUri> = lines.iter().filter_map(|line| one(line)).collect();
    equivalence(&uris, ServiceUri::same_server);
    Outcome::all(lines.iter().map(|line| shape(line)))
}

fn one(text: &str) -> Option<ServiceUri> {
    let typed = match ServiceUri::parse(text) {
        Ok(typed) => typed,
        Err(error) => {
            assert!(hides_password(text, &error.to_string()), "{error}");
            return None;
        }
    };
    let uri = typed.uri;
    let display = uri.to_string();
    assert!(!display.chars().any(|c| c.is_control() || c.is_whitespace()), "{display:?}");
    let authority = display.split('/').nth(2).expect("it has a scheme");
    assert!(!authority.contains(['@', '?', '#', '\\']), "{display:?}");
    let again = ServiceUri::parse(&display).expect("what is shown can be typed");
    assert_eq!(again.uri, uri);
    assert!(again.dropped.is_empty(), "{display:?} still has {:?}", again.dropped);
    for http in [false, true] {
        let url = uri.url(http);
        assert!(matches!(url.scheme(), "http" | "https") && url.has_host(), "{url}");
        assert!(url.username().is_empty() && url.password().is_none(), "{url}");
        assert!(url.query().is_none() && url.fragment().is_none(), "{url}");
    }
    if uri.is_registry() {
        registry(&uri);
    }
    Some(uri)
}

/// A registry's key in the auth file means the same server, with either scheme.
fn registry(uri: &ServiceUri) {
    assert_eq!(uri.url(false).path(), "/");
    let key = key_of(uri);
    let bare = if key == HUB_KEY { "docker.io" } else { &key };
    for scheme in ["docker", "oras"] {
        let other = ServiceUri::parse(&format!("{scheme}://{bare}")).expect("a key is an address").uri;
        assert!(uri.same_server(&other), "{uri} {other}");
        assert_eq!(key_of(&other), key);
    }
}

fn shape(text: &str) -> Outcome {
    match ServiceUri::parse(text) {
        Err(error) => Outcome::refused(reason(&error.to_string())),
        Ok(typed) => {
            let (uri, url) = (&typed.uri, typed.uri.url(false));
            let scheme = match uri.scheme() {
                ServiceScheme::Docker | ServiceScheme::Oras => 0,
                ServiceScheme::Hkp | ServiceScheme::Hkps => 1,
                ServiceScheme::Http | ServiceScheme::Https => 2,
            };
            let kind = url.host().map(|host| std::mem::discriminant(&host));
            Outcome::of((
                scheme,
                kind,
                uri.has_port(),
                uri.path().is_empty(),
                uri.is_docker_hub(),
                typed.dropped,
            ))
        }
    }
}
