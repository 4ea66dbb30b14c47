//! The three ways in which a library takes the bytes of an image, each step a request.

use super::wire::{CompletedPart, Finished, PartStart, PartStarted, PartsAbort, PartsEnd, PartsStart};
use super::wire::{PartsStarted, SingleStart, SingleStarted};
use super::{Library, made_address, read};
use crate::http::stream::{Call, Content, FilePart};
use crate::http::{HttpError, Response, shown};
use crate::image::source::{chose_http, is_http_storage};
use reqwest::Method;
use std::time::Duration;
use url::Url;

pub use super::wire::{Finished as FinishedUpload, Quota as UploadQuota};

/// An image may have as many parts as object stores allow.
const MOST_PARTS: u64 = 10_000;
/// Signed into the address by stores that check it.
const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// An upload in parts that the library has begun.
#[derive(Clone, Debug)]
pub struct Parts {
    id: String,
    /// How many there are to be.
    pub total: u64,
    /// Bytes in each but the last.
    pub size: u64,
    /// Whether the SHA-256 of each part is wanted.
    pub hashed: bool,
}

/// The parts that are there, by what the store said of each.
#[derive(Clone, Default)]
pub struct Received(Vec<CompletedPart>);

impl Library {
    /// Sends the whole image in one request, as the first version of the API has it.
    ///
    /// # Errors
    ///
    /// No answer, or one that means failure.
    pub async fn upload_v1(
        &self,
        image: &str,
        part: FilePart<'_>,
        patience: Duration,
    ) -> Result<Option<Finished>, HttpError> {
        let url = self.url(&format!("v1/imagefile/{image}"));
        let response = self.call_within(Method::POST, &url, Content::File(part), patience).await?;
        accepted(response).map(|response| finished(&response))
    }

    /// Asks for an address that takes the whole image.
    ///
    /// # Errors
    ///
    /// No answer, one that means failure, or no address in it.
    pub async fn single_address(
        &self,
        image: &str,
        filesize: u64,
        sha256sum: &str,
        md5sum: &str,
    ) -> Result<Url, HttpError> {
        let document = SingleStart { filesize, sha256sum, md5sum };
        let response = self.post(&format!("v2/imagefile/{image}"), &document).await?;
        named_address(&response)
    }

    /// Sends bytes to an address that the library made for them; the token does not go there. Returns what
    /// the store calls them, empty where it does not say.
    ///
    /// # Errors
    ///
    /// No answer, or another status than 200; an http address that a library asked over https must not name.
    pub async fn put(
        &self,
        url: &Url,
        part: &FilePart<'_>,
        sha256: &str,
        always: bool,
        patience: Duration,
    ) -> Result<String, HttpError> {
        if is_http_storage(&self.base.url, url) && !self.http_storage {
            return Err(chose_http("library", &self.base.url, &shown(url)));
        }
        let mut headers = vec![("content-type", "application/octet-stream".to_string())];
        if always || signs_sha256(url) {
            headers.push((CONTENT_SHA256, sha256.to_string()));
        }
        let content = Content::File(FilePart { headers: &headers, ..part.clone() });
        let call = Call {
            method: Method::PUT,
            to: &self.base.at(url.clone()),
            login: None,
            content,
            timeout: patience,
        };
        let response = self.http.call(call).await?.ok()?;
        Ok(response.etag.unwrap_or_default())
    }

    /// Says that all of the image is at the address of [`Library::single_address`].
    ///
    /// # Errors
    ///
    /// No answer, or one that means failure.
    pub async fn complete_single(
        &self,
        image: &str,
        patience: Duration,
    ) -> Result<Option<Finished>, HttpError> {
        let url = self.url(&format!("v2/imagefile/{image}/_complete"));
        let content = Content::Json(b"{}".to_vec());
        let response = self.call_within(Method::PUT, &url, content, patience).await?;
        accepted(response).map(|response| finished(&response))
    }

    /// Begins an upload in parts; `None` where the library has no such thing.
    ///
    /// # Errors
    ///
    /// No answer, one that means failure, or parts that do not make `filesize` bytes.
    pub async fn start_parts(&self, image: &str, filesize: u64) -> Result<Option<Parts>, HttpError> {
        let response =
            match self.post(&format!("v2/imagefile/{image}/_multipart"), &PartsStart { filesize }).await {
                Err(error) if error.status() == Some(404) => return Ok(None),
                other => other?,
            };
        begun_parts(&response, filesize).map(Some)
    }

    /// Asks for an address that takes one part, counted from 1.
    ///
    /// # Errors
    ///
    /// No answer, one that means failure, or no address in it.
    pub async fn part_address(
        &self,
        image: &str,
        parts: &Parts,
        number: u64,
        size: u64,
        sha256: &str,
    ) -> Result<Url, HttpError> {
        let document = PartStart { part_size: size, upload_id: &parts.id, part_number: number, sha256 };
        let path = format!("v2/imagefile/{image}/_multipart");
        let response = self.change(Method::PUT, &path, &document).await?;
        let started: PartStarted = read(&response, "the answer names no address to send the part to")?;
        made_address(&started.presigned_url, &response)
    }

    /// Says that all parts are there.
    ///
    /// # Errors
    ///
    /// No answer, or one that means failure.
    pub async fn complete_parts(
        &self,
        image: &str,
        parts: &Parts,
        received: &Received,
        patience: Duration,
    ) -> Result<Option<Finished>, HttpError> {
        let document = PartsEnd { upload_id: &parts.id, completed_parts: &received.0 };
        let text = serde_json::to_vec(&document).expect("documents of text and numbers are JSON");
        let url = self.url(&format!("v2/imagefile/{image}/_multipart_complete"));
        let response = self.call_within(Method::PUT, &url, Content::Json(text), patience).await?;
        accepted(response).map(|response| finished(&response))
    }

    /// Tells the library to forget the parts that it has.
    ///
    /// # Errors
    ///
    /// No answer, or one that means failure.
    pub async fn abort_parts(&self, image: &str, parts: &Parts) -> Result<(), HttpError> {
        let document = PartsAbort { upload_id: &parts.id };
        self.change(Method::PUT, &format!("v2/imagefile/{image}/_multipart_abort"), &document).await?;
        Ok(())
    }
}

impl Received {
    /// Notes that a part, counted from 1, is there under this name.
    pub fn add(&mut self, number: u64, token: String) {
        self.0.push(CompletedPart { part_number: number, token });
    }
}

/// The address for a whole image in an answer.
///
/// # Errors
///
/// There is none in it, or one that is neither http nor https.
pub fn named_address(response: &Response) -> Result<Url, HttpError> {
    let started: SingleStarted = read(response, "the answer names no address to send the image to")?;
    made_address(&started.upload_url, response)
}

/// The parts in which an answer wants an image of `filesize` bytes.
///
/// # Errors
///
/// It wants none, or some that do not make `filesize` bytes.
pub fn begun_parts(response: &Response, filesize: u64) -> Result<Parts, HttpError> {
    let started: PartsStarted = read(response, "the answer begins no upload in parts")?;
    let fits = started.part_size > 0
        && started.total_parts <= MOST_PARTS
        && started.total_parts == filesize.div_ceil(started.part_size);
    if !fits || started.upload_id.is_empty() {
        let text = format!(
            "the library wants {} parts of {} bytes, which do not make an image of {filesize}",
            started.total_parts, started.part_size
        );
        return Err(response.unexpected(text));
    }
    let compliant = started.options.and_then(|options| options.s3compliant);
    let hashed = compliant.is_none_or(|text| text.is_empty() || text == "true");
    Ok(Parts { id: started.upload_id, total: started.total_parts, size: started.part_size, hashed })
}

fn accepted(response: Response) -> Result<Response, HttpError> {
    if (200..300).contains(&response.status) { Ok(response) } else { Err(response.failure()) }
}

/// What a library says of a finished upload. It may say nothing, and what it says is not worth a failure.
pub fn finished(response: &Response) -> Option<Finished> {
    read(response, "").ok()
}

/// Whether an address is made for a request that names the SHA-256 of its content.
fn signs_sha256(url: &Url) -> bool {
    let signed = url.query_pairs().find(|(name, _)| name == "X-Amz-SignedHeaders");
    signed.is_some_and(|(_, names)| names.split(';').any(|name| name == CONTENT_SHA256))
}
