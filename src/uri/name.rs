//! Names of remotes.

use super::text::{UriError, may_hold_password, reads_as_user_info};
use std::fmt;

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
