//! HTTP for anybody: one client, bounded in time and size, careful with redirects and logins. It knows no service.
//!
//! Nothing here starts before the first request: no runtime, no TLS, no certificate is read for a
//! command that asks nobody. The environment and the clock come in as values.

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
