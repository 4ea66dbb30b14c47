//! URIs of endpoints.

use super::text::{UriError, check_characters, check_host, cut, public, shown_in_error, split_port};
use std::fmt;
use url::Url;

/// The URI of an endpoint: host, port and path. It does not include the scheme: files store that separately, as
/// `Insecure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUri {
    /// As typed, with its case and IDN form. IPv6 literals are in brackets.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// Normalized: empty, or with a leading and without a trailing slash.
    pub(super) path: String,
}

/// The scheme that was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

/// A URI that a user typed, and the parts that were ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedUri {
    pub uri: EndpointUri,
    /// `None` for a bare `host[:port][/path]`.
    pub scheme: Option<Scheme>,
    /// The parts that were present and ignored: "user info", "query" and "fragment".
    pub dropped: Vec<&'static str>,
}

impl EndpointUri {
    /// Parses what a user typed: `https://…`, `http://…` or a bare `host[:port][/path]`.
    ///
    /// # Errors
    /// Another scheme, a port outside 1–65535, spaces, control characters, or no host.
    pub fn parse_typed(text: &str) -> Result<TypedUri, UriError> {
        let refuse = |why: String| UriError(format!("invalid URI{}: {why}", shown_in_error(text)));
        if text.is_empty() {
            return Err(UriError("invalid URI: cannot have empty URI".into()));
        }
        check_characters(text).map_err(refuse)?;
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?', '#', '@']) => {
                let known = Scheme::parse(scheme).ok_or_else(|| {
                    // If an `@` follows, this may be part of a password.
                    let named = if text.contains('@') { String::new() } else { format!(" {scheme:?}") };
                    refuse(format!("unsupported scheme{named} (use https or http)"))
                })?;
                (Some(known), rest)
            }
            _ if is_short_of_slashes(text) => {
                return Err(refuse("the two slashes after the colon are missing (https://HOST)".into()));
            }
            _ => (None, text.strip_prefix("//").unwrap_or(text)),
        };
        let mut dropped = Vec::new();
        let rest = cut(rest, '#', "fragment", &mut dropped);
        let rest = cut(rest, '?', "query", &mut dropped);
        let uri = Self::parse_rest(rest, &mut dropped).map_err(refuse)?;
        Ok(TypedUri { uri, scheme, dropped })
    }

    /// Parses the part between the scheme and the query or fragment.
    pub(super) fn parse_rest(rest: &str, dropped: &mut Vec<&'static str>) -> Result<Self, String> {
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, ""),
        };
        let authority = match authority.rsplit_once('@') {
            Some((_, after)) => {
                dropped.push("user info");
                after
            }
            None => authority,
        };
        let (host, port) = split_port(authority)?;
        check_host(host)?;
        if path.contains('\\') {
            return Err("backslashes are not allowed".into());
        }
        Ok(Self { host: host.to_string(), port, path: clean_path(path) })
    }

    /// Parses a URI from a file, in any form that Apptainer, SingularityCE or this program stores. `None` if it is
    /// empty (Apptainer's `add` stores `host:port` like that) or unusable for requests.
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::parse_typed(text).ok().map(|typed| typed.uri)
    }

    /// The form for files: `host[/path]`, or `//host:port[/path]` with a port or an IPv6 literal. Both real programs
    /// read these forms correctly. They cannot use the `host:port` that their own `add` stores.
    pub fn stored(&self) -> String {
        let slashes = if self.port.is_some() || self.host.starts_with('[') { "//" } else { "" };
        format!("{slashes}{self}")
    }

    /// The URL for requests.
    pub fn url(&self, insecure: bool) -> Url {
        let scheme = if insecure { "http" } else { "https" };
        Url::parse(&format!("{scheme}://{self}")).expect("checked by check_host")
    }

    /// Whether both have the same scheme, host, port and path after normalization.
    pub fn same_place(&self, insecure: bool, other: &Self, other_insecure: bool) -> bool {
        let (a, b) = (self.url(insecure), other.url(other_insecure));
        a.scheme() == b.scheme()
            && a.host_str() == b.host_str()
            && a.port_or_known_default() == b.port_or_known_default()
            && a.path().trim_end_matches('/') == b.path().trim_end_matches('/')
    }

    /// The host in lower case. IPv6 literals are in brackets.
    pub fn host(&self) -> String {
        self.host.to_lowercase()
    }

    /// `host[:port]` in lower case. `<PREFIX>TOKEN_HOST` is compared with it.
    pub fn authority(&self) -> String {
        let host = self.host();
        self.port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
    }

    /// Whether this is the default endpoint of Apptainer, `cloud.apptainer.org`, which offers no services.
    pub fn is_cloud_apptainer(&self) -> bool {
        self.host.eq_ignore_ascii_case("cloud.apptainer.org") && self.port.is_none_or(|port| port == 443)
    }
}

/// `host[:port][/path]`, for display.
impl fmt::Display for EndpointUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

/// The stored URI of an endpoint for display: without the scheme and leading slashes. An invalid one is displayed
/// unchanged, except that user info is removed.
pub fn shown(stored: &str) -> String {
    EndpointUri::from_stored(stored).map_or_else(|| public(stored).into_owned(), |uri| uri.to_string())
}

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }
}

/// Whether `text` is `https:HOST` or `https:/HOST`. A port after the colon means that `https` is a host name.
fn is_short_of_slashes(text: &str) -> bool {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    Scheme::parse(scheme).is_some() && !rest.starts_with(|c: char| c.is_ascii_digit())
}

/// Resolves `//`, `.` and `..`, and removes the trailing slash. Keeps percent-encoding and case, because they may
/// matter to the server.
fn clean_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.iter().flat_map(|part| ["/", part]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(text: &str) -> String {
        EndpointUri::parse_typed(text).unwrap().uri.stored()
    }

    #[test]
    fn typed_uris_are_stored_in_forms_that_the_real_programs_accept() {
        for (typed, expected) in [
            ("https://d.example.com/", "d.example.com"),
            ("d.example.com", "d.example.com"),
            ("E.example.com/p//q/./r/../s/", "E.example.com/p/q/s"),
            ("h.example.com/../../x", "h.example.com/x"),
            ("h.example.com/a%20B", "h.example.com/a%20B"),
            ("localhost:8080", "//localhost:8080"),
            ("http://127.0.0.1:5000/v1/", "//127.0.0.1:5000/v1"),
            ("[::1]", "//[::1]"),
            ("https://[::1]:8443/x", "//[::1]:8443/x"),
            ("//h.example.com:1/", "//h.example.com:1"),
            ("HTTPS://h.example.com", "h.example.com"),
            ("bücher.example", "bücher.example"),
        ] {
            assert_eq!(stored(typed), expected, "{typed}");
            assert_eq!(EndpointUri::from_stored(expected).unwrap().stored(), expected);
        }
    }

    #[test]
    fn ignored_parts_are_reported() {
        let typed = EndpointUri::parse_typed("https://ada:pw@h.example.com/p?x=1#y").unwrap();
        assert_eq!(typed.uri.stored(), "h.example.com/p");
        assert_eq!(typed.dropped, ["fragment", "query", "user info"]);
    }

    #[test]
    fn invalid_uris_are_refused_and_passwords_never_shown() {
        for text in [
            "",
            " ",
            "ftp://h",
            "h:0",
            "h:99999",
            "h:",
            "h:+1",
            "h:8 0",
            "a b",
            "h\n",
            "https://",
            "/p",
            "[::1",
            "::1",
            "[fe80::1%25eth0]",
            "h\\x",
            "user:pw/x@h",
            "pw://ada@h",
            "https://user:p@w:x@/",
            "docker://h",
        ] {
            let error = EndpointUri::parse_typed(text).expect_err(text).to_string();
            assert!(error.starts_with("invalid URI"), "{error}");
            assert!(!error.contains("pw") && !error.contains("p@w"), "{error}");
        }
    }

    #[test]
    fn equivalent_uris_are_the_same_place() {
        let same = |a: &str, ai, b: &str, bi| {
            EndpointUri::from_stored(a).unwrap().same_place(ai, &EndpointUri::from_stored(b).unwrap(), bi)
        };
        assert!(same("H.example.com", false, "//h.example.com:443/", false));
        assert!(same("h:80", true, "h", true));
        assert!(!same("h", true, "h", false));
        assert!(!same("h/a", false, "h/A", false));
        assert!(!same("h", false, "//h:444", false));
    }
}
