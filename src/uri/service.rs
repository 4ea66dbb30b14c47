//! Addresses of registries and keyservers, with the scheme that says which of the two it is.

use super::endpoint::EndpointUri;
use super::text::{UriError, check_characters, cut, shown_in_error};
use std::fmt;
use url::Url;

/// What kind of service a scheme names, and how it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceScheme {
    Docker,
    Oras,
    Http,
    Https,
    Hkp,
    Hkps,
}

/// A registry or a keyserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUri {
    scheme: ServiceScheme,
    place: EndpointUri,
    /// As typed, but for what was dropped, and for registries in small letters: the form that files hold.
    typed: String,
}

/// A service's address as typed, and what was left out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedService {
    /// The address itself.
    pub uri: ServiceUri,
    /// Stood there and was dropped: "user info", "query" and "fragment".
    pub dropped: Vec<&'static str>,
}

/// The names that all mean Docker Hub.
const HUB: [&str; 5] =
    ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "www.docker.io"];

/// What an HKP server listens on where nothing else is said.
const HKP_PORT: u16 = 11371;

impl ServiceUri {
    /// Reads what a person typed or a file holds: `docker://`, `oras://`, `http(s)://` or `hkp(s)://`, a
    /// host, a port, a path.
    ///
    /// # Errors
    /// Another scheme or none, a port outside 1–65535, blanks, control characters, no host.
    pub fn parse(text: &str) -> Result<TypedService, UriError> {
        let refuse = |why: String| UriError(format!("invalid URI{}: {why}", shown_in_error(text)));
        if text.trim().is_empty() {
            return Err(UriError("invalid URI: cannot have empty URI".into()));
        }
        check_characters(text).map_err(refuse)?;
        let Some((scheme, _)) = text.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', '@']))
        else {
            return Err(refuse("it has no scheme such as docker:// or https://".into()));
        };
        let known = ServiceScheme::parse(scheme).ok_or_else(|| {
            // With an `@` somewhere behind it, what looks like a scheme may be a part of a password.
            let named = if text.contains('@') { "that" } else { scheme };
            refuse(format!(
                "{named} transport is not supported, only docker, oras, https, http, hkps and hkp are"
            ))
        })?;
        let mut dropped = Vec::new();
        let rest = cut(&text[scheme.len() + 3..], '#', "fragment", &mut dropped);
        let rest = cut(rest, '?', "query", &mut dropped);
        let mut place = EndpointUri::parse_rest(rest, &mut dropped).map_err(refuse)?;
        let authority_end = rest.find('/').unwrap_or(rest.len());
        let kept = rest[..authority_end].rfind('@').map_or(rest, |at| &rest[at + 1..]);
        // A registry is its host: every spelling of it is stored as one.
        let typed = match known {
            ServiceScheme::Docker | ServiceScheme::Oras if place.path.is_empty() => {
                place.host = place.host();
                format!("{}://{}", scheme.to_ascii_lowercase(), place.authority())
            }
            _ => format!("{scheme}://{kept}"),
        };
        Ok(TypedService { uri: Self { scheme: known, place, typed }, dropped })
    }

    /// `None` for what a file holds and no request could be sent to.
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::parse(text).ok().map(|typed| typed.uri)
    }

    /// The scheme that it was typed with.
    pub fn scheme(&self) -> ServiceScheme {
        self.scheme
    }

    /// A registry; a keyserver otherwise.
    pub fn is_registry(&self) -> bool {
        matches!(self.scheme, ServiceScheme::Docker | ServiceScheme::Oras)
    }

    /// Whether it is Docker Hub, under any of its names.
    pub fn is_docker_hub(&self) -> bool {
        self.is_registry() && HUB.contains(&self.authority().trim_end_matches(":443"))
    }

    /// `host[:port]`, lower case.
    pub fn authority(&self) -> String {
        self.place.authority()
    }

    /// Whether a port was typed.
    pub fn has_port(&self) -> bool {
        self.place.port.is_some()
    }

    /// The path: empty, or with a leading and without a trailing slash.
    pub fn path(&self) -> &str {
        &self.place.path
    }

    /// The address for requests to a keyserver, its path included, or to the root of a registry, which is
    /// asked over http where `http` says so. Docker Hub's registry has a host of its own.
    pub fn url(&self, http: bool) -> Url {
        let (scheme, default) = match self.scheme {
            ServiceScheme::Hkp => ("http", Some(HKP_PORT)),
            ServiceScheme::Http => ("http", None),
            ServiceScheme::Https | ServiceScheme::Hkps => ("https", None),
            ServiceScheme::Docker | ServiceScheme::Oras if http => ("http", None),
            ServiceScheme::Docker | ServiceScheme::Oras => ("https", None),
        };
        if self.is_docker_hub() {
            return Url::parse("https://registry-1.docker.io/").expect("it is an address");
        }
        let port = self.place.port.or(default).map(|port| format!(":{port}")).unwrap_or_default();
        // A keyserver's address is asked as it was typed, with its last slash.
        let slash = if self.typed.ends_with('/') && !self.path().is_empty() { "/" } else { "" };
        let path = if self.is_registry() { String::new() } else { format!("{}{slash}", self.path()) };
        Url::parse(&format!("{scheme}://{}{port}{path}", self.place.host)).expect("checked by check_host")
    }

    /// Whether both name the same server: the same scheme once hkp is http and hkps is https, host without
    /// case, and port. A registry is the same one for docker and oras, and Docker Hub under all its names.
    pub fn same_server(&self, other: &Self) -> bool {
        let (a, b) = (self.url(false), other.url(false));
        self.is_registry() == other.is_registry()
            && a.scheme() == b.scheme()
            && a.host_str() == b.host_str()
            && a.port_or_known_default() == b.port_or_known_default()
    }
}

/// Whether a service at this address, as a file holds it or a server names it, is spoken to over plain http:
/// it is never shown as secure. Nothing is sent to what is no address.
pub fn is_plain_http(address: &str) -> bool {
    let scheme = address.split_once("://").map(|(scheme, _)| ServiceScheme::parse(scheme));
    matches!(scheme, Some(Some(ServiceScheme::Http | ServiceScheme::Hkp)))
}

/// As typed.
impl fmt::Display for ServiceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

impl ServiceScheme {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "docker" => Self::Docker,
            "oras" => Self::Oras,
            "http" => Self::Http,
            "https" => Self::Https,
            "hkp" => Self::Hkp,
            "hkps" => Self::Hkps,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> ServiceUri {
        ServiceUri::parse(text).unwrap().uri
    }

    #[test]
    fn addresses_of_requests() {
        for (typed, expected) in [
            ("https://Keys.example.com/", "https://keys.example.com/"),
            ("hkp://k.example.com", "http://k.example.com:11371/"),
            ("hkp://k.example.com:80/x/", "http://k.example.com/x/"),
            ("hkp://k.example.com:80/x", "http://k.example.com/x"),
            ("hkps://k.example.com/a//b", "https://k.example.com/a/b"),
            ("docker://ghcr.io/ada", "https://ghcr.io/"),
            ("oras://localhost:5000", "https://localhost:5000/"),
            ("docker://docker.io", "https://registry-1.docker.io/"),
            ("http://[::1]:8080", "http://[::1]:8080/"),
        ] {
            assert_eq!(uri(typed).url(false).as_str(), expected, "{typed}");
            assert_eq!(uri(typed).to_string(), typed, "stored as typed");
        }
        assert_eq!(uri("DOCKER://Ghcr.IO/").to_string(), "docker://ghcr.io");
        assert_eq!(uri("docker://h").url(true).as_str(), "http://h/");
    }

    #[test]
    fn the_same_server_in_other_words() {
        let same = |a: &str, b: &str| uri(a).same_server(&uri(b));
        for (a, b) in [
            ("hkp://k", "http://K:11371/x"),
            ("hkps://k", "https://k:443"),
            ("docker://h:443", "oras://H"),
            ("docker://docker.io", "docker://index.docker.io"),
            ("http://k:80/", "http://k"),
        ] {
            assert!(same(a, b) && same(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("http://k", "https://k"),
            ("hkp://k", "http://k"),
            ("https://k", "https://k:444"),
            ("docker://k", "https://k"),
            ("docker://docker.io", "docker://quay.io"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_named() {
        let typed = ServiceUri::parse("https://ada:pw@k.example.com/p@q?x#y").unwrap();
        assert_eq!(typed.uri.to_string(), "https://k.example.com/p@q");
        assert_eq!(typed.dropped, ["fragment", "query", "user info"]);
    }

    #[test]
    fn bad_addresses_are_refused_and_never_leak() {
        for text in [
            "",
            "  ",
            "ghcr.io",
            "localhost:5000",
            "ftp://k",
            "docker:///x",
            "https://k:0",
            "hkp://a b",
            "ada:pw@h",
            "ftp://ada:pw@h",
            "pw://ada@h",
            "https://ada:pw@h:x",
        ] {
            let error = ServiceUri::parse(text).expect_err(text).to_string();
            assert!(error.starts_with("invalid URI") && !error.contains("pw"), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_what_is_stored_is_read_back(text in "(docker|oras|https?|hkps?)://.{0,40}") {
            if let Ok(typed) = ServiceUri::parse(&text) {
                let _ = typed.uri.url(true);
                proptest::prop_assert_eq!(ServiceUri::from_stored(&typed.uri.to_string()), Some(typed.uri));
            }
        }
    }
}
