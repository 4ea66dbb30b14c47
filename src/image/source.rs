//! Where the bytes of an image come from, whichever server it is.

use crate::digest::Digest;
use crate::http::stream::{Fetch, Stream};
use crate::http::{Address, Http, HttpError, HttpErrorKind, Login};
use crate::message::cut;
use crate::secret::Secret;
use std::ops::Range;
use std::time::Duration;
use url::Url;

/// A file on a server, and what is known of it.
pub struct Source {
    /// The client.
    pub http: Http,
    /// Its bytes; they may lie elsewhere.
    pub address: Address,
    /// Sent to the origin of `address` alone.
    pub token: Option<Secret>,
    /// Let the bytes go over http where a server that is asked over https names such an address.
    pub http_storage: bool,
    /// What the server is, for messages: `library`.
    pub server: &'static str,
    /// What the bytes must have.
    pub sha256: Digest,
    /// How many there are, where the server tells.
    pub size: Option<u64>,
    /// Before something is tried again for the first time.
    pub pause: Duration,
    /// The time over which the speed is looked at.
    pub pace: Duration,
}

impl Source {
    /// Asks for bytes at `url`, which is the source's own or one to which that leads.
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

/// Whether a server, asked at `asked` over https, leads to an http address.
pub(crate) fn is_http_storage(asked: &Url, url: &Url) -> bool {
    asked.scheme() == "https" && url.scheme() == "http"
}

/// The failure where a `server` chose the http address that is shown as `at`.
pub(crate) fn chose_http(server: &str, asked: &Url, at: &str) -> HttpError {
    let text = format!("the {server} uses https, but the address that it chose for the image uses http");
    HttpError::new(asked, HttpErrorKind::PlainAddress(format!("{text}: {}", cut(at))))
}
