//! The Library API: queries and changes images in a library.
//!
//! The wire formats are separate from the types that the rest of the program uses. See [`upload`] for uploading the
//! bytes of an image, and [`crate::image::transfer`] for downloading them.

pub(crate) mod send;
pub mod upload;
mod wire;

use crate::arch::Arch;
use crate::digest::Digest;
use crate::http::stream::{Call, Content};
use crate::http::{Address, Get, HttpError, HttpErrorKind, Login, Response};
use crate::image::source::Source;
use crate::secret::Secret;
use crate::services::Client;
use reqwest::Method;
use semver::Version;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use url::Url;
use wire::{Created, Envelope, Level, SearchData, TagByArch, TagOnly, VersionData};

pub use wire::{Found, Image};

/// A library and the settings for requests to it.
#[derive(Clone)]
pub struct Library {
    pub http: Client,
    /// The base URL of all requests.
    pub base: Address,
    /// Sent only to the origin of `base`.
    pub token: Option<Secret>,
    /// Allow an https library to give an http URL for the bytes of an image.
    pub http_storage: bool,
}

/// The features of a library beyond version 1 of the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Uploads to a presigned URL, also in parts.
    pub v2_upload: bool,
    /// The same tag for images of several architectures.
    pub arch_tags: bool,
}

impl Library {
    /// The images of one architecture that match `value`.
    ///
    /// # Errors
    ///
    /// No response, an error status, or a response that is not a list of images.
    pub async fn search(&self, value: &str, arch: Arch, signed: bool) -> Result<Found, HttpError> {
        let mut url = self.url("v1/search");
        url.query_pairs_mut().append_pair("arch", arch.name());
        if signed {
            url.query_pairs_mut().append_pair("signed", "true");
        }
        url.query_pairs_mut().append_pair("value", value);
        let response = self.get(&url).await?.ok()?;
        found_images(&response)
    }

    /// The description of `image` (`path:tag`); `None` if the library has none for this architecture.
    ///
    /// # Errors
    ///
    /// No response, an error status, or a response that does not describe an image.
    pub async fn image(&self, image: &str, arch: Arch) -> Result<Option<Image>, HttpError> {
        let response = self.get(&self.image_url("v1/images", image, arch)).await?;
        if response.status == 404 {
            return Ok(None);
        }
        described_image(&response.ok()?).map(Some)
    }

    /// The source from which to download `image` (`path:tag`).
    pub fn source(&self, image: &str, arch: Arch, sha256: Digest, size: Option<u64>) -> Source {
        let limits = self.http.limits();
        Source {
            http: self.http.http().clone(),
            address: self.base.at(self.image_url("v1/imagefile", image, arch)),
            token: self.token.clone(),
            http_storage: self.http_storage,
            server: "library",
            sha256,
            // A size of 0 means unknown.
            size: size.filter(|size| *size > 0),
            pause: limits.pause,
            pace: limits.pace,
        }
    }

    /// Deletes `image` (`path:tag`). Returns whether it existed.
    ///
    /// # Errors
    ///
    /// No response, or an error status.
    pub async fn delete(&self, image: &str, arch: Arch) -> Result<bool, HttpError> {
        let url = self.image_url("v1/images", image, arch);
        let response = self.call(Method::DELETE, &url, Content::Nothing).await?;
        match response.status {
            200 | 202 | 204 => Ok(true),
            404 => Ok(false),
            _ => Err(response.refusal()),
        }
    }

    /// The features of the library. If it does not report its version, only those of version 1.
    pub async fn abilities(&self) -> Abilities {
        let told = async {
            let response = self.get(&self.url("version")).await.ok()?.ok().ok()?;
            Some(told_abilities(&response))
        };
        told.await.unwrap_or_default()
    }

    /// The ID of a container. Creates the container, its collection and its entity if they do not exist, and calls
    /// `made` with the path of each one that it created.
    ///
    /// # Errors
    ///
    /// No response, or an error status.
    pub async fn container(
        &self,
        [entity, collection, container]: [&str; 3],
        made: &dyn Fn(&str),
    ) -> Result<String, HttpError> {
        let entity_id = self.find_or_make(Level::Entity, "", entity, "", made).await?;
        let collection_id =
            self.find_or_make(Level::Collection, entity, collection, &entity_id, made).await?;
        let above = format!("{entity}/{collection}");
        self.find_or_make(Level::Container, &above, container, &collection_id, made).await
    }

    async fn find_or_make(
        &self,
        level: Level,
        above: &str,
        name: &str,
        parent: &str,
        made: &dyn Fn(&str),
    ) -> Result<String, HttpError> {
        let path = if above.is_empty() { name.to_string() } else { format!("{above}/{name}") };
        let response = self.get(&self.url(&format!("{}/{path}", level.plural()))).await?;
        if response.status != 404 {
            return id(&response.ok()?);
        }
        let document = wire::NewLevel::new(name, level, parent);
        let response = self.post(level.plural(), &document).await.map_err(|error| match error.status() {
            Some(403 | 405) => {
                let level = level.name();
                error.noting(format!("the library has no {level} {path:?} and does not let you create one"))
            }
            _ => error,
        })?;
        made(&path);
        id(&response)
    }

    /// The image with this hash in a container. Creates it if it does not exist. Returns its ID, and whether the
    /// library has its bytes.
    ///
    /// # Errors
    ///
    /// No response, or an error status.
    pub async fn image_by_hash(
        &self,
        path: &str,
        hash: Digest,
        arch: Arch,
        container: &str,
        description: &str,
    ) -> Result<(String, bool), HttpError> {
        let hash = hash.name();
        let url = self.image_url("v1/images", &format!("{path}:{hash}"), arch);
        let response = self.get(&url).await?;
        if response.status != 404 {
            let response = response.ok()?;
            let found: Created = read(&response, "the response does not describe an image")?;
            return Ok((wire::require_id(&response, found.id)?, found.uploaded.unwrap_or(false)));
        }
        let document = wire::NewImage { hash: &hash, description, container };
        let response = self.post("v1/images", &document).await?;
        let made: Created = read(&response, "the response does not describe an image")?;
        Ok((wire::require_id(&response, made.id)?, made.uploaded.unwrap_or(false)))
    }

    /// Tags an image whose bytes the library has. If another image has the tag, the tag is moved.
    ///
    /// # Errors
    ///
    /// No response, or an error status.
    pub async fn tag(
        &self,
        container: &str,
        image: &str,
        tag: &str,
        arch: Option<Arch>,
    ) -> Result<(), HttpError> {
        let answer = match arch {
            Some(arch) => {
                self.post(&format!("v2/tags/{container}"), &TagByArch { arch: arch.name(), tag, image }).await
            }
            None => self.post(&format!("v1/tags/{container}"), &TagOnly { tag, image }).await,
        };
        answer.map(drop)
    }

    /// Creates something. Any 2xx status is accepted.
    async fn post(&self, path: &str, document: &impl Serialize) -> Result<Response, HttpError> {
        self.change(Method::POST, path, document).await
    }

    async fn change(
        &self,
        method: Method,
        path: &str,
        document: &impl Serialize,
    ) -> Result<Response, HttpError> {
        let text = serde_json::to_vec(document).expect("documents of text and numbers are JSON");
        let response = self.call(method, &self.url(path), Content::Json(text)).await?;
        if (200..300).contains(&response.status) { Ok(response) } else { Err(response.refusal()) }
    }

    async fn call(&self, method: Method, url: &Url, content: Content<'_>) -> Result<Response, HttpError> {
        self.call_within(method, url, content, self.http.limits().library).await
    }

    async fn call_within(
        &self,
        method: Method,
        url: &Url,
        content: Content<'_>,
        timeout: Duration,
    ) -> Result<Response, HttpError> {
        let login = self.token.as_ref().map(Login::Bearer);
        self.http.call(Call { method, to: &self.base.at(url.clone()), login, content, timeout }).await
    }

    async fn get(&self, url: &Url) -> Result<Response, HttpError> {
        let limits = self.http.limits();
        self.http
            .get(Get {
                to: &self.base.at(url.clone()),
                login: self.token.as_ref().map(Login::Bearer),
                accept: Some("application/json"),
                timeout: limits.library,
                limit: limits.library_bytes,
            })
            .await
    }

    fn url(&self, path: &str) -> Url {
        self.base.below(path).url
    }

    fn image_url(&self, what: &str, image: &str, arch: Arch) -> Url {
        let mut url = self.url(&format!("{what}/{image}"));
        url.query_pairs_mut().append_pair("arch", arch.name());
        url
    }
}

/// Parses the `data` of a response. `otherwise` is the error message if that fails.
fn read<T: DeserializeOwned>(response: &Response, otherwise: &str) -> Result<T, HttpError> {
    serde_json::from_slice::<Envelope<T>>(&response.body)
        .map(|envelope| envelope.data)
        .map_err(|_| response.unexpected(otherwise))
}

/// The images in the response to a search.
///
/// # Errors
///
/// The response is not a list of images.
pub fn found_images(response: &Response) -> Result<Found, HttpError> {
    let data: SearchData = read(response, "the response is not a list of images")?;
    Ok(data.image.unwrap_or_default())
}

/// The image that a response describes.
///
/// # Errors
///
/// The response does not describe an image.
pub fn described_image(response: &Response) -> Result<Image, HttpError> {
    read(response, "the response does not describe an image")
}

/// The features of the API version in a response. A missing or invalid version counts as version 1.
pub fn told_abilities(response: &Response) -> Abilities {
    let data: Option<VersionData> = read(response, "").ok();
    let version = data.and_then(|data| Version::parse(&data.api_version?).ok());
    let at_least = |wanted: &str| {
        version.as_ref().is_some_and(|version| *version >= Version::parse(wanted).expect("a version"))
    };
    Abilities { v2_upload: at_least("2.0.0-alpha.1"), arch_tags: at_least("2.0.0-alpha.2") }
}

/// The ID of the created or found object in a response: at most 255 letters, digits, `_` and `-`.
///
/// # Errors
///
/// The response has no ID, or one with other characters, which might change the path of a request.
pub fn id(response: &Response) -> Result<String, HttpError> {
    let found: Created = read(response, "the response contains no valid ID")?;
    wire::require_id(response, found.id)
}

/// A URL that the library created for one transfer.
fn made_address(text: &str, response: &Response) -> Result<Url, HttpError> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(HttpError::new(
            &response.url,
            HttpErrorKind::Unexpected("the response contains no valid upload URL".to_string()),
        )),
    }
}
