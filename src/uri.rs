//! Names and addresses, parsed at the edge: below this room nobody splits a string at a colon.

mod library;
mod service;

pub use library::LibraryRef;
pub use service::{ServiceScheme, ServiceUri, TypedService, is_plain_http};

use std::borrow::Cow;
use std::fmt;
use url::Url;

/// The name of a remote: not blank, no control characters, no `://`, no leading dash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemoteName(String);

impl RemoteName {
    /// Checks `text` as a name to be *added*. Names that a file already holds are taken as they are.
    ///
    /// # Errors
    /// The rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let rule = if text.trim().is_empty() {
            "a remote needs a name that is not blank"
        } else if text.chars().any(char::is_control) {
            "a remote's name cannot hold control characters"
        } else if text.contains("://") {
            "a remote's name cannot hold \"://\": it would read as an address"
        } else if reads_as_user_info(text) {
            "a remote's name cannot read as user info (\"USER:PASSWORD@HOST\")"
        } else if text.starts_with('-') {
            "a remote's name cannot begin with \"-\": it would read as an option"
        } else {
            return Ok(Self(text.to_string()));
        };
        // Whoever swaps name and address may have typed a password here.
        let shown =
            if text.contains('@') || may_hold_password(text) { String::new() } else { format!(" {text:?}") };
        Err(UriError(format!("invalid name{shown}: {rule}")))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a name or an address was refused. Never holds what stood before an `@`: it may be a password.
#[derive(Debug, PartialEq, Eq)]
pub struct UriError(String);

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UriError {}

/// The address of an endpoint: host, port and path. Whether it is http or https is not part of it: the
/// files keep that apart, as `Insecure`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUri {
    /// As typed: case and IDN kept, IPv6 literals in their brackets.
    host: String,
    port: Option<u16>,
    /// Clean: empty, or with a leading and without a trailing slash.
    path: String,
}

/// The scheme that an address was typed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
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
    fn parse_rest(rest: &str, dropped: &mut Vec<&'static str>) -> Result<Self, String> {
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

/// How any address from a file, an argument, a server or a variable is shown: without user info, which may
/// be a password. It need not be valid, so in doubt more is left out.
pub fn public(address: &str) -> Cow<'_, str> {
    let is_scheme = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let start = match address.split_once("://") {
        Some((scheme, _)) if is_scheme(scheme) => scheme.len() + 3,
        _ if address.starts_with("//") => 2,
        _ => 0,
    };
    let mut rest = &address[start..];
    while let Some(behind) = behind_user_info(rest) {
        rest = behind;
    }
    if start + rest.len() == address.len() {
        return Cow::Borrowed(address);
    }
    Cow::Owned(format!("{}{rest}", &address[..start]))
}

/// What follows the user info in `rest`, an address without its scheme; `None` for one that has none.
fn behind_user_info(rest: &str) -> Option<&str> {
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    if let Some(at) = rest[..end].rfind('@') {
        return Some(&rest[at + 1..]);
    }
    // `ada:pa/ss@host` is no valid address, and `host:443/a@b` is one.
    let at = rest.rfind('@')?;
    let has_password = match split_port(&rest[..end]) {
        Ok(_) => rest[end..at].contains(':') && !rest[..end].contains('.'),
        Err(_) => true,
    };
    has_password.then_some(&rest[at + 1..])
}

/// Whether `text` reads as user info before a host (`ada:pw@host`).
fn reads_as_user_info(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(before, _)| before.contains(':'))
}

/// Whether `text`, which is meant to be a name, may hold a password, so that no message repeats it.
pub fn may_hold_password(text: &str) -> bool {
    text.contains("://") || reads_as_user_info(text)
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

/// How a refused address is shown: one with an `@` may hold a password, so no message repeats it.
fn shown_in_error(text: &str) -> String {
    if text.contains('@') { String::new() } else { format!(" {text:?}") }
}

fn check_characters(text: &str) -> Result<(), String> {
    match text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        true => Err("blanks and control characters are not allowed".into()),
        false => Ok(()),
    }
}

/// Cuts `text` at the first `mark` and notes `what` was there.
fn cut<'a>(text: &'a str, mark: char, what: &'static str, dropped: &mut Vec<&'static str>) -> &'a str {
    match text.split_once(mark) {
        Some((before, _)) => {
            dropped.push(what);
            before
        }
        None => text,
    }
}

/// `https:HOST` and `https:/HOST`; a host of that name with a port is none.
fn is_short_of_slashes(text: &str) -> bool {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    Scheme::parse(scheme).is_some() && !rest.starts_with(|c: char| c.is_ascii_digit())
}

/// Splits `host[:port]`, brackets of IPv6 literals respected.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), String> {
    let after_bracket = authority.rfind(']').map_or(0, |at| at + 1);
    if authority.starts_with('[') && after_bracket == 0 {
        return Err("the bracket of the IPv6 address is not closed".into());
    }
    let Some(colon) = authority[after_bracket..].find(':') else {
        return Ok((authority, None));
    };
    let (host, port) = authority.split_at(after_bracket + colon);
    let digits = &port[1..];
    let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u16>().ok()).flatten();
    match number {
        Some(number) if number > 0 => Ok((host, Some(number))),
        _ if digits.is_empty() => Err("the port after the colon is missing".into()),
        _ if digits.contains(':') => Err("an IPv6 address needs brackets, as in [::1]".into()),
        _ => Err("a port is a number from 1 to 65535".into()),
    }
}

/// A host that `url` takes, without the characters that would change what it means.
fn check_host(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("there is no host in it".into());
    }
    if host.contains(['%', '\\', '@', '?', '#']) {
        return Err("that host name is not valid".into());
    }
    match Url::parse(&format!("https://{host}/")) {
        Ok(url) if url.host_str().is_some() => Ok(()),
        _ => Err("that host name is not valid".into()),
    }
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

/// Whether `text` looks like the address of a service (a registry or keyserver) rather than a name.
pub fn is_service(text: &str) -> bool {
    text.contains("://")
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

    #[test]
    fn names() {
        assert!(RemoteName::parse("My-Cloud_1").is_ok());
        assert!(RemoteName::parse("ada@lab").is_ok());
        for bad in ["", "  ", "a\nb", "x://y", "-x", "a\u{9b}"] {
            assert!(RemoteName::parse(bad).is_err(), "{bad:?}");
        }
        for secret in ["ada:pw@host", "ada:pw@", "a:b@c@d", "https://ada:pw@host", "https://host/pw"] {
            let error = RemoteName::parse(secret).unwrap_err().to_string();
            assert!(!error.contains("pw") && !error.contains("host"), "{error}");
        }
    }

    #[test]
    fn addresses_are_shown_without_user_info() {
        for (address, expected) in [
            ("https://ada:pw@h.example.com/x", "https://h.example.com/x"),
            ("https://pw@h", "https://h"),
            ("//ada:pw@h:1/x", "//h:1/x"),
            ("ada:pw@h", "h"),
            ("hkp://ada:p@w@h:x", "hkp://h:x"),
            ("ftp://ada:pw@h", "ftp://h"),
            ("ada:pw/x@h", "h"),
            ("ada:pw://x@h", "h"),
            ("https://ada:p/w@h", "https://h"),
            ("https://ada:p?w#x@h", "https://h"),
            ("https://ada/x:pw@h", "https://h"),
            ("ada:pw@a:pw/x@h", "h"),
        ] {
            assert_eq!(public(address), expected, "{address}");
        }
        for address in
            ["", "h", "https://h:443/a@b", "h/a@b", "https://[::1]:1/x", "https://h.x/a:1@b", "x://y"]
        {
            assert!(matches!(public(address), Cow::Borrowed(same) if same == address), "{address}");
        }
        assert_eq!(shown("ada:pw@h:0"), "h:0");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_and_what_is_stored_is_read_back(text in ".{0,60}") {
            if let Ok(typed) = EndpointUri::parse_typed(&text) {
                let _ = typed.uri.url(false);
                proptest::prop_assert_eq!(EndpointUri::from_stored(&typed.uri.stored()), Some(typed.uri));
            }
            let _ = RemoteName::parse(&text);
        }
    }
}
