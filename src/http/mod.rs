//! A generic HTTP client. It limits the time and size of every request and is careful with redirects and logins.
//! It knows nothing about specific services.
//!
//! Nothing here starts before the first request: a command that sends none starts no runtime and no TLS and
//! reads no certificates. The environment and the clock are passed in as values.

mod address;
pub(crate) mod bounded;
mod certificates;
mod client;
pub(crate) mod error;
mod limits;
mod login;
pub mod message;
pub mod proxy;
mod resolver;
mod response;
mod settings;
pub mod stream;
mod tls;
mod trace;

#[cfg(test)]
pub(crate) mod tests;

pub use address::{Address, Transport};
pub(crate) use address::{below, brief, is_loopback, shown};
pub use client::{Get, Http};
pub use error::{HttpError, HttpErrorKind};
pub use limits::Limits;
pub use login::{Login, basic};
pub use response::{Response, parse_retry_after};
pub use settings::Settings;
pub use trace::Trace;
