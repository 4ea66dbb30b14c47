//! Requests whose bodies are not held in memory: pieces of an image on their way down, files on their way
//! up. And those with JSON in them, which ask the server to change something.

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

/// How much of a file is read at once on its way up, in bytes: what the slowest line has to move while a server
/// may be silent.
const PIECE: u64 = 64 << 10;

/// A GET whose answer is taken piece by piece.
#[derive(Clone)]
pub struct Fetch<'a> {
    pub to: &'a Address,
    /// Sent to this address's origin alone.
    pub login: Option<Login<'a>>,
    /// The bytes that are asked for; the server may send others.
    pub range: Range<u64>,
    /// Follow a redirect from https to http, too.
    pub downgrade: bool,
}

/// Which bytes a server says it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The first one.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// How many there are in all, where it tells.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Reads `bytes FIRST-LAST/TOTAL`, where TOTAL may be `*`.
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

/// An answer of success whose body is still on its way.
pub struct Stream {
    /// Where it comes from, after redirects.
    pub url: Url,
    /// 200, 206 or another status of success.
    pub status: u16,
    /// Of a 206.
    pub content_range: Option<ContentRange>,
    /// How long the body will be, where the server tells.
    pub length: Option<u64>,
    response: reqwest::Response,
    http: Http,
}

impl Stream {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    ///
    /// When the connection breaks, or nothing comes for too long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        let patience = self.http.limits().stall;
        match tokio::time::timeout(patience, self.response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| self.http.failed(&self.url, &error)),
            Err(_) => Err(HttpError::new(&self.url, HttpErrorKind::Stalled(patience))),
        }
    }

    /// This answer as one that broke off, or that is wrong in a way that another try may mend.
    pub fn broken(&self, what: impl Into<String>) -> HttpError {
        HttpError::new(&self.url, HttpErrorKind::Network(what.into()))
    }

    /// This answer as something else than was asked for.
    pub fn unexpected(&self, what: impl Into<String>) -> HttpError {
        HttpError::new(&self.url, HttpErrorKind::Unexpected(what.into()))
    }
}

/// What a request carries.
pub enum Content<'a> {
    /// Nothing.
    Nothing,
    /// A JSON document, without a `Content-Type`: the real clients send none to a library, and some libraries
    /// refuse every one.
    Json(Vec<u8>),
    /// Bytes of a file.
    File(FilePart<'a>),
}

/// Bytes of a file, and how many of them are on their way already.
#[derive(Clone)]
pub struct FilePart<'a> {
    /// Open for reading; its position does not matter.
    pub file: &'a Arc<File>,
    /// Which bytes.
    pub range: Range<u64>,
    /// Grows by each byte that is handed to the network.
    pub moved: &'a Arc<AtomicU64>,
    /// Headers that the address is made for.
    pub headers: &'a [(&'static str, String)],
}

/// One request that may change something. No redirect is followed.
pub struct Call<'a> {
    /// Any method.
    pub method: Method,
    pub to: &'a Address,
    /// An empty secret sends no header.
    pub login: Option<Login<'a>>,
    /// What is sent.
    pub content: Content<'a>,
    /// For the answer, from the last byte sent.
    pub timeout: Duration,
}

impl Http {
    /// Asks for bytes of what lies at a URL, and follows redirects by the rules of [`Http::get`].
    ///
    /// # Errors
    ///
    /// When no answer begins in time, or its status means failure.
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

    /// Sends a request as it stands and takes the answer, bounded by [`super::Limits`].
    ///
    /// # Errors
    ///
    /// When there is no whole answer within its time, or nothing moves for too long.
    /// A status of failure is none; a redirect is.
    pub async fn call(&self, call: Call<'_>) -> Result<Response, HttpError> {
        let mut request = self.request(call.method, &call.to.url, call.login, call.to.allows_insecure())?;
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
            let response = request.send().await.map_err(|error| self.failed(&url, &error))?;
            if response.status().is_redirection() {
                let text = "the server sends this request on to elsewhere, which is not followed";
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

    /// Waits until nothing has moved for too long, or, once all has, no answer came in `timeout`.
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

/// A file read while it is sent. Reading blocks, which does no harm: one thread does nothing else meanwhile.
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
    fn ranges_of_content() {
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
