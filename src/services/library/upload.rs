//! The three ways to upload the bytes of an image to a library. Each function sends one request.

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

/// The maximum number of parts of an image, which is the limit of object stores.
const MOST_PARTS: u64 = 10_000;
/// Stores that check this header include it in the signature of the URL.
const CONTENT_SHA256: &str = "x-amz-content-sha256";

/// A multipart upload that the library has started.
#[derive(Clone, Debug)]
pub struct Parts {
    id: String,
    /// The number of parts.
    pub total: u64,
    /// The size of each part in bytes. The last one may be smaller.
    pub size: u64,
    /// Whether the library requires the SHA-256 of each part.
    pub hashed: bool,
}

/// The uploaded parts, each with the ETag that the store returned.
#[derive(Clone, Default)]
pub struct Received(Vec<CompletedPart>);

impl Library {
    /// Sends the whole image in one request, as in version 1 of the API.
    ///
    /// # Errors
    ///
    /// No response, or an error status.
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

    /// Requests a URL for uploading the whole image.
    ///
    /// # Errors
    ///
    /// No response, an error status, or a response without a valid URL.
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

    /// Uploads bytes to a URL that the library created. The token is not sent. Returns the ETag of the uploaded data;
    /// empty if the store returns none.
    ///
    /// # Errors
    ///
    /// No response, a status other than 200, or an http URL from an https library if that is not allowed.
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

    /// Tells the library that the image has been uploaded to the URL from [`Library::single_address`].
    ///
    /// # Errors
    ///
    /// No response, or an error status.
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

    /// Starts a multipart upload; `None` if the library does not support it.
    ///
    /// # Errors
    ///
    /// No response, an error status, or parts that do not add up to `filesize` bytes.
    pub async fn start_parts(&self, image: &str, filesize: u64) -> Result<Option<Parts>, HttpError> {
        let response =
            match self.post(&format!("v2/imagefile/{image}/_multipart"), &PartsStart { filesize }).await {
                Err(error) if error.status() == Some(404) => return Ok(None),
                other => other?,
            };
        begun_parts(&response, filesize).map(Some)
    }

    /// Requests a URL for uploading one part. Parts are numbered from 1.
    ///
    /// # Errors
    ///
    /// No response, an error status, or a response without a valid URL.
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
        let started: PartStarted = read(&response, "the response contains no upload URL for the part")?;
        made_address(&started.presigned_url, &response)
    }

    /// Tells the library that all parts have been uploaded.
    ///
    /// # Errors
    ///
    /// No response, or an error status.
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

    /// Tells the library to discard the uploaded parts.
    ///
    /// # Errors
    ///
    /// No response, or an error status.
    pub async fn abort_parts(&self, image: &str, parts: &Parts) -> Result<(), HttpError> {
        let document = PartsAbort { upload_id: &parts.id };
        self.change(Method::PUT, &format!("v2/imagefile/{image}/_multipart_abort"), &document).await?;
        Ok(())
    }
}

impl Received {
    /// Records that a part, numbered from 1, was uploaded and got this ETag.
    pub fn add(&mut self, number: u64, token: String) {
        self.0.push(CompletedPart { part_number: number, token });
    }
}

/// The upload URL for a whole image in a response.
///
/// # Errors
///
/// The response has no URL, or one that is neither http nor https.
pub fn named_address(response: &Response) -> Result<Url, HttpError> {
    let started: SingleStarted = read(response, "the response contains no valid upload URL")?;
    made_address(&started.upload_url, response)
}

/// The parts that a response requests for an image of `filesize` bytes.
///
/// # Errors
///
/// The response requests no parts, or parts that do not add up to `filesize` bytes.
pub fn begun_parts(response: &Response, filesize: u64) -> Result<Parts, HttpError> {
    let started: PartsStarted = read(response, "the response does not start a multipart upload")?;
    let fits = started.part_size > 0
        && started.total_parts <= MOST_PARTS
        && started.total_parts == filesize.div_ceil(started.part_size);
    if !fits || started.upload_id.is_empty() {
        let text = format!(
            "the library requests {} parts of {} bytes, which do not add up to the image's {filesize} bytes",
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

/// The details of a finished upload. They are optional, so an invalid response is not an error.
pub fn finished(response: &Response) -> Option<Finished> {
    read(response, "").ok()
}

/// Whether the signature of a presigned URL includes the SHA-256 header.
fn signs_sha256(url: &Url) -> bool {
    let signed = url.query_pairs().find(|(name, _)| name == "X-Amz-SignedHeaders");
    signed.is_some_and(|(_, names)| names.split(';').any(|name| name == CONTENT_SHA256))
}
