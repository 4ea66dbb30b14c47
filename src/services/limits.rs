//! Limits on the time and the response size of each service, and the client that applies them.

use crate::http::{self, Http, Settings};
use std::ops::Deref;
use std::time::Duration;

/// Timeouts and size limits. The program uses [`Limits::default`]; tests use shorter timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For setting up a connection, including TLS.
    pub connect: Duration,
    /// For a discovery document. This and all times below include redirects and the body.
    pub discovery: Duration,
    /// For checking a token.
    pub token: Duration,
    /// For the identity of a user.
    pub identity: Duration,
    /// For `/version` of a service.
    pub version: Duration,
    /// For a request to a keyserver.
    pub keyserver: Duration,
    /// For the discovery request with which a listing looks up an endpoint's keyserver.
    pub listing: Duration,
    /// For a response from a credential helper.
    pub helper: Duration,
    /// For a library's response, and between two chunks of an image in either direction.
    pub library: Duration,
    /// The window over which the speed of a transfer is measured.
    pub pace: Duration,
    /// Before the first retry of a part of an image. It doubles with each retry.
    pub pause: Duration,
    /// The longest discovery document, in bytes.
    pub discovery_bytes: usize,
    /// The longest response to a version request, in bytes. It is small because many services are queried at once.
    pub version_bytes: usize,
    /// The longest other JSON document, in bytes.
    pub json_bytes: usize,
    /// The longest JSON document from a library, in bytes.
    pub library_bytes: usize,
    /// How much of the body of an error response is searched for the server's message, in bytes.
    pub error_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            discovery: Duration::from_secs(10),
            token: Duration::from_secs(10),
            identity: Duration::from_secs(5),
            version: Duration::from_secs(30),
            keyserver: Duration::from_secs(5),
            listing: Duration::from_secs(3),
            helper: Duration::from_secs(10),
            library: Duration::from_secs(30),
            pace: Duration::from_secs(60),
            pause: Duration::from_millis(500),
            discovery_bytes: 1 << 20,
            version_bytes: 64 << 10,
            json_bytes: 1 << 20,
            library_bytes: 16 << 20,
            error_bytes: 64 << 10,
        }
    }
}

impl Limits {
    /// The limits that the HTTP client itself applies.
    fn http(&self) -> http::Limits {
        http::Limits {
            connect: self.connect,
            stall: self.library,
            document: self.library_bytes,
            failure: self.error_bytes,
        }
    }
}

/// The HTTP client, with the limits of each service.
#[derive(Clone)]
pub struct Client {
    http: Http,
    limits: Limits,
}

impl Client {
    pub fn new(settings: Settings, limits: Limits) -> Self {
        Self { http: Http::new(settings, limits.http()), limits }
    }

    /// The client without the limits.
    pub fn http(&self) -> &Http {
        &self.http
    }

    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl Deref for Client {
    type Target = Http;

    fn deref(&self) -> &Http {
        &self.http
    }
}
