//! The bytes of an image between a library and a file: in parts, tried again, hashed while they flow.
//!
//! Memory does not grow with the image: a piece for each part that is under way, and a block for the hash.

pub mod download;
mod hash;
mod progress;
mod retry;
pub mod upload;

pub use hash::{Hasher, hash_file};
pub use progress::Progress;

use crate::services::HttpError;
use std::fmt;
use std::io;

/// Why a transfer failed.
#[derive(Debug)]
pub enum TransferError {
    /// The server, or the way to it.
    Http(HttpError),
    /// The file on this side.
    File(io::Error),
}

impl std::error::Error for TransferError {}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error) => error.fmt(f),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl From<HttpError> for TransferError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<io::Error> for TransferError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}
