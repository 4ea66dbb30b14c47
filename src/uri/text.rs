//! Shared code of the URI parsers: checks of characters, hosts and ports, and removal of passwords for display.

use std::borrow::Cow;
use std::fmt;
use url::Url;

/// Why a name or URI was rejected. Never contains the text before an `@`, which may be a password.
#[derive(Debug, PartialEq, Eq)]
pub struct UriError(pub(super) String);

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UriError {}

/// A URI from a file, an argument, a server or a variable, for display: without user info, which may contain a
/// password. The URI may be invalid; in doubt, more is removed.
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

/// The text after the user info in `rest`, a URI without its scheme; `None` if there is no user info.
fn behind_user_info(rest: &str) -> Option<&str> {
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    if let Some(at) = rest[..end].rfind('@') {
        return Some(&rest[at + 1..]);
    }
    // `ada:pa/ss@host` is not a valid URI and contains a password; `host:443/a@b` is valid and contains none.
    let at = rest.rfind('@')?;
    let has_password = match split_port(&rest[..end]) {
        Ok(_) => rest[end..at].contains(':') && !rest[..end].contains('.'),
        Err(_) => true,
    };
    has_password.then_some(&rest[at + 1..])
}

/// Whether `text` looks like user info before a host (`ada:pw@host`).
pub(super) fn reads_as_user_info(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(before, _)| before.contains(':'))
}

/// Whether `text`, which should be a name, may contain a password and must not be quoted in messages.
pub fn may_hold_password(text: &str) -> bool {
    text.contains("://") || reads_as_user_info(text)
}

/// Whether a message may repeat `text`, a URI or reference of any kind: it has no user info, query or fragment. The `@`
/// before a whole digest begins no host.
pub fn may_be_repeated(text: &str) -> bool {
    let is_digest = |hex: &str| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let text =
        text.split_once("@sha256:").map_or(text, |(before, hex)| if is_digest(hex) { before } else { text });
    !text.contains(['@', '?', '#'])
}

/// A rejected URI for error messages. Empty if it may contain a secret.
pub(super) fn shown_in_error(text: &str) -> String {
    if text.contains(['@', '?', '#']) { String::new() } else { format!(" {text:?}") }
}

pub(super) fn check_characters(text: &str) -> Result<(), String> {
    match text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        true => Err("spaces and control characters are not allowed".into()),
        false => Ok(()),
    }
}

/// Truncates `text` at the first `mark`. If there is one, adds `what` to `dropped`.
pub(super) fn cut<'a>(
    text: &'a str,
    mark: char,
    what: &'static str,
    dropped: &mut Vec<&'static str>,
) -> &'a str {
    match text.split_once(mark) {
        Some((before, _)) => {
            dropped.push(what);
            before
        }
        None => text,
    }
}

/// Splits `host[:port]`. The host may be an IPv6 literal in brackets.
pub(super) fn split_port(authority: &str) -> Result<(&str, Option<u16>), String> {
    let after_bracket = authority.rfind(']').map_or(0, |at| at + 1);
    if authority.starts_with('[') && after_bracket == 0 {
        return Err("the IPv6 address has no closing bracket".into());
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
        _ => Err("the port must be a number from 1 to 65535".into()),
    }
}

/// Checks that `url` accepts the host, and that it has no characters that would change the meaning of the URL.
pub(super) fn check_host(host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err("the host is missing".into());
    }
    if host.contains(['%', '\\', '@', '?', '#']) {
        return Err("the host name is not valid".into());
    }
    match Url::parse(&format!("https://{host}/")) {
        Ok(url) if url.host_str().is_some() => Ok(()),
        _ => Err("the host name is not valid".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::{EndpointUri, RemoteName, shown};

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        let digest = format!("library://lab/tools/blast@sha256:{}", "0f".repeat(32));
        for text in ["library://lab/tools/blast:v1", "alpine", "https://h:81/x", &digest] {
            assert!(may_be_repeated(text), "{text}");
        }
        for text in [
            "ada:pw@h",
            "docker://h/?token=pw",
            "h/#pw",
            "canary@sha256:00",
            "ada:pw@sha256:h",
            "a@b@sha256:x",
        ] {
            assert!(!may_be_repeated(text), "{text}");
        }
    }

    #[test]
    fn uris_are_displayed_without_user_info() {
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
        fn no_text_panics_and_stored_uris_are_read_back(text in ".{0,60}") {
            if let Ok(typed) = EndpointUri::parse_typed(&text) {
                let _ = typed.uri.url(false);
                proptest::prop_assert_eq!(EndpointUri::from_stored(&typed.uri.stored()), Some(typed.uri));
            }
            let _ = RemoteName::parse(&text);
        }
    }
}
