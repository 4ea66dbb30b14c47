//! Transfers the bytes of an image between a library and a file: in parts, with retries, and hashed on the fly.
//!
//! The memory use does not depend on the size of the image: one chunk for each active part, and one block for the
//! hash.

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

/// Whether a warning about http storage has been printed.
#[derive(Default)]
pub(crate) struct Storage {
    said: Cell<bool>,
}

impl Storage {
    /// Warns once if the https server at `asked` uses the http URL `url` for the bytes of the image.
    pub(crate) fn used(&self, asked: &Url, url: &Url, talk: &Talk, progress: &Progress) {
        if is_http_storage(asked, url) && !self.said.replace(true) {
            let url = shown(url);
            progress.aside(|| {
                talk.warning(format!("the image is sent over plain http, where others can read it: {url}"))
            });
        }
    }
}

/// Why a transfer failed.
#[derive(Debug)]
pub(crate) enum TransferError {
    Http(HttpError),
    /// Reading or writing the local file failed.
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
