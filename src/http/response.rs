//! A complete HTTP response.

use super::error::{HttpError, HttpErrorKind};
use std::time::{Duration, SystemTime};
use url::Url;

/// The final response to a request, with any status except a redirect that can be followed.
pub struct Response {
    /// The final URL, after redirects.
    pub url: Url,
    pub status: u16,
    /// Whether a redirect led to another origin. From then on no token was sent.
    pub left_origin: bool,
    /// The values of `WWW-Authenticate`.
    pub challenges: Vec<String>,
    /// The value of `Content-Type`; empty if missing.
    pub content_type: String,
    /// The value of `ETag`.
    pub etag: Option<String>,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// The body; only its beginning for an error status. May contain secrets.
    pub body: Vec<u8>,
    /// The server's own message for an error status, without the token that was sent.
    pub message: Option<String>,
}

impl Response {
    /// An error with this response's status and message.
    pub fn failure(&self) -> HttpError {
        let kind = HttpErrorKind::Status { status: self.status, message: self.message.clone() };
        HttpError { retry_after: self.retry_after, ..HttpError::new(&self.url, kind) }
    }

    /// An error saying that this response has unexpected content.
    pub fn unexpected(&self, what: impl Into<String>) -> HttpError {
        HttpError::new(&self.url, HttpErrorKind::Unexpected(what.into()))
    }

    /// Returns the response if its status is 200.
    ///
    /// # Errors
    ///
    /// [`Response::refusal`] for every other status.
    pub fn ok(self) -> Result<Self, HttpError> {
        if self.status == 200 { Ok(self) } else { Err(self.refusal()) }
    }

    /// Like [`Response::failure`], for a server that accepts tokens. Adds a note if the response (for example from a
    /// reverse proxy) asks for a username and password instead.
    pub fn refusal(&self) -> HttpError {
        let wants = |scheme: &str| {
            let schemes = self.challenges.iter().filter_map(|value| value.split_whitespace().next());
            schemes.into_iter().any(|found| found.eq_ignore_ascii_case(scheme))
        };
        if self.status == 401 && wants("basic") && !wants("bearer") {
            let note = "it asks for a username and password (Basic), which this program does not send to endpoints and libraries";
            return self.failure().noting(note);
        }
        self.failure()
    }

    /// Returns the response if no redirect led to another origin. That server never received the token, so its
    /// response says nothing about it.
    ///
    /// # Errors
    ///
    /// [`HttpErrorKind::Redirect`] with the URL of the other server.
    pub fn at_home(self) -> Result<Self, HttpError> {
        if !self.left_origin {
            return Ok(self);
        }
        let text = "the request was redirected here, to another server, which is not sent the token";
        Err(HttpError::new(&self.url, HttpErrorKind::Redirect(text.to_string())))
    }
}

/// Parses `Retry-After`: a number of seconds or a date. A date is compared with the `Date` of the same response,
/// because the server's clock may differ from the local one. A date in the past means no wait.
pub fn parse_retry_after(text: &str, date: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (then, now) = (parse_date(text)?, parse_date(date)?);
    Some(then.duration_since(now).unwrap_or_default())
}

/// Parses `Sun, 06 Nov 1994 08:49:37 GMT`, the only date format in use today.
fn parse_date(text: &str) -> Option<SystemTime> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, date) = text.trim().split_once(", ")?;
    let parts: Vec<&str> = date.split(' ').collect();
    let [day, month, year, time, "GMT"] = parts[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_parsed() {
        const NOW: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (text, date, expected) in [
            ("120", "", Some(120)),
            (" 0 ", NOW, Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", NOW, Some(30)),
            ("Wed, 01 Mar 1995 08:49:37 GMT", NOW, Some(115 * 86_400)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", NOW, Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", "", None),
            ("Sun, 06 Foo 1994 08:50:07 GMT", NOW, None),
            ("Sun, 06 Nov 1994 08:50:07 CET", NOW, None),
            ("Sun, 06 Nov 19941 08:50:07 GMT", NOW, None),
            ("-1", NOW, None),
            ("99999999999999999999", NOW, None),
            ("soon", NOW, None),
            ("", NOW, None),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(parse_retry_after(text, date), expected, "{text:?} at {date:?}");
        }
    }
}
