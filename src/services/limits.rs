//! How long each server may take and how much it may say, and the client that knows it.

use crate::http::{self, Http, Settings};
use std::ops::Deref;
use std::time::Duration;

/// Times and sizes. [`Limits::default`] is what the program uses; tests have less patience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For a discovery document, redirects and body included, as all times below.
    pub discovery: Duration,
    /// For the check of a token.
    pub token: Duration,
    /// For the identity of a user.
    pub identity: Duration,
    /// For `/version` of a service.
    pub version: Duration,
    /// For a request to a keyserver.
    pub keyserver: Duration,
    /// For the endpoints that are asked for their keyserver while they are listed.
    pub listing: Duration,
    /// For an answer of a credential helper.
    pub helper: Duration,
    /// For a library's answer; and between two pieces of an image, whichever way it goes.
    pub library: Duration,
    /// The time over which the speed of a transfer is looked at.
    pub pace: Duration,
    /// Before something of an image is tried again for the first time; twice as long before the next.
    pub pause: Duration,
    /// Longest discovery document, in bytes.
    pub discovery_bytes: usize,
    /// Longest answer to the question for a version, in bytes: many services are asked at once.
    pub version_bytes: usize,
    /// Longest other JSON document, in bytes.
    pub json_bytes: usize,
    /// Longest JSON document of a library, in bytes.
    pub library_bytes: usize,
    /// How much of the body of a failure is looked at for the server's message, in bytes.
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
    /// What the client itself keeps to.
    fn http(&self) -> http::Limits {
        http::Limits {
            connect: self.connect,
            stall: self.library,
            document: self.library_bytes,
            failure: self.error_bytes,
        }
    }
}

/// The HTTP client, with the times and sizes of each service.
#[derive(Clone)]
pub struct Client {
    http: Http,
    limits: Limits,
}

impl Client {
    /// A client for these surroundings.
    pub fn new(settings: Settings, limits: Limits) -> Self {
        Self { http: Http::new(settings, limits.http()), limits }
    }

    /// The client alone.
    pub fn http(&self) -> &Http {
        &self.http
    }

    /// The times and sizes that services are asked with.
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
