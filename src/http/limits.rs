//! How long a server may take, and how much it may say.

use std::time::Duration;

/// What holds for every request. What a GET may take and bring, its [`super::Get`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// Between two pieces of a body, whichever way it goes, and for the head of an answer that is a stream.
    pub stall: Duration,
    /// Longest answer to a [`super::stream::Call`], in bytes.
    pub document: usize,
    /// How much of the body of a failure is looked at for the server's message, in bytes.
    pub failure: usize,
}
