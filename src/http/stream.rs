//! Requests whose bodies are streamed instead of being kept in memory: chunks of a downloaded image and uploaded files.
//! Also requests with a JSON body, which change something on the server.

use super::address::Address;
use super::client::{Arrived, Asked, Http, header};
use super::error::{HttpError, HttpErrorKind};
use super::login::Login;
use super::response::Response;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use reqwest::Method;
use reqwest::header::{CONTENT_RANGE, HeaderName, RANGE};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use url::Url;

/// How much of an uploaded file is read at once, in bytes. The slowest connection must be able to send this much within
/// the stall timeout.
const PIECE: u64 = 64 << 10;

/// A GET request whose response is read in chunks.
#[derive(Clone)]
pub struct Fetch<'a> {
    pub to: &'a Address,
    /// Sent only to the origin of `to`.
    pub login: Option<Login<'a>>,
    /// The requested bytes; the server may send others.
    pub range: Range<u64>,
    /// Also follow a redirect from https to http.
    pub downgrade: bool,
}

/// The bytes that a server says it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    pub first: u64,
    /// Inclusive.
    pub last: u64,
    /// The length of the whole file, if the server gives it.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Parses `bytes FIRST-LAST/TOTAL`, where TOTAL may be `*`.
    pub fn parse(text: &str) -> Option<Self> {
        let number =
            |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let total = if total == "*" { None } else { Some(number(total)?) };
        let found = Self { first: number(first)?, last: number(last)?, total };
        (found.first <= found.last && found.total.is_none_or(|total| found.last < total)).then_some(found)
    }
}

/// A successful response whose body has not been read yet.
pub struct Stream {
    /// The final URL, after redirects.
    pub url: Url,
    /// 200, 206 or another 2xx.
    pub status: u16,
    /// Only for a 206.
    pub content_range: Option<ContentRange>,
    /// The length of the body in bytes, if the server gives it.
    pub length: Option<u64>,
    response: reqwest::Response,
    http: Http,
}

impl Stream {
    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    ///
    /// The connection breaks, or no data arrives within the stall timeout.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        let patience = self.http.limits().stall;
        match tokio::time::timeout(patience, self.response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| self.http.failed(&self.url, &error)),
            Err(_) => Err(HttpError::new(&self.url, HttpErrorKind::Stalled(patience))),
        }
    }

    /// An error saying that this response was interrupted, or is wrong in a way that may go away on a retry.
    pub fn broken(&self, what: impl Into<String>) -> HttpError {
        HttpError::new(&self.url, HttpErrorKind::Network(what.into()))
    }

    /// An error saying that this response has unexpected content.
    pub fn unexpected(&self, what: impl Into<String>) -> HttpError {
        HttpError::new(&self.url, HttpErrorKind::Unexpected(what.into()))
    }
}

/// The body of a request.
pub enum Content<'a> {
    Nothing,
    /// A JSON document. It is sent without a `Content-Type`: the real clients send none to a library, and some
    /// libraries reject any.
    Json(Vec<u8>),
    File(FilePart<'a>),
}

/// A range of bytes of a file, and how many of them have been sent.
#[derive(Clone)]
pub struct FilePart<'a> {
    /// Open for reading. Its file position does not matter.
    pub file: &'a Arc<File>,
    pub range: Range<u64>,
    /// Counts the bytes that were handed to the network.
    pub moved: &'a Arc<AtomicU64>,
    /// Headers that the presigned URL requires.
    pub headers: &'a [(&'static str, String)],
}

/// A request that may change something on the server. Redirects are not followed.
pub struct Call<'a> {
    pub method: Method,
    pub to: &'a Address,
    /// If the secret is empty, no header is sent.
    pub login: Option<Login<'a>>,
    pub content: Content<'a>,
    /// The time to wait for the response after the last byte has been sent.
    pub timeout: Duration,
}

impl Http {
    /// Requests a range of bytes of a file. Follows redirects by the rules of [`Http::get`].
    ///
    /// # Errors
    ///
    /// No response starts in time, or it has an error status.
    pub async fn open(&self, fetch: &Fetch<'_>) -> Result<Stream, HttpError> {
        let patience = self.limits().stall;
        let range = format!("bytes={}-{}", fetch.range.start, fetch.range.end.saturating_sub(1));
        let asked = Asked {
            to: fetch.to,
            login: fetch.login,
            header: Some((RANGE, range)),
            downgrade: fetch.downgrade,
        };
        let opening = async {
            let Arrived { response, url, left_origin } = self.follow(&asked).await?;
            if !response.status().is_success() {
                return Err(self.receive(response, url, left_origin, fetch.login, 0).await?.failure());
            }
            let content_range = header(&response, CONTENT_RANGE).and_then(|text| ContentRange::parse(&text));
            let (status, length) = (response.status().as_u16(), response.content_length());
            Ok(Stream { url, status, content_range, length, response, http: self.clone() })
        };
        match tokio::time::timeout(patience, opening).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::new(&fetch.to.url, HttpErrorKind::Stalled(patience))),
        }
    }

    /// Sends a request and reads the response, within [`super::Limits`].
    ///
    /// # Errors
    ///
    /// No complete response within the timeout, no data is transferred for too long, or a redirect. An error status is
    /// not an error here.
    pub async fn call(&self, call: Call<'_>) -> Result<Response, HttpError> {
        let mut request =
            self.request(call.method.clone(), &call.to.url, call.login, call.to.allows_insecure())?;
        let (mut length, mut moved) = (0, Arc::default());
        match call.content {
            Content::Nothing => {}
            Content::Json(document) => request = request.body(document),
            Content::File(part) => {
                length = part.range.end - part.range.start;
                moved = Arc::clone(part.moved);
                for (name, value) in part.headers {
                    request = request.header(HeaderName::from_static(name), value);
                }
                request = request.body(part.body());
            }
        }
        let url = call.to.url.clone();
        let answer = async {
            let response = self.send(&call.method, &url, call.login, request).await?;
            if response.status().is_redirection() {
                let text = "the server redirects this request, which is not allowed";
                return Err(HttpError::new(&url, HttpErrorKind::Redirect(text.to_string())));
            }
            self.receive(response, url.clone(), false, call.login, self.limits().document).await
        };
        let goal = moved.load(Ordering::Relaxed) + length;
        tokio::select! {
            result = answer => result,
            kind = self.stalled(&moved, goal, call.timeout) => Err(HttpError::new(&url, kind)),
        }
    }

    /// Returns when no data has been sent for too long, or when all has been sent and `timeout` has passed.
    async fn stalled(&self, moved: &AtomicU64, goal: u64, timeout: Duration) -> HttpErrorKind {
        let patience = self.limits().stall;
        let mut before = moved.load(Ordering::Relaxed);
        while before < goal {
            tokio::time::sleep(patience).await;
            let now = moved.load(Ordering::Relaxed);
            if now == before {
                return HttpErrorKind::Stalled(patience);
            }
            before = now;
        }
        tokio::time::sleep(timeout).await;
        HttpErrorKind::Timeout(timeout)
    }
}

impl FilePart<'_> {
    fn body(&self) -> reqwest::Body {
        reqwest::Body::wrap(FileBody {
            file: Arc::clone(self.file),
            range: self.range.clone(),
            moved: Arc::clone(self.moved),
        })
    }
}

/// A file that is read while it is sent. The reads block, which is fine: the only thread has nothing else to do then.
struct FileBody {
    file: Arc<File>,
    range: Range<u64>,
    moved: Arc<AtomicU64>,
}

impl HttpBody for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let length = PIECE.min(self.range.end - self.range.start);
        if length == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; length as usize];
        let read = self.file.read_exact_at(&mut piece, self.range.start);
        self.range.start += length;
        self.moved.fetch_add(length, Ordering::Relaxed);
        Poll::Ready(Some(read.map(|()| Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.range.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.range.end - self.range.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn content_ranges_are_parsed() {
        let range = |first, last, total| Some(ContentRange { first, last, total });
        let table = [
            ("bytes 0-4/10", range(0, 4, Some(10))),
            ("bytes 9-9/10", range(9, 9, Some(10))),
            ("bytes 0-4/*", range(0, 4, None)),
            ("bytes 5-4/10", None),
            ("bytes 0-10/10", None),
            ("bytes */10", None),
            ("bytes +1-4/10", None),
            ("bytes 0-99999999999999999999/*", None),
            ("items 0-4/10", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(ContentRange::parse(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_range_panics(text in "bytes [0-9*+-]{0,8}-[0-9]{0,8}/[0-9*]{0,8}|\\PC{0,20}") {
            ContentRange::parse(&text);
        }
    }
}
