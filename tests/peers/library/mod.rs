//! A library with state: entities, collections, containers, images, tags, blobs; downloads and uploads go
//! through a second port, as through an object store. It writes down every request, and can go wrong in many
//! ways.
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

/// Where the services are described.
pub const DISCOVERY: &str = super::endpoint::DISCOVERY;
/// What every path of the Library API begins with.
pub const BASE: &str = "/library";

/// What every path of the data port begins with.
#[cfg(test)]
const DATA: &str = "/data";

/// Which of the two ports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Port {
    /// Discovery, tokens and the Library API.
    Api,
    /// Where presigned addresses lead.
    Data,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Where.
    pub port: Port,
    /// Its head; its body only where it is a small one to the API.
    pub request: Request,
    /// How much of its body came.
    pub length: u64,
    /// SHA-256 of what came, in hexadecimal.
    pub sha256: Option<String>,
    /// What was answered, if anything was.
    pub status: Option<u16>,
}

/// How the bytes of an image are to be had.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Download {
    /// 303 to a presigned address at the data port.
    Redirect,
    /// 200 (or 206) from the API itself.
    Direct,
    /// 303 to another path of the API, which wants the token as all others.
    SameOrigin,
}

/// What a test may choose.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What `/version` tells as `apiVersion`; none: an old library.
    pub api_version: Option<String>,
    /// Valid tokens.
    pub tokens: BTreeSet<String>,
    /// Whether reading needs no token.
    pub public: bool,
    /// How the bytes of an image are to be had.
    pub download: Download,
    /// How many bytes may be held; none: without limit.
    pub quota: Option<u64>,
    /// What is answered beyond the quota.
    pub over_quota_status: u16,
    /// The size of parts; none: no uploads in parts (404).
    pub part_size: Option<u64>,
    /// The option `s3compliant` of uploads in parts; none: no options.
    pub s3compliant: Option<String>,
    /// Whether the single presigned `PUT` wants `x-amz-content-sha256`.
    pub sign_hash: bool,
    /// Whether the end of an upload tells quota and container.
    pub tells_details: bool,
    /// Whose token it is.
    pub user: serde_json::Value,
    /// Parts of uploads arrive, and are kept only when their upload was aborted meanwhile: as in a storage that
    /// an abort overtakes.
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

/// The library; it ends when dropped.
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

    /// A library whose two ports, both of 127.0.0.1, talk https where there is an identity.
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

    /// The library service, as discovery names it.
    pub fn uri(&self) -> String {
        self.url() + BASE
    }

    /// The origin of the data port.
    pub fn data_url(&self) -> String {
        self.0.data.clone()
    }

    /// Where a port is.
    pub fn address(&self, port: Port) -> SocketAddr {
        self.0.addresses[port as usize]
    }

    /// Changes what a test may choose.
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

    /// Puts an image in; gives its id.
    pub fn add(&self, image: NewImage) -> String {
        self.0.model.lock().unwrap().add(image)
    }

    /// Makes requests go wrong; of several faults the first that fits wins.
    pub fn fault(&self, when: When, fault: Fault) {
        self.0.faults.add(when, fault);
    }

    /// Lets nothing go wrong any more.
    pub fn clear_faults(&self) {
        self.0.faults.clear();
    }

    /// How many requests went wrong as a test wanted.
    pub fn faults_hit(&self) -> usize {
        self.0.faults.hits()
    }

    /// All requests so far, of both ports, in the order in which they came.
    pub fn requests(&self) -> Vec<Seen> {
        self.0.log.lock().unwrap().seen.clone()
    }

    /// The requests with this method whose path begins so.
    pub fn requests_for(&self, method: &str, prefix: &str) -> Vec<Seen> {
        let fits = |seen: &Seen| seen.request.method == method && seen.request.path.starts_with(prefix);
        self.requests().into_iter().filter(fits).collect()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.0.log.lock().unwrap().forget();
    }

    /// What a client did that it must never do: a token at the data port, an address that is not presigned, a
    /// body of the wrong length, a hash that was signed and lacks.
    pub fn violations(&self) -> Vec<String> {
        self.0.violations.lock().unwrap().clone()
    }

    /// Makes every presigned address invalid that was given so far, as time does.
    pub fn expire_addresses(&self) {
        self.0.model.lock().unwrap().grants.clear();
    }

    /// How many connections there were, to both ports.
    pub fn connections(&self) -> usize {
        self.0.connections.load(Ordering::SeqCst)
    }

    /// How many requests the data port answered at once at most.
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

    /// All images.
    pub fn images(&self) -> Vec<Image> {
        self.0.model.lock().unwrap().images.values().cloned().collect()
    }

    /// The image under `entity/collection/container:tag` for this architecture.
    pub fn image(&self, reference: &str, arch: &str) -> Option<Image> {
        self.0.model.lock().unwrap().image(reference, Some(arch)).cloned()
    }

    /// The paths of all containers, made by a test or by a client.
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
