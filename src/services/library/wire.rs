//! The wire formats of the Library API.

use crate::http::bounded::{self, List, Names};
use crate::http::{HttpError, Response};
use serde::{Deserialize, Serialize};

/// The envelope of every document.
#[derive(Deserialize)]
pub(super) struct Envelope<T> {
    pub data: T,
}

/// The images that a search found. Only the first 1,000 are kept.
pub type Found = List<Image, 1000>;

/// An image as the library describes it. All strings are the library's own; long ones are truncated.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// `sha256.<hex>`.
    #[serde(default, deserialize_with = "bounded::shown")]
    pub hash: Option<String>,
    /// In bytes.
    #[serde(default)]
    pub size: Option<u64>,
    /// In Go's notation.
    #[serde(default, deserialize_with = "bounded::shown")]
    pub arch: Option<String>,
    /// In the library's order.
    #[serde(default)]
    pub tags: Option<Names>,
    /// The fingerprints of the keys that signed the image.
    #[serde(default)]
    pub fingerprints: Option<Names>,
    #[serde(default)]
    pub signed: Option<bool>,
    /// The first part of the path.
    #[serde(default, deserialize_with = "bounded::shown")]
    pub entity_name: Option<String>,
    /// The second part of the path.
    #[serde(default, deserialize_with = "bounded::shown")]
    pub collection_name: Option<String>,
    /// The third part of the path.
    #[serde(default, deserialize_with = "bounded::shown")]
    pub container_name: Option<String>,
    /// As written by the user who pushed it.
    #[serde(default, deserialize_with = "bounded::shown")]
    pub description: Option<String>,
    /// Whether the library has the bytes of the image.
    #[serde(default)]
    pub uploaded: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct SearchData {
    #[serde(default)]
    pub image: Option<Found>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionData {
    #[serde(default, deserialize_with = "bounded::shown")]
    pub api_version: Option<String>,
}

/// An object that was created or found.
#[derive(Deserialize)]
pub(super) struct Created {
    #[serde(default, deserialize_with = "bounded::shown")]
    pub id: Option<String>,
    #[serde(default)]
    pub uploaded: Option<bool>,
}

/// Checks an ID, because it becomes part of a path.
pub(super) fn require_id(response: &Response, id: Option<String>) -> Result<String, HttpError> {
    let plain = |id: &String| {
        !id.is_empty()
            && id.len() <= 255
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
    };
    id.filter(plain).ok_or_else(|| response.unexpected("the response contains no valid ID"))
}

/// The levels above an image. A push creates the missing ones.
#[derive(Clone, Copy, Debug)]
pub(super) enum Level {
    Entity,
    Collection,
    Container,
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Collection => "collection",
            Self::Container => "container",
        }
    }

    /// The path of the API for this level.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Entity => "v1/entities",
            Self::Collection => "v1/collections",
            Self::Container => "v1/containers",
        }
    }
}

/// The request to create an entity, collection or container.
#[derive(Serialize)]
pub(super) struct NewLevel<'a> {
    name: &'a str,
    description: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    collection: Option<&'a str>,
}

impl<'a> NewLevel<'a> {
    pub(super) fn new(name: &'a str, level: Level, parent: &'a str) -> Self {
        let (entity, collection) = match level {
            Level::Entity => (None, None),
            Level::Collection => (Some(parent), None),
            Level::Container => (None, Some(parent)),
        };
        Self { name, description: "No description", entity, collection }
    }
}

#[derive(Serialize)]
pub(super) struct NewImage<'a> {
    pub hash: &'a str,
    pub description: &'a str,
    pub container: &'a str,
}

/// The API uses capitalized keys here.
#[derive(Serialize)]
pub(super) struct TagOnly<'a> {
    #[serde(rename = "Tag")]
    pub tag: &'a str,
    #[serde(rename = "ImageID")]
    pub image: &'a str,
}

#[derive(Serialize)]
pub(super) struct TagByArch<'a> {
    #[serde(rename = "Arch")]
    pub arch: &'a str,
    #[serde(rename = "Tag")]
    pub tag: &'a str,
    #[serde(rename = "ImageID")]
    pub image: &'a str,
}

/// `POST v2/imagefile/<id>`.
#[derive(Serialize)]
pub(super) struct SingleStart<'a> {
    pub filesize: u64,
    pub sha256sum: &'a str,
    pub md5sum: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SingleStarted {
    #[serde(rename = "uploadURL", deserialize_with = "bounded::exact")]
    pub upload_url: String,
}

/// `POST v2/imagefile/<id>/_multipart`.
#[derive(Serialize)]
pub(super) struct PartsStart {
    pub filesize: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartsStarted {
    #[serde(rename = "uploadID", deserialize_with = "bounded::exact")]
    pub upload_id: String,
    pub total_parts: u64,
    pub part_size: u64,
    #[serde(default)]
    pub options: Option<PartsOptions>,
}

/// Only the option that this program uses.
#[derive(Deserialize)]
pub(super) struct PartsOptions {
    #[serde(default, deserialize_with = "bounded::shown")]
    pub s3compliant: Option<String>,
}

/// `PUT v2/imagefile/<id>/_multipart`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartStart<'a> {
    pub part_size: u64,
    #[serde(rename = "uploadID")]
    pub upload_id: &'a str,
    pub part_number: u64,
    #[serde(rename = "sha256sum")]
    pub sha256: &'a str,
}

#[derive(Deserialize)]
pub(super) struct PartStarted {
    #[serde(rename = "presignedURL", deserialize_with = "bounded::exact")]
    pub presigned_url: String,
}

/// `PUT v2/imagefile/<id>/_multipart_complete`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartsEnd<'a> {
    #[serde(rename = "uploadID")]
    pub upload_id: &'a str,
    pub completed_parts: &'a [CompletedPart],
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CompletedPart {
    pub part_number: u64,
    pub token: String,
}

/// `PUT v2/imagefile/<id>/_multipart_abort`.
#[derive(Serialize)]
pub(super) struct PartsAbort<'a> {
    #[serde(rename = "uploadID")]
    pub upload_id: &'a str,
}

/// The optional details in the response to a finished upload.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Finished {
    /// The user's quota in this library.
    #[serde(default)]
    pub quota: Option<Quota>,
    /// The path of the container's web page on the endpoint.
    #[serde(rename = "containerUrl", default, deserialize_with = "bounded::shown")]
    pub container_url: Option<String>,
}

/// In bytes.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    /// 0 means unlimited.
    #[serde(rename = "quotaTotal", default)]
    pub total: u64,
    #[serde(rename = "quotaUsage", default)]
    pub used: u64,
}
