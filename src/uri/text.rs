//! What all names and addresses share: the characters, hosts and ports that they may have, and how they are shown.

use std::borrow::Cow;
use std::fmt;
use url::Url;

/// Why a name or an address was refused. Never holds what stood before an `@`: it may be a password.
#[derive(Debug, PartialEq, Eq)]
pub struct UriError(pub(super) String);

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UriError {}

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
pub(super) fn reads_as_user_info(text: &str) -> bool {
    text.rsplit_once('@').is_some_and(|(before, _)| before.contains(':'))
}

/// Whether `text`, which is meant to be a name, may hold a password, so that no message repeats it.
pub fn may_hold_password(text: &str) -> bool {
    text.contains("://") || reads_as_user_info(text)
}

/// How a refused address is shown: one with an `@` may hold a password, so no message repeats it.
pub(super) fn shown_in_error(text: &str) -> String {
    if text.contains('@') { String::new() } else { format!(" {text:?}") }
}

pub(super) fn check_characters(text: &str) -> Result<(), String> {
    match text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        true => Err("blanks and control characters are not allowed".into()),
        false => Ok(()),
    }
}

/// Cuts `text` at the first `mark` and notes `what` was there.
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

/// Splits `host[:port]`, brackets of IPv6 literals respected.
pub(super) fn split_port(authority: &str) -> Result<(&str, Option<u16>), String> {
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
pub(super) fn check_host(host: &str) -> Result<(), String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::{EndpointUri, RemoteName, shown};

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
