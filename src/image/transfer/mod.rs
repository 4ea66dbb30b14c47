//! The bytes of an image between a library and a file: in parts, tried again, hashed while they flow.
//!
//! Memory does not grow with the image: a piece for each part that is under way, and a block for the hash.

pub(crate) mod download;
mod hash;
mod pace;
mod progress;
pub(crate) mod retry;

pub(crate) use hash::{Hasher, hash_file};
pub(crate) use pace::Speed;
pub(crate) use progress::Progress;

use crate::http::HttpError;
use crate::http::shown;
use crate::image::source::is_http_storage;
use crate::message::Talk;
use std::cell::Cell;
use std::fmt;
use std::io;
use url::Url;

/// Where the bytes of an image lie, as far as it has been said.
#[derive(Default)]
pub(crate) struct Storage {
    said: Cell<bool>,
}

impl Storage {
    /// Warns, once, where a server, asked at `asked` over https, lets the bytes go over http.
    pub(crate) fn used(&self, asked: &Url, url: &Url, talk: &Talk, progress: &Progress) {
        if is_http_storage(asked, url) && !self.said.replace(true) {
            let url = shown(url);
            progress
                .aside(|| talk.warning(format!("the image goes over http, where others can read it: {url}")));
        }
    }
}

/// Why a transfer failed.
#[derive(Debug)]
pub(crate) enum TransferError {
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
