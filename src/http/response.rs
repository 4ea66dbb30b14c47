//! An answer that has arrived.

use super::error::{HttpError, HttpErrorKind};
use std::time::{Duration, SystemTime};
use url::Url;

/// The final answer to a request: any status but a redirect that could be followed.
pub struct Response {
    /// Where the answer came from, after redirects.
    pub url: Url,
    /// The status code.
    pub status: u16,
    /// Another origin than the first answered, which got no token.
    pub left_origin: bool,
    /// The values of `WWW-Authenticate`.
    pub challenges: Vec<String>,
    /// The value of `Content-Type`, empty where there is none.
    pub content_type: String,
    /// The value of `ETag`, where there is one.
    pub etag: Option<String>,
    /// How long the server says to wait.
    pub retry_after: Option<Duration>,
    /// The body; of a failure only its beginning. May hold secrets.
    pub body: Vec<u8>,
    /// The server's own message for a failure, without the token that was sent.
    pub message: Option<String>,
}

impl Response {
    /// This response as the failure that its status means.
    pub fn failure(&self) -> HttpError {
        let kind = HttpErrorKind::Status { status: self.status, message: self.message.clone() };
        HttpError { retry_after: self.retry_after, ..HttpError::new(&self.url, kind) }
    }

    /// This response as something else than was asked for.
    pub fn unexpected(&self, what: impl Into<String>) -> HttpError {
        HttpError::new(&self.url, HttpErrorKind::Unexpected(what.into()))
    }

    /// Itself, if the status is 200.
    ///
    /// # Errors
    ///
    /// [`Response::failure`] for every other status.
    pub fn ok(self) -> Result<Self, HttpError> {
        if self.status == 200 { Ok(self) } else { Err(self.refusal()) }
    }

    /// As [`Response::failure`], for a server that takes a token: a note says where something in front of it
    /// asks for a name and a password.
    pub fn refusal(&self) -> HttpError {
        let wants = |scheme: &str| {
            let schemes = self.challenges.iter().filter_map(|value| value.split_whitespace().next());
            schemes.into_iter().any(|found| found.eq_ignore_ascii_case(scheme))
        };
        if self.status == 401 && wants("basic") && !wants("bearer") {
            let note = "it asks for a user name and password (Basic), which this program does not send to endpoints and libraries";
            return self.failure().noting(note);
        }
        self.failure()
    }

    /// Itself, if it comes from the origin that was asked: what another one says about a token, which it
    /// has not got, means nothing.
    ///
    /// # Errors
    ///
    /// [`HttpErrorKind::Redirect`] with the address that answered.
    pub fn at_home(self) -> Result<Self, HttpError> {
        if !self.left_origin {
            return Ok(self);
        }
        let text = "the server sends requests on to here, which is another server and gets no token";
        Err(HttpError::new(&self.url, HttpErrorKind::Redirect(text.to_string())))
    }
}

/// Reads `Retry-After`: seconds, or a date, which counts from the `Date` of the same answer: the two clocks may
/// differ. The past is no wait.
pub fn parse_retry_after(text: &str, date: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (then, now) = (parse_date(text)?, parse_date(date)?);
    Some(then.duration_since(now).unwrap_or_default())
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT`, the one form in which dates are sent today.
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
    fn how_long_to_wait() {
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
