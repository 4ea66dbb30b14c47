//! Downloads a source into a file.

use super::retry::{Patience, TRIES};
use super::{Hasher, Progress, Speed, Storage, TransferError};
use crate::digest::Digest;
use crate::http::HttpError;
use crate::http::stream::Stream;
use crate::image::source::Source;
use crate::message::Talk;
use futures_util::future::try_join_all;
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use url::Url;

/// The minimum size of a partial response, in bytes. A server that sends less when more was requested is an error.
const LEAST: u64 = 64 << 10;

/// The download of an image.
pub(crate) struct Download<'a> {
    pub source: &'a Source,
    /// The number of bytes per request.
    pub part_size: u64,
    /// The number of parts that are downloaded concurrently.
    pub at_once: usize,
    /// Empty, open for reading and writing.
    pub file: &'a Arc<File>,
    /// Measures the speed and enforces the minimum.
    pub speed: Speed,
    /// The free space on the file system of the file in bytes, if known.
    pub room: Option<u64>,
    pub progress: &'a Progress,
    /// For messages about retries.
    pub talk: &'a Talk,
    /// For a warning if the storage uses http.
    pub storage: Storage,
}

/// The shared state of the parts.
struct Parts<'a> {
    download: &'a Download<'a>,
    hasher: &'a Hasher,
    /// The URL of the bytes after redirects. Replaced when it expires.
    address: RefCell<Url>,
    total: u64,
    /// The start of the next part.
    next: Cell<u64>,
}

impl Download<'_> {
    /// Downloads the file. Returns its length and its SHA-256.
    ///
    /// # Errors
    ///
    /// The download fails, even after retries, or the file cannot be written.
    pub(crate) async fn run(&self) -> Result<(u64, Digest), TransferError> {
        tokio::select! {
            result = self.whole() => result,
            error = self.speed.crawls(&self.source.address.url) => Err(error.into()),
            never = self.progress.keep_drawing() => never,
        }
    }

    async fn whole(&self) -> Result<(u64, Digest), TransferError> {
        let hasher = Hasher::start(Arc::clone(self.file))?;
        let mut patience = self.patience();
        let (first, total) = loop {
            match self.begin().await {
                Ok(begun) => break begun,
                Err(error) => self.wait(&mut patience, error).await?,
            }
        };
        self.speed.restart();
        self.require_room(total)?;
        self.progress.set_total(total);
        let total = match (first.status, total) {
            (206, Some(total)) => self.in_parts(first, total, &hasher).await?,
            _ => self.in_one(first, total, &hasher).await?,
        };
        Ok((total, hasher.finish(total)?))
    }

    /// The first response, and the length of the image, if known.
    async fn begin(&self) -> Result<(Stream, Option<u64>), HttpError> {
        let range = 0..self.part_size;
        let first = self.open(&self.source.address.url, range.clone()).await?;
        if first.status == 206 {
            let total = self.check(&first, &range, None)?;
            return Ok((first, Some(total)));
        }
        if let Some(length) = first.length {
            self.check_total(&first, length)?;
        }
        let total = self.source.size.or(first.length);
        Ok((first, total))
    }

    /// Checks the free space if the length of the image was not known before the download.
    fn require_room(&self, total: Option<u64>) -> io::Result<()> {
        match (total, self.room) {
            (Some(needed), Some(room)) if self.source.size.is_none() && needed > room => {
                Err(io::Error::other(format!(
                    "not enough space: the image has {needed} bytes, but only {room} are free"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Whether an image of unknown length has become too long. Part of the free space is left for others.
    fn fills_the_disk(&self, length: u64, total: Option<u64>) -> bool {
        const KEPT_PERCENT: u64 = 5;
        total.is_none() && self.room.is_some_and(|room| length > room - room / 100 * KEPT_PERCENT)
    }

    fn patience(&self) -> Patience<'_> {
        Patience::new(self.source.pause, self.talk, self.progress)
    }

    /// Waits before a retry, and then restarts the measurement of the speed.
    async fn wait(&self, patience: &mut Patience<'_>, error: HttpError) -> Result<(), HttpError> {
        let waited = patience.wait(error).await;
        self.speed.restart();
        waited
    }

    async fn open(&self, url: &Url, range: Range<u64>) -> Result<Stream, HttpError> {
        let stream = self.source.open(url, range).await?;
        self.storage.used(&self.source.address.url, &stream.url, self.talk, self.progress);
        Ok(stream)
    }

    /// Checks the headers of a 206 against the request and the known length. Returns the length of the image.
    fn check(&self, stream: &Stream, asked: &Range<u64>, total: Option<u64>) -> Result<u64, HttpError> {
        let Some(found) = stream.content_range else {
            return Err(stream.broken("the server sent a part without saying which one (no Content-Range)"));
        };
        let length = found.last - found.first + 1;
        if found.first != asked.start || found.last >= asked.end {
            return Err(stream.broken(format!(
                "the server sent bytes {}-{}, but {}-{} were requested",
                found.first,
                found.last,
                asked.start,
                asked.end - 1
            )));
        }
        if stream.length.is_some_and(|told| told != length) {
            return Err(stream.broken("the server's Content-Length does not match its Content-Range"));
        }
        let whole = found.total.or(total).or(self.source.size);
        let whole = whole.ok_or_else(|| stream.broken("the length of the image is unknown"))?;
        self.check_total(stream, whole)?;
        if total.is_some_and(|total| total != whole) {
            return Err(stream.broken(format!("the length of the image has changed to {whole} bytes")));
        }
        if length < LEAST && found.last + 1 < asked.end.min(whole) {
            return Err(stream.broken(format!("the server sent only {length} bytes of a part")));
        }
        Ok(whole)
    }

    fn check_total(&self, stream: &Stream, whole: u64) -> Result<(), HttpError> {
        match self.source.size {
            Some(size) if size != whole => Err(stream.broken(format!(
                "the server has {whole} bytes, but the {} says that the image has {size}",
                self.source.server
            ))),
            _ => Ok(()),
        }
    }

    async fn in_parts(&self, first: Stream, total: u64, hasher: &Hasher) -> Result<u64, TransferError> {
        let parts = Parts {
            download: self,
            hasher,
            address: RefCell::new(first.url.clone()),
            total,
            next: Cell::new(self.part_size.min(total)),
        };
        let mut first = Some(first);
        let workers = (0..self.at_once.max(1)).map(|_| parts.work(first.take()));
        try_join_all(workers).await?;
        Ok(total)
    }

    /// Downloads the image in one response. If it is interrupted, resumes there, or skips the existing bytes of a new
    /// response.
    async fn in_one(
        &self,
        first: Stream,
        mut total: Option<u64>,
        hasher: &Hasher,
    ) -> Result<u64, TransferError> {
        let (mut patience, mut at) = (self.patience(), 0);
        let mut stream = first;
        let (mut skip, mut mark) = (0, 0);
        loop {
            let error = match self.pour(&mut stream, &mut at, &mut skip, total, hasher).await {
                Ok(()) if total.is_none_or(|total| at == total) => return Ok(at),
                Ok(()) => stream.broken(format!("the server stopped after {at} bytes")),
                Err(TransferError::Http(error)) => error,
                Err(other) => return Err(other),
            };
            if at - mark >= self.part_size {
                (mark, patience) = (at, self.patience());
            }
            patience.wait(error).await?;
            let end = total.unwrap_or(i64::MAX as u64);
            (stream, skip) = loop {
                match self.reopen(at..end, &mut total).await {
                    Ok(reopened) => break reopened,
                    Err(error) => self.wait(&mut patience, error).await?,
                }
            };
        }
    }

    /// A response with the rest of the image, and the number of bytes at its start to skip.
    async fn reopen(&self, range: Range<u64>, total: &mut Option<u64>) -> Result<(Stream, u64), HttpError> {
        let stream = self.open(&self.source.address.url, range.clone()).await?;
        if stream.status != 206 {
            return Ok((stream, range.start));
        }
        *total = Some(self.check(&stream, &range, *total)?);
        Ok((stream, 0))
    }

    /// Writes the response to the file, except its first `skip` bytes, which are already there.
    async fn pour(
        &self,
        stream: &mut Stream,
        at: &mut u64,
        skip: &mut u64,
        total: Option<u64>,
        hasher: &Hasher,
    ) -> Result<(), TransferError> {
        while let Some(mut chunk) = stream.chunk().await? {
            self.speed.add(chunk.len() as u64);
            let known = (*skip).min(chunk.len() as u64);
            *skip -= known;
            let fresh = chunk.split_off(known as usize);
            let end = *at + fresh.len() as u64;
            if total.is_some_and(|total| end > total) {
                return Err(stream.unexpected("the server sent more bytes than the image has").into());
            }
            if self.fills_the_disk(end, total) {
                let text = format!(
                    "the server does not give the length of the image, and the disk is almost full: stopped after {at} bytes"
                );
                return Err(io::Error::other(text).into());
            }
            self.keep(&fresh, *at, hasher)?;
            *at = end;
        }
        Ok(())
    }

    fn keep(&self, bytes: &[u8], at: u64, hasher: &Hasher) -> Result<(), TransferError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.file.write_all_at(bytes, at)?;
        hasher.add(at, at + bytes.len() as u64);
        self.progress.add(bytes.len() as u64);
        Ok(())
    }
}

impl Parts<'_> {
    /// Downloads one part after another. `stream` is the response for the first part, if there is one.
    async fn work(&self, mut stream: Option<Stream>) -> Result<(), TransferError> {
        if let Some(stream) = stream.take() {
            self.part(0..self.download.part_size.min(self.total), Some(stream)).await?;
        }
        loop {
            let start = self.next.get();
            if start >= self.total {
                return Ok(());
            }
            let end = start.saturating_add(self.download.part_size).min(self.total);
            self.next.set(end);
            self.part(start..end, None).await?;
        }
    }

    /// Downloads one part. If it is interrupted, resumes there.
    async fn part(&self, mut range: Range<u64>, mut stream: Option<Stream>) -> Result<(), TransferError> {
        let (mut patience, mut renewals) = (self.download.patience(), TRIES);
        while !range.is_empty() {
            let address = self.address.borrow().clone();
            match self.some(&mut range, &address, stream.take()).await {
                Ok(()) => {}
                Err(TransferError::Http(error)) => {
                    let gone = matches!(error.status(), Some(401 | 403 | 404 | 410));
                    if gone && address != self.download.source.address.url && renewals > 0 {
                        // A presigned URL may expire soon.
                        renewals -= 1;
                        self.forget(&address);
                    } else {
                        self.download.wait(&mut patience, error).await?;
                    }
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// Discards an expired URL, so that the next request asks the source for a new one. Does nothing if another part
    /// has already replaced it.
    fn forget(&self, address: &Url) {
        let mut current = self.address.borrow_mut();
        if *current == *address {
            *current = self.download.source.address.url.clone();
        }
    }

    /// Requests the rest of a part, and writes what arrives.
    async fn some(
        &self,
        range: &mut Range<u64>,
        address: &Url,
        stream: Option<Stream>,
    ) -> Result<(), TransferError> {
        let mut stream = match stream {
            Some(stream) => stream,
            None => {
                let stream = self.download.open(address, range.clone()).await?;
                if stream.status != 206 {
                    let text = "the server sent the whole image, but a part was requested";
                    return Err(stream.broken(text).into());
                }
                self.download.check(&stream, range, Some(self.total))?;
                *self.address.borrow_mut() = stream.url.clone();
                stream
            }
        };
        let end = stream.content_range.map_or(range.end, |found| found.last + 1);
        while let Some(chunk) = stream.chunk().await? {
            self.download.speed.add(chunk.len() as u64);
            let upto = range.start + chunk.len() as u64;
            if upto > end {
                return Err(stream.broken("the server sent more bytes than it announced").into());
            }
            self.download.keep(&chunk, range.start, self.hasher)?;
            range.start = upto;
        }
        if range.start < end {
            return Err(stream.broken("the server stopped in the middle of a part").into());
        }
        Ok(())
    }
}
