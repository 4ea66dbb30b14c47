//! The only module that knows YAML. Reads bytes into a [`Config`], and writes the same bytes as Go's encoder.
//!
//! The reader uses the parser's events and not serde, for three reasons: errors must name line, column and key, a
//! duplicate key must be an error, and no part of a value may appear in a message.

mod parsed;
mod read;
mod tree;
mod write;

#[cfg(test)]
mod tests;

pub use parsed::{Parsed, Place, UnknownKey, YamlError};
pub use read::read;
pub use write::write;
