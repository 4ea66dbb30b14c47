//! The source of the bytes of an image, for any kind of server.

use crate::digest::Digest;
use crate::http::stream::{Fetch, Stream};
use crate::http::{Address, Http, HttpError, HttpErrorKind, Login};
use crate::message::cut;
use crate::secret::Secret;
use std::ops::Range;
use std::time::Duration;
use url::Url;

/// A file on a server, and what is known about it.
pub struct Source {
    pub http: Http,
    /// The URL of the file. It may redirect to another server.
    pub address: Address,
    /// Sent only to the origin of `address`.
    pub token: Option<Secret>,
    /// Allow an https server to redirect to an http URL for the file.
    pub http_storage: bool,
    /// The kind of server, for messages: `library`.
    pub server: &'static str,
    /// The expected hash of the file.
    pub sha256: Digest,
    /// In bytes, if the server gives it.
    pub size: Option<u64>,
    /// The pause before the first retry.
    pub pause: Duration,
    /// The window over which the speed is measured.
    pub pace: Duration,
}

impl Source {
    /// Requests a range of bytes at `url`, which is the source's own URL or one that it redirected to.
    pub(super) async fn open(&self, url: &Url, range: Range<u64>) -> Result<Stream, HttpError> {
        let home = url.origin() == self.address.url.origin();
        let login = self.token.as_ref().filter(|_| home).map(Login::Bearer);
        let to = self.address.at(url.clone());
        let fetch = Fetch { to: &to, login, range, downgrade: self.http_storage };
        self.http.open(&fetch).await.map_err(|error| match &error.kind {
            HttpErrorKind::Downgrade(at) => chose_http(self.server, &self.address.url, at),
            _ => error,
        })
    }
}

/// Whether the https URL `asked` led to the http URL `url`.
pub(crate) fn is_http_storage(asked: &Url, url: &Url) -> bool {
    asked.scheme() == "https" && url.scheme() == "http"
}

/// The error if an https `server` gave an http URL, which is displayed as `at`.
pub(crate) fn chose_http(server: &str, asked: &Url, at: &str) -> HttpError {
    let text = format!("the {server} uses https, but the address that it gave for the image uses http");
    HttpError::new(asked, HttpErrorKind::PlainAddress(format!("{text}: {}", cut(at))))
}
