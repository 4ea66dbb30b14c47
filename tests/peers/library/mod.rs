//! A library with state: entities, collections, containers, images, tags, blobs. Downloads and uploads use a
//! second port, like an object store. It records every request, and can be told to fail in many ways.
//!
//! ```ignore
//! let library = Library::http();
//! library.accept_token("t1");
//! library.add(NewImage::new("me/things/box:latest,1.0", sif_bytes).arch("amd64"));
//! library.fault(When::get("/data/").nth(2), Fault::HangUp(1000));
//! // … a client pulls from library.uri() …
//! assert!(library.violations().is_empty());
//! ```

mod api;
mod blob;
mod change;
mod data;
mod fault;
mod http;
mod model;
mod server;
mod upload;

#[cfg(test)]
mod tests;

use super::ca::Identity;
use super::wire::Request;
use server::Server;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use blob::Blob;
pub use fault::{Fault, When};
pub use model::{Image, NewImage};
pub use upload::{Progress, Upload};

/// The path of the discovery document.
pub const DISCOVERY: &str = super::endpoint::DISCOVERY;
/// The prefix of all paths of the Library API.
pub const BASE: &str = "/library";

/// The prefix of all paths of the data port.
#[cfg(test)]
const DATA: &str = "/data";

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Port {
    /// Discovery, tokens and the Library API.
    Api,
    /// The target of presigned addresses.
    Data,
}

/// A request as received.
#[derive(Clone, Debug)]
pub struct Seen {
    pub port: Port,
    /// The head; the body only if it is a small one to the API.
    pub request: Request,
    /// The number of bytes of the body that arrived.
    pub length: u64,
    /// SHA-256 of the received body, in hexadecimal.
    pub sha256: Option<String>,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
}

/// How a library delivers the bytes of an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Download {
    /// 303 to a presigned address at the data port.
    Redirect,
    /// 200 (or 206) from the API itself.
    Direct,
    /// 303 to another path of the API, which needs the token like all others.
    SameOrigin,
}

/// The settings that a test may change.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `apiVersion` in `/version`; `None`: an old library.
    pub api_version: Option<String>,
    pub tokens: BTreeSet<String>,
    /// Whether reading needs no token.
    pub public: bool,
    /// How the bytes of an image are delivered.
    pub download: Download,
    /// The maximum number of bytes in the library; `None`: unlimited.
    pub quota: Option<u64>,
    /// The status of a response to an upload beyond the quota.
    pub over_quota_status: u16,
    /// The size of parts; `None`: no uploads in parts (404).
    pub part_size: Option<u64>,
    /// The option `s3compliant` of uploads in parts; `None`: no options.
    pub s3compliant: Option<String>,
    /// Whether the single presigned `PUT` needs `x-amz-content-sha256`.
    pub sign_hash: bool,
    /// Whether the response at the end of an upload gives the quota and the container.
    pub tells_details: bool,
    /// The user of the token.
    pub user: serde_json::Value,
    /// Parts of uploads are held back, and kept only if their upload is aborted meanwhile, as in a storage in
    /// which an abort overtakes a part.
    pub late_parts: bool,
    /// For measurements: uploads are neither hashed nor kept.
    pub trusting: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_version: None,
            tokens: BTreeSet::new(),
            public: true,
            download: Download::Redirect,
            quota: None,
            over_quota_status: 413,
            part_size: Some(64 << 20),
            s3compliant: None,
            sign_hash: true,
            tells_details: true,
            user: serde_json::from_str(super::endpoint::USER).unwrap(),
            late_parts: false,
            trusting: false,
        }
    }
}

impl Settings {
    fn is_s3_compliant(&self) -> bool {
        self.s3compliant.as_deref().is_none_or(|value| value.is_empty() || value == "true")
    }
}

/// The library; it stops when dropped.
pub struct Library(Arc<Server>);

impl Library {
    /// A library over http.
    pub fn http() -> Self {
        Self::start(None, None)
    }

    /// A library over https: one identity for the API, one for the data port.
    pub fn https(api: Identity, data: Identity) -> Self {
        Self::start(Some(api), Some(data))
    }

    /// A library with two ports of 127.0.0.1, each over https if there is an identity for it.
    pub fn start(api: Option<Identity>, data: Option<Identity>) -> Self {
        Self(Server::start(api, data))
    }

    /// `http://127.0.0.1:PORT`: the endpoint.
    pub fn url(&self) -> String {
        self.0.api.clone()
    }

    /// `127.0.0.1:PORT`: the endpoint as a user types it, and the host of a reference.
    pub fn host(&self) -> String {
        self.address(Port::Api).to_string()
    }

    /// The address of the library service in the discovery document.
    pub fn uri(&self) -> String {
        self.url() + BASE
    }

    /// The origin of the data port.
    pub fn data_url(&self) -> String {
        self.0.data.clone()
    }

    pub fn address(&self, port: Port) -> SocketAddr {
        self.0.addresses[port as usize]
    }

    /// Changes the settings.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.0.settings.lock().unwrap());
    }

    /// Makes a token valid.
    pub fn accept_token(&self, token: &str) {
        self.set(|settings| settings.tokens.extend([token.to_string()]));
    }

    /// Makes all tokens invalid.
    pub fn revoke_tokens(&self) {
        self.set(|settings| settings.tokens.clear());
    }

    /// Adds an image; returns its id.
    pub fn add(&self, image: NewImage) -> String {
        self.0.model.lock().unwrap().add(image)
    }

    /// Adds a fault. If several match a request, the first one counts.
    pub fn fault(&self, when: When, fault: Fault) {
        self.0.faults.add(when, fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.0.faults.clear();
    }

    /// The number of requests that a fault affected.
    pub fn faults_hit(&self) -> usize {
        self.0.faults.hits()
    }

    /// All requests so far to both ports, in order of arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.0.log.lock().unwrap().seen.clone()
    }

    /// The requests with this method and this prefix of the path.
    pub fn requests_for(&self, method: &str, prefix: &str) -> Vec<Seen> {
        let fits = |seen: &Seen| seen.request.method == method && seen.request.path.starts_with(prefix);
        self.requests().into_iter().filter(fits).collect()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.0.log.lock().unwrap().forget();
    }

    /// What clients did although it is forbidden: a token at the data port, an address that is not presigned, a
    /// body of the wrong length, a missing hash that was signed.
    pub fn violations(&self) -> Vec<String> {
        self.0.violations.lock().unwrap().clone()
    }

    /// Makes all presigned addresses so far invalid, as if they had expired.
    pub fn expire_addresses(&self) {
        self.0.model.lock().unwrap().grants.clear();
    }

    /// The number of connections to both ports.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::SeqCst)
    }

    /// The maximum number of concurrent requests at the data port.
    pub fn most_at_once(&self) -> usize {
        self.0.busy[1].load(Ordering::SeqCst)
    }

    /// The tags of `entity/collection/container`: architecture → tag → hash of the image.
    pub fn tags(&self, path: &str) -> BTreeMap<String, BTreeMap<String, String>> {
        let model = self.0.model.lock().unwrap();
        let Some(id) = model.find(model::Kind::Container, path) else { return BTreeMap::new() };
        let hashes = |tags: &BTreeMap<String, String>| {
            tags.iter().map(|(tag, image)| (tag.clone(), model.images[image].hash.clone())).collect()
        };
        let tags = &model.containers[&id].arch_tags;
        tags.iter().map(|(arch, tags)| (arch.clone(), hashes(tags))).collect()
    }

    pub fn images(&self) -> Vec<Image> {
        self.0.model.lock().unwrap().images.values().cloned().collect()
    }

    /// The image with the reference `entity/collection/container:tag` for this architecture.
    pub fn image(&self, reference: &str, arch: &str) -> Option<Image> {
        self.0.model.lock().unwrap().image(reference, Some(arch)).cloned()
    }

    /// The paths of all containers, created by a test or by a client.
    pub fn containers(&self) -> Vec<String> {
        let model = self.0.model.lock().unwrap();
        model.containers.keys().map(|id| model.names(id).join("/")).collect()
    }

    /// All uploads through presigned addresses so far.
    pub fn uploads(&self) -> Vec<Upload> {
        self.0.model.lock().unwrap().uploads.values().cloned().collect()
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.0.end();
    }
}
