//! Uploads a file to a library, in the best way that the library supports.

use crate::digest::Digest;
use crate::http::HttpError;
use crate::http::stream::FilePart;
use crate::image::transfer::retry::Patience;
use crate::image::transfer::{Progress, Speed, Storage, TransferError, hash_file};
use crate::message::Talk;
use crate::services::library::Library;
use crate::services::library::upload::{FinishedUpload, Parts, Received};
use crate::signals::Farewell;
use md5::{Digest as _, Md5};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use url::Url;

/// Only larger images are uploaded in parts, in bytes.
const PARTS_FROM: u64 = 64 << 20;
/// A server that has received a whole image may read it again before it responds. Allow one more second per this many
/// bytes.
const READ_AGAIN: u64 = 64 << 20;
/// The maximum time and number of requests for aborting an upload.
const FAREWELL: Duration = Duration::from_secs(10);
const ABORTS: u32 = 5;
/// How often the progress bar is redrawn and signals are checked.
const TICK: Duration = Duration::from_millis(100);

/// The upload of an image.
pub(crate) struct Upload<'a> {
    pub library: &'a Library,
    /// The library's ID of the image.
    pub image: &'a str,
    /// Open for reading.
    pub file: &'a Arc<File>,
    /// The length of the image in bytes.
    pub length: u64,
    /// Of the whole image.
    pub sha256: Digest,
    /// Whether the library supports version 2 uploads.
    pub v2: bool,
    /// Measures the speed and enforces the minimum.
    pub speed: Speed,
    pub progress: &'a Progress,
    /// For messages about retries.
    pub talk: &'a Talk,
    /// For a warning if the storage uses http.
    pub storage: Storage,
}

impl Upload<'_> {
    /// Uploads the image. Returns the details that the library gives at the end.
    ///
    /// # Errors
    ///
    /// The upload fails, even after retries, or the file cannot be read.
    pub(crate) async fn run(&self) -> Result<Option<FinishedUpload>, TransferError> {
        if !self.v2 {
            let send =
                async |part: FilePart<'_>| self.library.upload_v1(self.image, part, self.at_end()).await;
            return self.send(0..self.length, send).await;
        }
        if self.length > PARTS_FROM
            && let Some(parts) = self.library.start_parts(self.image, self.length).await?
        {
            return self.in_parts(&parts).await;
        }
        self.in_one().await
    }

    async fn put(
        &self,
        url: &Url,
        part: &FilePart<'_>,
        sha256: &str,
        always: bool,
        patience: Duration,
    ) -> Result<String, HttpError> {
        if self.library.http_storage {
            self.storage.used(&self.library.base.url, url, self.talk, self.progress);
        }
        self.library.put(url, part, sha256, always, patience).await
    }

    /// How long the server may take to respond after it has received everything.
    fn at_end(&self) -> Duration {
        self.library.http.limits().library + Duration::from_secs(self.length / READ_AGAIN)
    }

    async fn in_one(&self) -> Result<Option<FinishedUpload>, TransferError> {
        let (md5, sha256) = (self.md5()?, self.sha256.to_string());
        let library = self.library;
        let send = async |part: FilePart<'_>| {
            // Request a new URL for each try: a URL may be valid for only one request.
            let url = library.single_address(self.image, self.length, &sha256, &md5).await?;
            self.put(&url, &part, &sha256, false, self.at_end()).await
        };
        self.send(0..self.length, send).await?;
        Ok(library.complete_single(self.image, self.at_end()).await?)
    }

    /// The MD5 of the image, which the request for the upload URL of a whole image must include.
    fn md5(&self) -> io::Result<String> {
        let mut md5 = Md5::new();
        hash_file(self.file, 0, self.length, &mut |block| md5.update(block))?;
        Ok(md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    async fn in_parts(&self, parts: &Parts) -> Result<Option<FinishedUpload>, TransferError> {
        let farewell = Farewell::new(FAREWELL + Duration::from_secs(1));
        let result = tokio::select! {
            result = self.all_parts(parts) => result,
            () = asked(&farewell, 1) => Err(TransferError::File(io::ErrorKind::Interrupted.into())),
        };
        if result.is_err() {
            self.forget(parts, &farewell).await;
        }
        result
    }

    /// Aborts the upload on the server, because its parts would stay there and use up the quota. No part is being sent
    /// at this point.
    async fn forget(&self, parts: &Parts, farewell: &Farewell) {
        if farewell.asked() > 0 {
            let text =
                "Stopped: telling the library to discard the uploaded parts; press Ctrl-C to quit at once";
            self.progress.aside(|| self.talk.info(text));
        }
        let failed = tokio::select! {
            failed = self.abort(parts) => failed,
            () = asked(farewell, 2) => Some("interrupted again".to_string()),
            () = tokio::time::sleep(FAREWELL) => Some(format!("timed out after {} s", FAREWELL.as_secs())),
        };
        if let Some(why) = failed {
            let text =
                format!("uploaded parts may remain in the library and count against your quota: {why}");
            self.progress.aside(|| self.talk.warning(text));
        }
    }

    /// Repeats the abort request until the library no longer knows the upload, because a part in flight may arrive
    /// after the first one. Returns the error of the last request.
    async fn abort(&self, parts: &Parts) -> Option<String> {
        let mut pause = self.library.http.limits().pause;
        let mut failed = None;
        for attempt in 0..ABORTS {
            if attempt > 0 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            match self.library.abort_parts(self.image, parts).await {
                Ok(()) => failed = None,
                Err(error) if error.status() == Some(404) => return None,
                Err(error) => failed = Some(error.to_string()),
            }
        }
        failed
    }

    async fn all_parts(&self, parts: &Parts) -> Result<Option<FinishedUpload>, TransferError> {
        let mut received = Received::default();
        for number in 1..=parts.total {
            let start = (number - 1) * parts.size;
            let range = start..(start + parts.size).min(self.length);
            let size = range.end - range.start;
            let sha256 = match parts.hashed {
                true => hash_file(self.file, start, size, &mut |_| ())?.to_string(),
                false => String::new(),
            };
            let library = self.library;
            let send = async |part: FilePart<'_>| {
                let url = library.part_address(self.image, parts, number, size, &sha256).await?;
                self.put(&url, &part, &sha256, parts.hashed, library.http.limits().library).await
            };
            received.add(number, self.send(range, send).await?);
        }
        Ok(self.library.complete_parts(self.image, parts, &received, self.at_end()).await?)
    }

    /// Sends a range of the file with `once`, and retries temporary errors.
    async fn send<T>(
        &self,
        range: Range<u64>,
        once: impl AsyncFn(FilePart<'_>) -> Result<T, HttpError>,
    ) -> Result<T, TransferError> {
        let mut patience = Patience::new(self.library.http.limits().pause, self.talk, self.progress);
        loop {
            let moved = Arc::new(AtomicU64::new(0));
            let part = FilePart { file: self.file, range: range.clone(), moved: &moved, headers: &[] };
            self.speed.set(0);
            self.speed.restart();
            let result = tokio::select! {
                result = once(part) => result,
                never = self.show(&range, &moved) => never,
                crawls = self.speed.crawls(&self.library.base.url) => Err(crawls),
            };
            match result {
                Ok(answer) => {
                    self.progress.set(range.end);
                    return Ok(answer);
                }
                Err(error) => patience.wait(error).await?,
            }
        }
    }

    /// Updates the progress bar and the speed; never returns. The minimum speed does not apply before the first and
    /// after the last byte of the range.
    async fn show<T>(&self, range: &Range<u64>, moved: &AtomicU64) -> T {
        loop {
            let moved = moved.load(Ordering::Relaxed);
            self.progress.set(range.start + moved);
            self.speed.set(moved);
            if moved == 0 || moved >= range.end - range.start {
                self.speed.restart();
            }
            tokio::time::sleep(TICK).await;
        }
    }
}

/// Waits until the user has interrupted the program this many times.
async fn asked(farewell: &Farewell, times: usize) {
    while farewell.asked() < times {
        tokio::time::sleep(TICK).await;
    }
}
