//! From a file to a library, in the best way that it offers.

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

/// Smaller images are not sent in parts.
const PARTS_FROM: u64 = 64 << 20;
/// A server that has all of an image reads it once more before it answers: a second more for so many bytes.
const READ_AGAIN: u64 = 64 << 20;
/// How long and how often the server is told to forget an upload.
const FAREWELL: Duration = Duration::from_secs(10);
const ABORTS: u32 = 5;
/// How often the bar is drawn anew, and looked for a signal.
const TICK: Duration = Duration::from_millis(100);

/// An image on its way up.
pub(crate) struct Upload<'a> {
    /// Where it goes.
    pub library: &'a Library,
    /// The library's id for it.
    pub image: &'a str,
    /// Open for reading.
    pub file: &'a Arc<File>,
    /// Its length.
    pub length: u64,
    /// Of the whole image.
    pub sha256: Digest,
    /// Whether the library has the second way, or only the first.
    pub v2: bool,
    /// How fast it has to go.
    pub speed: Speed,
    /// Hears how far it is.
    pub progress: &'a Progress,
    /// Hears of what is tried again.
    pub talk: &'a Talk,
    /// What has been said of where the bytes go.
    pub storage: Storage,
}

impl Upload<'_> {
    /// Sends the image. Returns what the library says of it at the end.
    ///
    /// # Errors
    ///
    /// The library does not take it, tries and all, or the file cannot be read.
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

    /// How long the server may take for its answer once it has everything.
    fn at_end(&self) -> Duration {
        self.library.http.limits().library + Duration::from_secs(self.length / READ_AGAIN)
    }

    async fn in_one(&self) -> Result<Option<FinishedUpload>, TransferError> {
        let (md5, sha256) = (self.md5()?, self.sha256.to_string());
        let library = self.library;
        let send = async |part: FilePart<'_>| {
            // A new address for each try: an address may be good for one request.
            let url = library.single_address(self.image, self.length, &sha256, &md5).await?;
            self.put(&url, &part, &sha256, false, self.at_end()).await
        };
        self.send(0..self.length, send).await?;
        Ok(library.complete_single(self.image, self.at_end()).await?)
    }

    /// The other checksum that the address of a whole image is made for.
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

    /// Ends the upload on the server: its parts would stay there, and count. No part is sent any more.
    async fn forget(&self, parts: &Parts, farewell: &Farewell) {
        if farewell.asked() > 0 {
            let text = "Stopped: the library is told to forget the parts that it has; Ctrl-C ends at once";
            self.progress.aside(|| self.talk.info(text));
        }
        let failed = tokio::select! {
            failed = self.abort(parts) => failed,
            () = asked(farewell, 2) => Some("interrupted again".to_string()),
            () = tokio::time::sleep(FAREWELL) => Some(format!("no answer within {} s", FAREWELL.as_secs())),
        };
        if let Some(why) = failed {
            let text = format!("parts of the upload may remain in the library, and count there: {why}");
            self.progress.aside(|| self.talk.warning(text));
        }
    }

    /// Aborts until the library no longer knows the upload: a part in flight may arrive after the first time.
    /// Returns what went wrong the last time.
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

    /// Sends bytes of the file by `once`, and again where that is worth it.
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

    /// Draws the bar, measures the speed, and never ends. A server that has everything may take its time.
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

/// Waits until the user has asked for the end so often.
async fn asked(farewell: &Farewell, times: usize) {
    while farewell.asked() < times {
        tokio::time::sleep(TICK).await;
    }
}
