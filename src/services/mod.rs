//! The servers that the program asks: one module each, with what stands on the wire and the questions.

pub mod endpoint;
pub(crate) mod keyserver;
pub mod library;
mod limits;
pub mod registry;

pub use limits::{Client, Limits};
