//! Parsers for remote names, URIs and image references. Other modules must not parse them themselves.

mod endpoint;
mod library;
mod name;
mod service;
mod text;

pub use endpoint::{EndpointUri, Scheme, TypedUri, shown};
pub use library::LibraryRef;
pub use name::RemoteName;
pub use service::{ServiceScheme, ServiceUri, TypedService, is_plain_http};
pub use text::{UriError, may_be_repeated, may_hold_password, public};

/// Whether `text` looks like the URI of a service (a registry or keyserver) rather than a name.
pub fn is_service(text: &str) -> bool {
    text.contains("://")
}
