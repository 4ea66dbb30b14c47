//! URIs of registries and keyservers. The scheme says which of the two it is.

use super::endpoint::EndpointUri;
use super::text::{UriError, check_characters, cut, shown_in_error};
use std::fmt;
use url::Url;

/// The kind of service and the protocol for requests to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceScheme {
    Docker,
    Oras,
    Http,
    Https,
    Hkp,
    Hkps,
}

/// The URI of a registry or a keyserver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceUri {
    scheme: ServiceScheme,
    place: EndpointUri,
    /// The form for files: as typed, without the ignored parts. In lower case for registries without a path.
    typed: String,
}

/// The URI of a service that a user typed, and the parts that were ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedService {
    pub uri: ServiceUri,
    /// The parts that were present and ignored: "user info", "query" and "fragment".
    pub dropped: Vec<&'static str>,
}

/// The host names of Docker Hub.
const HUB: [&str; 5] =
    ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "www.docker.io"];

/// The default port of HKP.
const HKP_PORT: u16 = 11371;

impl ServiceUri {
    /// Parses a URI from a user or a file: `docker://`, `oras://`, `http(s)://` or `hkp(s)://`, followed by
    /// `host[:port][/path]`.
    ///
    /// # Errors
    /// Another scheme or none, a port outside 1–65535, spaces, control characters, or no host.
    pub fn parse(text: &str) -> Result<TypedService, UriError> {
        let refuse = |why: String| UriError(format!("invalid URI{}: {why}", shown_in_error(text)));
        if text.trim().is_empty() {
            return Err(UriError("invalid URI: cannot have empty URI".into()));
        }
        check_characters(text).map_err(refuse)?;
        let Some((scheme, _)) = text.split_once("://").filter(|(scheme, _)| !scheme.contains(['/', '@']))
        else {
            return Err(refuse("the scheme is missing (such as docker:// or https://)".into()));
        };
        let known = ServiceScheme::parse(scheme).ok_or_else(|| {
            // If an `@` follows, what looks like a scheme may be part of a password.
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
        // A registry is identified by its host, so all spellings are stored in the same form.
        let typed = match known {
            ServiceScheme::Docker | ServiceScheme::Oras if place.path.is_empty() => {
                place.host = place.host();
                format!("{}://{}", scheme.to_ascii_lowercase(), place.authority())
            }
            _ => format!("{scheme}://{kept}"),
        };
        Ok(TypedService { uri: Self { scheme: known, place, typed }, dropped })
    }

    /// Parses a URI from a file. `None` if it is unusable for requests.
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::parse(text).ok().map(|typed| typed.uri)
    }

    pub fn scheme(&self) -> ServiceScheme {
        self.scheme
    }

    /// Whether this is a registry. Otherwise it is a keyserver.
    pub fn is_registry(&self) -> bool {
        matches!(self.scheme, ServiceScheme::Docker | ServiceScheme::Oras)
    }

    /// Whether this is Docker Hub, under any of its host names.
    pub fn is_docker_hub(&self) -> bool {
        self.is_registry() && HUB.contains(&self.authority().trim_end_matches(":443"))
    }

    /// `host[:port]` in lower case.
    pub fn authority(&self) -> String {
        self.place.authority()
    }

    /// Whether the URI contains a port.
    pub fn has_port(&self) -> bool {
        self.place.port.is_some()
    }

    /// Empty, or with a leading and without a trailing slash.
    pub fn path(&self) -> &str {
        &self.place.path
    }

    /// The URL for requests: of a keyserver including its path, or of the root of a registry. `http` selects http for a
    /// registry. Docker Hub's registry has its own host name.
    pub fn url(&self, http: bool) -> Url {
        let (scheme, default) = match self.scheme {
            ServiceScheme::Hkp => ("http", Some(HKP_PORT)),
            ServiceScheme::Http => ("http", None),
            ServiceScheme::Https | ServiceScheme::Hkps => ("https", None),
            ServiceScheme::Docker | ServiceScheme::Oras if http => ("http", None),
            ServiceScheme::Docker | ServiceScheme::Oras => ("https", None),
        };
        if self.is_docker_hub() {
            return Url::parse("https://registry-1.docker.io/").expect("a valid URL");
        }
        let port = self.place.port.or(default).map(|port| format!(":{port}")).unwrap_or_default();
        // Keep the trailing slash of a keyserver's URI, as typed.
        let slash = if self.typed.ends_with('/') && !self.path().is_empty() { "/" } else { "" };
        let path = if self.is_registry() { String::new() } else { format!("{}{slash}", self.path()) };
        Url::parse(&format!("{scheme}://{}{port}{path}", self.place.host)).expect("checked by check_host")
    }

    /// Whether both are the same server: they have the same scheme (hkp counts as http, hkps as https), host (ignoring
    /// case) and port. `docker` and `oras` count as the same scheme, and all host names of Docker Hub as the same host.
    pub fn same_server(&self, other: &Self) -> bool {
        let (a, b) = (self.url(false), other.url(false));
        self.is_registry() == other.is_registry()
            && a.scheme() == b.scheme()
            && a.host_str() == b.host_str()
            && a.port_or_known_default() == b.port_or_known_default()
    }
}

/// Whether the service at this URI, from a file or a server, uses plain http, so that it must not be displayed as
/// secure. False for an invalid URI, to which no request is sent.
pub fn is_plain_http(address: &str) -> bool {
    let scheme = address.split_once("://").map(|(scheme, _)| ServiceScheme::parse(scheme));
    matches!(scheme, Some(Some(ServiceScheme::Http | ServiceScheme::Hkp)))
}

/// The form for files.
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
    fn uris_become_request_urls() {
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
    fn equivalent_uris_are_the_same_server() {
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
    fn ignored_parts_are_reported() {
        let typed = ServiceUri::parse("https://ada:pw@k.example.com/p@q?x#y").unwrap();
        assert_eq!(typed.uri.to_string(), "https://k.example.com/p@q");
        assert_eq!(typed.dropped, ["fragment", "query", "user info"]);
    }

    #[test]
    fn invalid_uris_are_refused_and_passwords_never_shown() {
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
        fn no_text_panics_and_stored_uris_are_read_back(text in "(docker|oras|https?|hkps?)://.{0,40}") {
            if let Ok(typed) = ServiceUri::parse(&text) {
                let _ = typed.uri.url(true);
                proptest::prop_assert_eq!(ServiceUri::from_stored(&typed.uri.to_string()), Some(typed.uri));
            }
        }
    }
}
