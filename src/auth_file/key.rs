//! The keys of the auth file: which registry, or part of one, each is for.

use crate::uri::ServiceUri;

/// The key under which docker keeps Docker Hub.
pub const HUB_KEY: &str = "https://index.docker.io/v1/";

/// The registry of a key of the file: its host and port, Docker Hub by one name.
pub(super) fn registry_of(key: &str) -> Option<ServiceUri> {
    let bare = ["https://", "http://"].iter().find_map(|scheme| key.strip_prefix(scheme)).unwrap_or(key);
    ServiceUri::from_stored(&format!("docker://{bare}"))
}

/// The part of its registry that a key of the file names: `/path` for `host/path`, as podman writes them; none for
/// `host`, `https://host/v1/` and the like, which name the whole registry.
pub(super) fn part_of(key: &str, own: &ServiceUri) -> String {
    if key.contains("://") { String::new() } else { own.path().to_string() }
}

/// Whether a key of the file names this registry, or this part of one.
pub(super) fn names(key: &str, registry: &ServiceUri) -> bool {
    registry_of(key).is_some_and(|own| same_host(&own, registry) && part_of(key, &own) == registry.path())
}

/// `host` and `host:443` are one server, but two keys, and the real programs know only the one that the
/// reference of an image spells.
pub(super) fn same_host(a: &ServiceUri, b: &ServiceUri) -> bool {
    a.same_server(b) && (a.is_docker_hub() || a.authority() == b.authority())
}

/// Whether a login to one is a login to the other: the same registry for docker and oras, and the same part of it.
pub fn is_same_login(a: &ServiceUri, b: &ServiceUri) -> bool {
    same_host(a, b) && a.path() == b.path()
}

/// The key of a registry's entry, or of a part of one.
pub fn key_of(registry: &ServiceUri) -> String {
    match registry.path() {
        "" if registry.is_docker_hub() => HUB_KEY.to_string(),
        path => format!("{}{path}", registry.authority()),
    }
}
