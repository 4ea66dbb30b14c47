//! A remote, a keyserver and a stored login, with the fields that they have in `remote.yaml`.

use crate::secret::Secret;

/// A remote endpoint in a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// As stored: `host[/path]`, `//host:port[/path]`, with a scheme, or empty if a real program's `add` lost it.
    /// Parsed by [`crate::uri::EndpointUri::from_stored`].
    pub uri: String,
    /// The access token, never empty.
    pub token: Option<Secret>,
    /// In the global layer always true. In a user's layer, the entry belongs to the global remote of the same name.
    pub system: bool,
    /// Only used in the global layer.
    pub exclusive: bool,
    /// Uses http, or https without verification.
    pub insecure: bool,
    /// In lookup order.
    pub keyservers: Vec<Keyserver>,
}

/// A keyserver of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyserver {
    /// As typed by the administrator.
    pub uri: String,
    /// Disabled. Only the endpoint's own keyserver can be disabled.
    pub skip: bool,
    /// Added by an administrator. False for the endpoint's own keyserver.
    pub external: bool,
    /// Uses http, or https without verification.
    pub insecure: bool,
}

/// A login to a registry or keyserver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// With its scheme: `docker://…`, `oras://…`, `https://…`.
    pub uri: String,
    /// `Basic …` or `Bearer …` for a keyserver. The secrets of registries are in the auth file.
    pub auth: Option<Secret>,
    /// The user logged in with `--insecure`.
    pub insecure: bool,
}
