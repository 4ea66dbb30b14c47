//! The only module that knows YAML: bytes → [`Config`] with places, and back in Go's bytes.
//!
//! Reading goes over the parser's events and not through serde, since an error has to name line, column
//! and key, a duplicate key has to be one, and nothing of a value may get into a message.

mod parsed;
mod read;
mod tree;
mod write;

#[cfg(test)]
mod tests;

pub use parsed::{Parsed, Place, UnknownKey, YamlError};
pub use read::read;
pub use write::write;
