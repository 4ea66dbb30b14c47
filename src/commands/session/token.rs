//! The token for a remote: its source, the reasons for not sending it, and its expiry.

use super::Session;
use super::layers::Layers;
use crate::config::layers::{Origin, Remote};
use crate::error::{Failure, Result};
use crate::fsio::Distrust;
use crate::secret::Secret;
use crate::secret_source::check_token;
use crate::uri::EndpointUri;
use std::ffi::OsStr;
use std::time::{Duration, UNIX_EPOCH};

impl Layers {
    /// Why no token may be sent to `remote`: the file that has its token or its address is untrusted.
    pub fn token_bar(&self, remote: &Remote) -> Option<Distrust> {
        let global = self.global_distrust.clone().filter(|_| remote.origin == Origin::Global);
        match self.user_distrust.clone() {
            Some(user) => Some(user.and(global)),
            None => global,
        }
    }

    /// Why the token for `remote` is not sent, with one command that fixes everything. `None` if it is sent or
    /// there is none.
    pub fn held_back(&self, session: &Session, remote: &Remote) -> Option<Failure> {
        let bar = self.token_bar(remote)?;
        let has_token = remote.token.is_some() || session.environment_has_token(&remote.uri);
        has_token.then(|| {
            Failure::new(format!("the token for {} is not sent: {}", remote.name, bar.sentence()))
                .hint(bar.remedy)
        })
    }
}

impl Session<'_> {
    /// The token for the endpoint of `remote`: the environment's if it is for that host, else the stored one. A
    /// token from an untrusted file is not used, with a warning.
    ///
    /// # Errors
    /// The environment's token is invalid.
    pub fn token_for(&self, layers: &Layers, remote: &Remote) -> Result<Option<Secret>> {
        let uri = EndpointUri::from_stored(&remote.uri);
        let from_env = uri.as_ref().and_then(|uri| self.token_of_environment(uri));
        if let Some(failure) = layers.held_back(self, remote) {
            self.ctx.talk.warning(failure.message());
            return Ok(None);
        }
        match from_env {
            Some((token, variable)) => {
                self.ctx.talk.verbose(format!("using the token in {variable} for {}", remote.name));
                check_token(token, &variable).map(Some)
            }
            None => {
                if remote.token.is_some() {
                    self.ctx.talk.verbose(format!("using the stored token for {}", remote.name));
                }
                Ok(remote.token.clone())
            }
        }
    }

    /// `<PREFIX>TOKEN`, if `<PREFIX>TOKEN_HOST` is the host of `uri`. Without `<PREFIX>TOKEN_HOST` the token is
    /// not used, because it could be sent to any server.
    fn token_of_environment(&self, uri: &EndpointUri) -> Option<(Secret, String)> {
        let token = self.ctx.variable("TOKEN")?;
        let Some(host) = self.ctx.variable("TOKEN_HOST") else {
            self.ctx.talk.warning(format!("ignoring {0}: set {0}_HOST to the host it is for", token.name));
            return None;
        };
        is_host(uri, host.value)
            .then(|| (Secret::new(token.value.to_string_lossy().into_owned()), token.name.clone()))
    }

    /// Whether the environment holds a token for this address. Prints no warnings.
    pub fn environment_has_token(&self, stored: &str) -> bool {
        let value = |suffix| self.ctx.env.variable(self.ctx.persona, suffix).map(|found| found.value);
        let (Some(_), Some(host)) = (value("TOKEN"), value("TOKEN_HOST")) else { return false };
        EndpointUri::from_stored(stored).is_some_and(|uri| is_host(&uri, host))
    }
}

/// Whether `host` (`host` or `host:port`, from the environment) is that of the address.
fn is_host(uri: &EndpointUri, host: &OsStr) -> bool {
    let host = host.to_string_lossy().to_lowercase();
    uri.authority() == host || uri.host() == host
}

/// When a token expires or expired. Both times are in seconds since 1970.
pub(crate) fn expiry_line(expires: u64, now: u64) -> String {
    match expires.checked_sub(now) {
        Some(left) => format!("Token expires: {} (in {})", rfc3339(expires), span(left)),
        None => format!("Token expired: {} ({} ago)", rfc3339(expires), span(now - expires)),
    }
}

/// Formats seconds for people, in the largest unit that gives at least 2: `36 hours`, `3 days`.
pub(crate) fn span(seconds: u64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (size, name) = units.into_iter().find(|(size, _)| seconds >= 2 * size).unwrap_or((1, "second"));
    let count = seconds / size;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// Formats seconds since 1970 as date and time.
pub(crate) fn rfc3339(seconds: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
}

#[cfg(test)]
mod tests {
    use super::{expiry_line, span};

    #[test]
    fn token_expiry_is_shown_in_the_largest_unit() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7199, "119 minutes"),
            (7200, "2 hours"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
            (u64::MAX, "213503982334601 days"),
        ] {
            assert_eq!(span(seconds), text);
        }
        let now = 1_800_000_000;
        assert_eq!(
            expiry_line(now + 3 * 86_400 + 61, now),
            "Token expires: 2027-01-18T08:01:01Z (in 3 days)"
        );
        assert_eq!(expiry_line(now - 5, now), "Token expired: 2027-01-15T07:59:55Z (5 seconds ago)");
    }
}
