//! The servers that the program talks to. Each has a module with its requests and wire formats.

pub mod endpoint;
pub(crate) mod keyserver;
pub mod library;
mod limits;
pub mod registry;

pub use limits::{Client, Limits};
