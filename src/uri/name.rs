//! Names of remotes.

use super::text::{UriError, may_hold_password, reads_as_user_info};
use std::fmt;

/// The name of a remote. It is not blank and has no control characters, no `://` and no leading dash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemoteName(String);

impl RemoteName {
    /// Checks the name of a *new* remote. Names in existing files are not checked.
    ///
    /// # Errors
    /// The rule that the name violates.
    pub fn parse(text: &str) -> Result<Self, UriError> {
        let rule = if text.trim().is_empty() {
            "names cannot be blank"
        } else if text.chars().any(char::is_control) {
            "names cannot contain control characters"
        } else if text.contains("://") {
            "names cannot contain \"://\": it would look like a URI"
        } else if reads_as_user_info(text) {
            "names cannot look like a login (\"USER:PASSWORD@HOST\")"
        } else if text.starts_with('-') {
            "names cannot start with \"-\": it would look like an option"
        } else {
            return Ok(Self(text.to_string()));
        };
        // If the user swapped name and URI, this text may contain a password.
        let shown =
            if text.contains('@') || may_hold_password(text) { String::new() } else { format!(" {text:?}") };
        Err(UriError(format!("invalid name{shown}: {rule}")))
    }

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
    fn invalid_names_are_refused_and_passwords_never_shown() {
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
