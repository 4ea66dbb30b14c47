//! The keys of the auth file. Each key is for a registry or for a path in one.

use crate::uri::ServiceUri;

/// Docker's key for Docker Hub.
pub const HUB_KEY: &str = "https://index.docker.io/v1/";

/// The registry of a key: its host and port. All names of Docker Hub give the same registry.
pub(super) fn registry_of(key: &str) -> Option<ServiceUri> {
    let bare = ["https://", "http://"].iter().find_map(|scheme| key.strip_prefix(scheme)).unwrap_or(key);
    ServiceUri::from_stored(&format!("docker://{bare}"))
}

/// The path in its registry that a key is for: `/path` for `host/path`, which Podman writes. Empty for `host`,
/// `https://host/v1/` and the like, which are for the whole registry.
pub(super) fn part_of(key: &str, own: &ServiceUri) -> String {
    if key.contains("://") { String::new() } else { own.path().to_string() }
}

/// Whether a key is for this registry, or for this path in a registry.
pub(super) fn names(key: &str, registry: &ServiceUri) -> bool {
    registry_of(key).is_some_and(|own| same_host(&own, registry) && part_of(key, &own) == registry.path())
}

/// Whether both have the same key, apart from their paths. `host` and `host:443` are the same server but have different
/// keys: the real programs use only the spelling in the image reference.
pub(super) fn same_host(a: &ServiceUri, b: &ServiceUri) -> bool {
    a.same_server(b) && (a.is_docker_hub() || a.authority() == b.authority())
}

/// Whether both share a login: the same registry, by `docker://` or `oras://`, and the same path in it.
pub fn is_same_login(a: &ServiceUri, b: &ServiceUri) -> bool {
    same_host(a, b) && a.path() == b.path()
}

/// The key for a registry or for a path in one.
pub fn key_of(registry: &ServiceUri) -> String {
    match registry.path() {
        "" if registry.is_docker_hub() => HUB_KEY.to_string(),
        path => format!("{}{path}", registry.authority()),
    }
}
