//! Addresses of endpoints.

use super::text::{UriError, check_characters, check_host, cut, public, shown_in_error, split_port};
use std::fmt;
use url::Url;

/// The address of an endpoint: host, port and path. Whether it is http or https is not part of it: the
/// files keep that apart, as `Insecure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUri {
    /// As typed: case and IDN kept, IPv6 literals in their brackets.
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// Clean: empty, or with a leading and without a trailing slash.
    pub(super) path: String,
}

/// The scheme that an address was typed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Http,
    Https,
}

/// An address as typed, and what was left out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedUri {
    /// The address itself.
    pub uri: EndpointUri,
    /// `None` for a bare `host[:port][/path]`.
    pub scheme: Option<Scheme>,
    /// Stood there and was dropped: "user info", "query" and "fragment".
    pub dropped: Vec<&'static str>,
}

impl EndpointUri {
    /// Reads what a person typed: `https://…`, `http://…` or a bare `host[:port][/path]`.
    ///
    /// # Errors
    /// Another scheme, a port outside 1–65535, blanks, control characters, no host.
    pub fn parse_typed(text: &str) -> Result<TypedUri, UriError> {
        let refuse = |why: String| UriError(format!("invalid URI{}: {why}", shown_in_error(text)));
        if text.is_empty() {
            return Err(UriError("invalid URI: cannot have empty URI".into()));
        }
        check_characters(text).map_err(refuse)?;
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if !scheme.contains(['/', '?', '#', '@']) => {
                let known = Scheme::parse(scheme).ok_or_else(|| {
                    // With an `@` somewhere behind it, this may be a part of a password.
                    let named = if text.contains('@') { "that".into() } else { format!("{scheme:?}") };
                    refuse(format!("{named} is no scheme of an endpoint, only https and http are"))
                })?;
                (Some(known), rest)
            }
            _ if is_short_of_slashes(text) => {
                return Err(refuse("two slashes belong after the colon, as in https://HOST".into()));
            }
            _ => (None, text.strip_prefix("//").unwrap_or(text)),
        };
        let mut dropped = Vec::new();
        let rest = cut(rest, '#', "fragment", &mut dropped);
        let rest = cut(rest, '?', "query", &mut dropped);
        let uri = Self::parse_rest(rest, &mut dropped).map_err(refuse)?;
        Ok(TypedUri { uri, scheme, dropped })
    }

    /// Reads what stands behind the scheme and before query and fragment.
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
            return Err("a backslash is not allowed".into());
        }
        Ok(Self { host: host.to_string(), port, path: clean_path(path) })
    }

    /// Reads what a file holds: every form that a real program or this one stores. `None` for an empty
    /// text (what Apptainer's `add` makes of `host:port`) and for one that no request could be sent to.
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::parse_typed(text).ok().map(|typed| typed.uri)
    }

    /// The form for the file: `host[/path]`, or `//host:port[/path]` with a port or an IPv6 literal. Both
    /// real programs read it as meant; `host:port`, which their own `add` stores, they cannot use.
    pub fn stored(&self) -> String {
        let slashes = if self.port.is_some() || self.host.starts_with('[') { "//" } else { "" };
        format!("{slashes}{self}")
    }

    /// The address for requests.
    pub fn url(&self, insecure: bool) -> Url {
        let scheme = if insecure { "http" } else { "https" };
        Url::parse(&format!("{scheme}://{self}")).expect("checked by check_host")
    }

    /// Whether both name the same scheme, host, port and path, whatever the spelling.
    pub fn same_place(&self, insecure: bool, other: &Self, other_insecure: bool) -> bool {
        let (a, b) = (self.url(insecure), other.url(other_insecure));
        a.scheme() == b.scheme()
            && a.host_str() == b.host_str()
            && a.port_or_known_default() == b.port_or_known_default()
            && a.path().trim_end_matches('/') == b.path().trim_end_matches('/')
    }

    /// The host alone, lower case, IPv6 literals in their brackets.
    pub fn host(&self) -> String {
        self.host.to_lowercase()
    }

    /// Host and port alone, lower case, as `<PREFIX>TOKEN_HOST` is compared with.
    pub fn authority(&self) -> String {
        let host = self.host();
        self.port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"))
    }

    /// Whether this is the host that Apptainer ships as its default, which serves nothing.
    pub fn is_cloud_apptainer(&self) -> bool {
        self.host.eq_ignore_ascii_case("cloud.apptainer.org") && self.port.is_none_or(|port| port == 443)
    }
}

/// `host[:port][/path]`: the form for people.
impl fmt::Display for EndpointUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

/// How the stored address of an endpoint is shown: without slashes and scheme. One without a meaning is shown
/// as it is, but for user info.
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

/// `https:HOST` and `https:/HOST`; a host of that name with a port is none.
fn is_short_of_slashes(text: &str) -> bool {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    Scheme::parse(scheme).is_some() && !rest.starts_with(|c: char| c.is_ascii_digit())
}

/// Resolves `//`, `.` and `..`, and drops the trailing slash. Percent-encoding and case stay: they may
/// mean something to the server.
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
    fn typed_addresses_are_stored_as_the_real_programs_can_use_them() {
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
    fn what_cannot_be_stored_is_named() {
        let typed = EndpointUri::parse_typed("https://ada:pw@h.example.com/p?x=1#y").unwrap();
        assert_eq!(typed.uri.stored(), "h.example.com/p");
        assert_eq!(typed.dropped, ["fragment", "query", "user info"]);
    }

    #[test]
    fn bad_addresses_are_refused_and_never_leak() {
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
    fn the_same_place_in_other_words() {
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
