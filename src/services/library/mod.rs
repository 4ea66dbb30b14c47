//! The Library API: what a library tells of its images, and the changes that it takes.
//!
//! What stands on the wire is apart from what the rest of the program sees; see [`upload`] for the bytes of
//! an image on their way up, and [`crate::image::transfer`] for those on their way down.

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

/// A library, and how it is spoken to.
#[derive(Clone)]
pub struct Library {
    /// The client.
    pub http: Client,
    /// Everything lies below this address.
    pub base: Address,
    /// Sent to the origin of `base` alone.
    pub token: Option<Secret>,
    /// Let the bytes of an image go over http where a library that is asked over https names such an address.
    pub http_storage: bool,
}

/// What a library can do beyond the first version of its API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Uploads to an address that it makes for them, also in parts.
    pub v2_upload: bool,
    /// One tag for images of several architectures.
    pub arch_tags: bool,
}

impl Library {
    /// Images that match `value`, of one architecture.
    ///
    /// # Errors
    ///
    /// No answer, one that means failure, or no list of images.
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

    /// What the library knows of `image` (`path:tag`); `None` where it has none for this architecture.
    ///
    /// # Errors
    ///
    /// No answer, one that means failure, or no description of an image.
    pub async fn image(&self, image: &str, arch: Arch) -> Result<Option<Image>, HttpError> {
        let response = self.get(&self.image_url("v1/images", image, arch)).await?;
        if response.status == 404 {
            return Ok(None);
        }
        described_image(&response.ok()?).map(Some)
    }

    /// Where the bytes of `image` (`path:tag`) come from.
    pub fn source(&self, image: &str, arch: Arch, sha256: Digest, size: Option<u64>) -> Source {
        let limits = self.http.limits();
        Source {
            http: self.http.http().clone(),
            address: self.base.at(self.image_url("v1/imagefile", image, arch)),
            token: self.token.clone(),
            http_storage: self.http_storage,
            server: "library",
            sha256,
            // A size of 0 is none.
            size: size.filter(|size| *size > 0),
            pause: limits.pause,
            pace: limits.pace,
        }
    }

    /// Deletes `image` (`path:tag`); says whether it was there.
    ///
    /// # Errors
    ///
    /// No answer, or one that means failure.
    pub async fn delete(&self, image: &str, arch: Arch) -> Result<bool, HttpError> {
        let url = self.image_url("v1/images", image, arch);
        let response = self.call(Method::DELETE, &url, Content::Nothing).await?;
        match response.status {
            200 | 202 | 204 => Ok(true),
            404 => Ok(false),
            _ => Err(response.refusal()),
        }
    }

    /// What it can do; a library that does not tell can do what the first version could.
    pub async fn abilities(&self) -> Abilities {
        let told = async {
            let response = self.get(&self.url("version")).await.ok()?.ok().ok()?;
            Some(told_abilities(&response))
        };
        told.await.unwrap_or_default()
    }

    /// The id of a container, which is made where it lacks, with everything above it. `made` hears of each
    /// that was made.
    ///
    /// # Errors
    ///
    /// No answer, or one that means failure.
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

    /// The image with this hash in a container, made where it lacks: its id, and whether
    /// the library has its bytes.
    ///
    /// # Errors
    ///
    /// No answer, or one that means failure.
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
            let found: Created = read(&response, "the answer describes no image")?;
            return Ok((wire::require_id(&response, found.id)?, found.uploaded.unwrap_or(false)));
        }
        let document = wire::NewImage { hash: &hash, description, container };
        let response = self.post("v1/images", &document).await?;
        let made: Created = read(&response, "the answer describes no image")?;
        Ok((wire::require_id(&response, made.id)?, made.uploaded.unwrap_or(false)))
    }

    /// Puts a tag on an image, whose bytes the library has; one of that name on another image is moved.
    ///
    /// # Errors
    ///
    /// No answer, or one that means failure.
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

    /// Makes something; any 2xx will do.
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

/// The `data` of an answer.
fn read<T: DeserializeOwned>(response: &Response, otherwise: &str) -> Result<T, HttpError> {
    serde_json::from_slice::<Envelope<T>>(&response.body)
        .map(|envelope| envelope.data)
        .map_err(|_| response.unexpected(otherwise))
}

/// The images of the answer to a search.
///
/// # Errors
///
/// It is no list of images.
pub fn found_images(response: &Response) -> Result<Found, HttpError> {
    let data: SearchData = read(response, "the answer is no list of images")?;
    Ok(data.image.unwrap_or_default())
}

/// The image that an answer describes.
///
/// # Errors
///
/// It describes none.
pub fn described_image(response: &Response) -> Result<Image, HttpError> {
    read(response, "the answer describes no image")
}

/// What the version in an answer stands for; none, and one that is no version, for the first one.
pub fn told_abilities(response: &Response) -> Abilities {
    let data: Option<VersionData> = read(response, "").ok();
    let version = data.and_then(|data| Version::parse(&data.api_version?).ok());
    let at_least = |wanted: &str| {
        version.as_ref().is_some_and(|version| *version >= Version::parse(wanted).expect("a version"))
    };
    Abilities { v2_upload: at_least("2.0.0-alpha.1"), arch_tags: at_least("2.0.0-alpha.2") }
}

/// The id of what an answer says was made or found: letters, digits, `_` and `-`, 255 at most.
///
/// # Errors
///
/// There is none in it, or one that could be another part of a path.
pub fn id(response: &Response) -> Result<String, HttpError> {
    let found: Created = read(response, "the answer has no id in it")?;
    wire::require_id(response, found.id)
}

/// An address that a library made for one transfer.
fn made_address(text: &str, response: &Response) -> Result<Url, HttpError> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err(HttpError::new(
            &response.url,
            HttpErrorKind::Unexpected("the answer names no address to send the image to".to_string()),
        )),
    }
}
