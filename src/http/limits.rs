//! Limits on the time that a server may take and on the size of its responses.

use std::time::Duration;

/// Limits for every request. The timeout and maximum size of a GET are in its [`super::Get`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For setting up a connection, including TLS.
    pub connect: Duration,
    /// Between two chunks of a body, in either direction, and for the head of a streamed response.
    pub stall: Duration,
    /// The longest response to a [`super::stream::Call`], in bytes.
    pub document: usize,
    /// How much of the body of an error response is searched for the server's message, in bytes.
    pub failure: usize,
}
