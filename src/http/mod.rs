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
pub use error::{HttpError, Kind};
pub use limits::Limits;
pub use login::{Login, basic};
pub use response::{Response, parse_retry_after};
pub use settings::Settings;

use std::future::Future;
use std::io;

/// Runs `future` to its end on a runtime of this thread, built for it alone.
///
/// A command may call this several times (a question to the user may lie between two requests); the
/// client's idle connections end with their runtime and are not used again.
///
/// # Errors
///
/// When the operating system gives no more file descriptors.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let output = runtime.block_on(future);
    // A name lookup cannot be cancelled; waiting for it would keep a command that has its timeout behind
    // it from ending.
    runtime.shutdown_background();
    Ok(output)
}
