//! What one remote, one keyserver and one stored login are, in the words of `remote.yaml`.

use crate::secret::Secret;

/// A remote endpoint as a layer holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// As stored: `host[/path]`, `//host:port[/path]`, with a scheme, or empty where a real program's
    /// `add` lost it. [`crate::uri::EndpointUri::from_stored`] gives it a meaning.
    pub uri: String,
    /// The access token; never empty.
    pub token: Option<Secret>,
    /// In the global layer: always true. In a user layer: an entry that stands for a global remote.
    pub system: bool,
    /// Only meaningful in the global layer.
    pub exclusive: bool,
    /// http, or https without verification.
    pub insecure: bool,
    /// In the order in which they are asked.
    pub keyservers: Vec<Keyserver>,
}

/// A keyserver of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyserver {
    /// As typed by the administrator.
    pub uri: String,
    /// The endpoint's own keyserver, taken out of use but remembered.
    pub skip: bool,
    /// Added by an administrator, as against the endpoint's own.
    pub external: bool,
    /// http, or https without verification.
    pub insecure: bool,
}

/// A login to a registry or keyserver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// With its scheme: `docker://…`, `oras://…`, `https://…`.
    pub uri: String,
    /// `Basic …` or `Bearer …` for keyservers; registries keep theirs in the auth file.
    pub auth: Option<Secret>,
    /// The login was made with `--insecure`.
    pub insecure: bool,
}
