//! The content of one `remote.yaml`, and the pure changes that the commands make to it.
//!
//! No file, clock or network here: `file` reads and writes, `yaml` knows the format, `layers` merges.

pub mod endpoint;
pub mod yaml;

pub use endpoint::{Credential, Endpoint, Keyserver};
use std::collections::BTreeMap;

/// One layer: the user's or the global one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The layer's own choice of default; empty where none was ever made.
    pub active: String,
    /// By name. The order here is that of bytes, in which `remote list` shows them; the file has Go's
    /// natural order, which `yaml` makes.
    pub remotes: BTreeMap<String, Endpoint>,
    /// In the order in which the logins were made.
    pub credentials: Vec<Credential>,
}
